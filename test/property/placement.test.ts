import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { allowedNodes, type Objects } from '../build/placement-oracle.ts';
import { anyNode, anyPodNamed, NAMESPACES, NODE_NAMES } from '../build/random-cluster.ts';
import { PlacementWorld } from '../build/scheduling.ts';
import { spec } from '../spec.ts';

const UIDS = Array.from({ length: 24 }, (_, i) => `p${i}`);

/** One thing that happens to a cluster. */
type Step =
  | { readonly do: 'node'; readonly node: Node }
  | { readonly do: 'removeNode'; readonly name: string }
  | { readonly do: 'bind'; readonly pod: Pod; readonly on: string }
  | { readonly do: 'place'; readonly pod: Pod }
  | { readonly do: 'mark'; readonly uid: string; readonly as: 'deleting' | 'ended' | 'relabelled' }
  | { readonly do: 'removePod'; readonly uid: string };

const anyPod = fc.constantFrom(...UIDS).chain(anyPodNamed);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: anyNode.map((node) => ({ do: 'node', node }) as const) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...NODE_NAMES).map((name) => ({ do: 'removeNode', name }) as const),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anyPod, fc.constantFrom(...NODE_NAMES))
      .map(([pod, on]) => ({ do: 'bind', pod, on }) as const),
  },
  { weight: 8, arbitrary: anyPod.map((pod) => ({ do: 'place', pod }) as const) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...UIDS), fc.constantFrom('deleting', 'ended', 'relabelled'))
      .map(([uid, as]) => ({ do: 'mark', uid, as }) as const),
  },
  { weight: 1, arbitrary: fc.constantFrom(...UIDS).map((uid) => ({ do: 'removePod', uid }) as const) },
);

const anySteps = fc
  .tuple(
    fc.array(anyNode, { maxLength: 6, minLength: 3 }),
    fc.array(anyStep, { minLength: 10, maxLength: 40 }),
  )
  .map(([nodes, steps]): Step[] => [...nodes.map((node) => ({ do: 'node', node }) as const), ...steps]);

/** A cluster's objects, and the state that placement keeps of them change by change. */
class Model {
  readonly nodes = new Map<string, Node>();
  readonly pods = new Map<string, Pod>();
  readonly world = new PlacementWorld([], [], undefined, NAMESPACES);

  get objects(): Objects {
    return { nodes: [...this.nodes.values()], pods: [...this.pods.values()], namespaces: NAMESPACES };
  }

  apply(step: Step): void {
    const { state } = this.world;
    switch (step.do) {
      case 'node':
        this.nodes.set(step.node.metadata.name, step.node);
        state.setNode(step.node);
        return;
      case 'removeNode':
        this.nodes.delete(step.name);
        state.removeNode(step.name);
        return;
      case 'bind':
        this.#bind(step.pod, step.on);
        return;
      case 'place':
        this.#place(step.pod);
        return;
      case 'mark':
        this.#mark(step.uid, step.as);
        return;
      case 'removePod':
        this.pods.delete(step.uid);
        state.forget(step.uid);
    }
  }

  #bind(pod: Pod, on: string): void {
    const { uid } = pod.metadata;
    if (this.pods.has(uid)) return;
    const bound: Pod = { ...pod, spec: { ...pod.spec, nodeName: on }, status: { phase: 'Running' } };
    this.pods.set(uid, bound);
    this.world.state.observe(bound, 0);
  }

  /** What the placer chooses must be allowed; what it refuses must be allowed nowhere. */
  #place(pod: Pod): void {
    if (this.pods.has(pod.metadata.uid)) return;
    const allowed = allowedNodes(pod, this.objects);
    assert.equal(this.world.feasible(pod), allowed);
    const placement = this.world.place(pod);
    assert.is(placement.ok, allowed.length > 0);
    if (!placement.ok) return;
    assert.ok(allowed.includes(placement.node));
    this.#bind(pod, placement.node);
  }

  #mark(uid: string, as: 'deleting' | 'ended' | 'relabelled'): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    const { metadata } = pod;
    const next: Pod =
      as === 'ended'
        ? { ...pod, status: { phase: 'Failed' } }
        : as === 'deleting'
          ? { ...pod, metadata: { ...metadata, deletionTimestamp: metadata.creationTimestamp } }
          : { ...pod, metadata: { ...metadata, labels: { app: 'db' } } };
    this.pods.set(uid, next);
    this.world.state.observe(next, 0);
  }
}

const outcomes = (world: PlacementWorld, probes: readonly Pod[]): unknown[] =>
  probes.map((pod) => {
    const placement = world.place(pod);
    return placement.ok
      ? placement
      : placement.reasons.map(({ node, refusals }) => [node, refusals.map((r) => r.reason)]);
  });

spec('placement under random rules', (it) => {
  it('never takes a node that the rules refuse, and finds one when there is one', () => {
    fc.assert(
      fc.property(anySteps, (steps) => {
        const model = new Model();
        for (const step of steps) model.apply(step);
      }),
      { numRuns: 300 },
    );
  });

  it('decides on what it kept up to date as on what is built anew, in whatever order', () => {
    const probes = fc.array(anyPodNamed('probe'), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(anySteps, probes, fc.boolean(), (steps, pods, reverse) => {
        const model = new Model();
        for (const step of steps) model.apply(step);
        const { nodes, pods: present } = model.objects;
        const inOrder = <T>(list: readonly T[]): readonly T[] => (reverse ? list.toReversed() : list);
        const anew = new PlacementWorld(inOrder(nodes), inOrder(present), undefined, NAMESPACES);
        assert.equal(outcomes(model.world, pods), outcomes(anew, pods));
        for (const name of NODE_NAMES)
          assert.equal(model.world.state.nodes.get(name), anew.state.nodes.get(name));
      }),
      { numRuns: 200 },
    );
  });
});
