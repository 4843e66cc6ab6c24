import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { ContainerView } from '../../edge-agent/decide/container.ts';
import { nextPodAction } from '../../edge-agent/decide/next-pod-action.ts';
import { newMemory } from '../../edge-agent/decide/pod-memory.ts';
import { needsSandbox, plannedContainers } from '../../edge-agent/decide/pod-shape.ts';
import { specHash } from '../../edge-agent/decide/spec-hash.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { container, desiredPod } from '../build/pod.ts';
import { type Fate, ModelPod } from '../fakes/model-pod.ts';
import { spec } from '../spec.ts';

const names = ['a', 'b', 'c'];

const pods: fc.Arbitrary<DesiredPod> = fc
  .record({
    apps: fc.integer({ min: 1, max: 3 }),
    inits: fc.integer({ min: 0, max: 2 }),
    sidecar: fc.boolean(),
    policy: fc.constantFrom('Always' as const, 'OnFailure' as const, 'Never' as const),
    hostNetwork: fc.boolean(),
  })
  .map(({ apps, inits, sidecar, policy, hostNetwork }) =>
    desiredPod('p', {
      restartPolicy: policy,
      hostNetwork,
      containers: names.slice(0, apps).map((name) => container({ name })),
      initContainers: [
        ...['i', 'j'].slice(0, inits).map((name) => container({ name })),
        ...(sidecar ? [container({ name: 's', restartPolicy: 'Always' })] : []),
      ],
    }),
  );

/** Containers as an agent may find them: of any age, state, spec and generation, also ones that should not be. */
function found(pod: DesiredPod): fc.Arbitrary<ContainerView[]> {
  const planned = [
    ...plannedContainers(pod.spec).map((p) => ({ name: p.spec.name, role: p.role, hash: specHash(p.spec) })),
    { name: '', role: 'sandbox' as const, hash: '' },
    { name: 'stray', role: 'app' as const, hash: 'x' },
  ];
  const one = fc.record({
    which: fc.nat({ max: planned.length - 1 }),
    attempt: fc.nat({ max: 4 }),
    state: fc.constantFrom('created' as const, 'running' as const, 'exited' as const),
    exitCode: fc.constantFrom(0, 1),
    generation: fc.constantFrom('boot', 'earlier', 'old-0', 'old-1', 'old-2'),
    sameSpec: fc.boolean(),
  });
  return fc.uniqueArray(one, { maxLength: 8, selector: (c) => `${c.which}/${c.attempt}` }).map((list) =>
    list.map((c, i) => {
      const { name = '', role = 'app', hash = '' } = planned[c.which] ?? {};
      return {
        id: `old-${i}`,
        podUid: pod.metadata.uid,
        podName: 'p',
        podNamespace: 'default',
        name,
        role,
        attempt: c.attempt,
        specHash: c.sameSpec ? hash : 'other',
        generation: c.generation,
        state: c.state,
        image: 'busybox:2',
        imageId: 'sha256:1',
        stopSignal: 'SIGTERM',
        ...(c.state === 'created' ? {} : { startedAtMs: 1 }),
        ...(c.state === 'exited' ? { exitCode: c.exitCode, exitedMs: 0, finishedAtMs: 2 } : {}),
      };
    }),
  );
}

const found2 = pods.chain((pod) =>
  fc.record({ pod: fc.constant(pod), containers: found(pod), obeysTerm: fc.boolean() }),
);

function model(input: { pod: DesiredPod; containers: ContainerView[]; obeysTerm: boolean }): ModelPod {
  const world = new ModelPod(input.pod);
  world.containers = [...input.containers];
  world.obeysTerm = input.obeysTerm;
  return world;
}

/** Init containers found running end well some time. */
function settleInits(world: ModelPod): void {
  world.settle();
  const sidecars = plannedContainers(world.pod.spec).filter((p) => p.sidecar);
  const waiting = running(world).filter(
    (c) => c.role === 'init' && !sidecars.some((s) => s.spec.name === c.name),
  );
  if (waiting.length === 0 || world.memory.ended !== undefined) return;
  for (const init of waiting) world.exit(init.id, 0);
  settleInits(world);
}

const running = (world: ModelPod): ContainerView[] => world.containers.filter((c) => c.state === 'running');

spec(
  'nextPodAction, from any observed state',
  (it) => {
    it('reaches the desired state, and then rests', () => {
      fc.assert(
        fc.property(found2, (input) => {
          const world = model(input);
          settleInits(world);
          const live = running(world);
          const sandboxes = live.filter((c) => c.role === 'sandbox').length;
          if (world.memory.ended !== undefined) {
            assert.not.equal(input.pod.spec.restartPolicy, 'Always');
            assert.is(live.length, 0, 'a pod that ended runs nothing');
            return;
          }
          const planned = plannedContainers(input.pod.spec).filter((p) => p.role === 'app' || p.sidecar);
          for (const { spec: c } of planned) {
            const own = live.filter((v) => v.name === c.name && v.role !== 'sandbox');
            const mayRest = input.pod.spec.restartPolicy !== 'Always';
            if (own.length === 0 && mayRest) continue;
            assert.is(own.length, 1, `exactly one ${c.name}`);
            assert.is(own[0]?.specHash, specHash(c));
          }
          assert.is(sandboxes, needsSandbox(input.pod.spec) ? 1 : 0);
          assert.ok(live.every((c) => c.name !== 'stray'));
          for (const { spec: c } of plannedContainers(input.pod.spec)) {
            const dead = world.containers.filter((v) => v.name === c.name && v.state !== 'running');
            assert.ok(dead.length <= 2, 'dead containers are cleared away');
          }
        }),
        { numRuns: 1500 },
      );
    });

    it('ends an evicted pod for good: nothing of it runs again, also for an agent that starts anew', () => {
      fc.assert(
        fc.property(found2, fc.nat({ max: 30 }), fc.boolean(), (input, when, crash) => {
          const world = model(input);
          for (let i = 0; i < when; i++) {
            const action = nextPodAction(world.view());
            if (action.do === 'idle' || action.do === 'wait') break;
            world.perform(action);
          }
          if (world.memory.ended !== undefined) return;
          const eviction = { message: 'low', graceMs: 500 };
          world.memory = crash ? { ...newMemory(1_000_000, 0), eviction } : { ...world.memory, eviction };
          world.done.length = 0;
          world.settle();
          const { ended } = world.memory;
          assert.equal([ended?.phase, ended?.reason, ended?.message], ['Failed', 'Evicted', 'low']);
          assert.ok(ended?.conditions?.some((c) => c.type === 'DisruptionTarget' && c.status === 'True'));
          assert.is(running(world).length, 0);
          assert.ok(!world.done.some((what) => what === 'create' || what === 'start' || what === 'fetch'));
          assert.ok(world.done.includes('discard'), 'its volumes are given back');
          world.removed = true;
          world.settle();
          assert.equal([world.containers.length, world.memory.gone], [0, true]);
        }),
        { numRuns: 800 },
      );
    });

    it('leaves nothing of a deleted or removed pod', () => {
      fc.assert(
        fc.property(found2, fc.boolean(), (input, removed) => {
          const world = model(input);
          world.removed = removed;
          if (!removed)
            world.pod = {
              ...world.pod,
              metadata: { ...world.pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
            };
          world.settle();
          assert.ok(world.memory.gone);
          assert.equal(world.containers, []);
          assert.not(world.done.includes('create'));
          assert.not(world.done.includes('start'));
        }),
        { numRuns: 800 },
      );
    });

    it('never lets a restart count go down, whatever happens', () => {
      const fates = fc.dictionary(
        fc.constantFrom(...names, 'i', 's'),
        fc.constantFrom<Fate>('runs', 'succeeds', 'fails', 'cannot-start'),
      );
      const faults = fc.array(fc.tuple(fc.constantFrom('exit', 'lose', 'pass'), fc.nat({ max: 20 })), {
        maxLength: 25,
      });
      fc.assert(
        fc.property(pods, fates, faults, (pod, fate, list) => {
          const world = new ModelPod(pod);
          world.fates = fate;
          const seen = new Map<string, number>();
          for (const [what, number] of list) {
            world.settle(world.nowMs + 60_000);
            const victim = world.containers[number % Math.max(1, world.containers.length)];
            if (what === 'exit' && victim) world.exit(victim.id, 137);
            if (what === 'lose' && victim) world.containers = world.containers.filter((c) => c !== victim);
            if (what === 'pass') world.nowMs += number * 60_000;
            const status = world.status();
            for (const c of [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])]) {
              assert.ok(c.restartCount >= (seen.get(c.name) ?? 0), `${c.name} counted down`);
              seen.set(c.name, c.restartCount);
            }
          }
        }),
        { numRuns: 400 },
      );
    });

    it('touches nothing of a pod that is as it should be', () => {
      fc.assert(
        fc.property(pods, (pod) => {
          const world = new ModelPod(pod);
          world.settle();
          const before = JSON.stringify(world.containers);
          const again = new ModelPod(pod);
          again.containers = [...world.containers];
          again.settle();
          assert.is(JSON.stringify(again.containers), before);
        }),
        { numRuns: 300 },
      );
    });
  },
  { caseTimeoutMs: 60_000 },
);
