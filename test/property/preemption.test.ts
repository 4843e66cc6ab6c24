import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { mayDisrupt } from '../../hub/decide/disruption-verdict.ts';
import { podToPlace } from '../../hub/decide/pod-to-place.ts';
import { leastHarm, planVictims, type VictimPlan } from '../../hub/decide/preempt.ts';
import { Preemptor } from '../../hub/scheduler/preemptor.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { allowedNodes, type Objects } from '../build/placement-oracle.ts';
import { anyNode, anyPodNamed, NAMESPACES, NODE_NAMES } from '../build/random-cluster.ts';
import { PlacementWorld } from '../build/scheduling.ts';
import { spec } from '../spec.ts';

const NOW = { atMs: 0, time: '1970-01-01T00:00:00Z' };

const anyResidents = fc
  .array(
    fc.record({
      pod: anyPodNamed('x'),
      on: fc.constantFrom(...NODE_NAMES),
      priority: fc.integer({ min: 0, max: 3 }),
      deleting: fc.constantFrom(false, false, false, true),
    }),
    { minLength: 3, maxLength: 16 },
  )
  .map((list) =>
    list.map(({ pod, on, priority, deleting }, i): Pod => {
      const uid = `p${i}`;
      const { metadata } = pod;
      return {
        ...pod,
        metadata: {
          ...metadata,
          name: uid,
          uid,
          ...(deleting && { deletionTimestamp: metadata.creationTimestamp }),
        },
        spec: { ...pod.spec, nodeName: on, priority },
        status: { phase: 'Running' },
      };
    }),
  );

const anyNodes = fc.uniqueArray(anyNode, { selector: (n) => n.metadata.name, minLength: 1, maxLength: 5 });

/** Checks the plan for one pod; false when there was none to check. */
function checkPlan(objects: Objects, pod: Pod): boolean {
  const { nodes, pods } = objects;
  const world = new PlacementWorld(nodes, pods, undefined, NAMESPACES);
  const placement = world.place(pod);
  if (placement.ok) return false;
  const view = {
    byUid: (_kind: string, uid: string) => pods.find((p) => p.metadata.uid === uid) as never,
    list: () => [],
  };
  const preemptor = new Preemptor(view, world.state, world.placer, (pods, budgets) =>
    mayDisrupt(budgets, pods, NOW).map((verdict) => verdict.ok),
  );
  const plan = preemptor.plan(pod, podToPlace(pod), placement.reasons, []);
  checkNothingGone(world, objects);
  if (!plan.ok) return false;
  const victims = plan.victims.map((v) => v.metadata.uid);
  for (const victim of plan.victims) {
    assert.ok((victim.spec.priority ?? 0) < (pod.spec.priority ?? 0));
    assert.is(victim.spec.nodeName, plan.node);
  }
  const fitsWithout = (gone: readonly string[]): boolean => {
    const isGone = (p: Pod): boolean =>
      gone.includes(p.metadata.uid) ||
      (p.spec.nodeName === plan.node && p.metadata.deletionTimestamp !== undefined);
    return allowedNodes(pod, { ...objects, pods: pods.filter((p) => !isGone(p)) }).includes(plan.node);
  };
  const best = leastHarm(exhaustive(objects, pod));
  assert.equal(
    [plan.node, victims],
    [best?.node, best?.victims.map((v) => v.uid)],
    'the least harm there is',
  );
  assert.ok(fitsWithout(victims), 'there is room then');
  for (const spared of victims)
    assert.not.ok(fitsWithout(victims.filter((uid) => uid !== spared)), 'nobody leaves in vain');
  return true;
}

/** A plan for every node, each by adding everything up anew: what the sample of nodes finds as long as it holds them all. */
function exhaustive(objects: Objects, pod: Pod): VictimPlan[] {
  return objects.nodes.flatMap(({ metadata: { name } }) => {
    const there = objects.pods.filter((p) => p.spec.nodeName === name);
    const isGoing = (p: Pod): boolean => p.metadata.deletionTimestamp !== undefined;
    const lower = there.filter((p) => !isGoing(p) && (p.spec.priority ?? 0) < (pod.spec.priority ?? 0));
    if (lower.length + there.filter(isGoing).length === 0) return [];
    const away = new Set(there.filter(isGoing).map((p) => p.metadata.uid));
    const plan = planVictims(
      name,
      lower.map(({ metadata: { uid, creationTimestamp }, spec: { priority = 0 } }) => {
        return { uid, priority, startedAtMs: Date.parse(creationTimestamp), guarded: false };
      }),
      {
        remove: (uid) => void away.add(uid),
        putBack: (uid) => void away.delete(uid),
        fits: () => {
          const pods = objects.pods.filter((p) => !away.has(p.metadata.uid));
          return allowedNodes(pod, { ...objects, pods }).includes(name);
        },
      },
    );
    return plan ?? [];
  });
}

function checkNothingGone(world: PlacementWorld, { nodes, pods }: Objects): void {
  const anew = new PlacementWorld(nodes, pods, undefined, NAMESPACES);
  for (const name of NODE_NAMES) assert.equal(world.state.nodes.get(name), anew.state.nodes.get(name));
}

spec('preemption under random rules', (it) => {
  it('drives out only the less important, only where that helps, and leaves its thoughts behind', () => {
    let planned = 0;
    const anyPriority = fc.integer({ min: 0, max: 4 });
    fc.assert(
      fc.property(anyNodes, anyResidents, anyPodNamed('new'), anyPriority, (nodes, pods, raw, priority) => {
        const pod: Pod = { ...raw, spec: { ...raw.spec, priority } };
        if (checkPlan({ nodes, pods, namespaces: NAMESPACES }, pod)) planned++;
      }),
      { numRuns: 600 },
    );
    assert.ok(planned > 10, `plans seen: ${planned}`);
  });
});
