import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { planStatefulSet } from '../../hub/decide/stateful-set.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { StatefulSet } from '../../protocol/kinds/workloads.ts';
import {
  afterSteps,
  type MemberState,
  memberPod,
  ordinal,
  revision,
  statefulSet,
  stepText,
  worldOf,
} from '../build/stateful.ts';
import { spec } from '../spec.ts';

const STATES: readonly MemberState[] = ['pending', 'ready', 'fresh', 'failed', 'terminating'];

const anySet = fc
  .record({
    replicas: fc.integer({ min: 0, max: 6 }),
    start: fc.integer({ min: 0, max: 2 }),
    isOrdered: fc.boolean(),
    partition: fc.integer({ min: 0, max: 7 }),
    maxUnavailable: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    minReadySeconds: fc.constantFrom(0, 10),
  })
  .map(({ replicas, start, isOrdered, partition, maxUnavailable, minReadySeconds }) =>
    statefulSet({
      replicas,
      ordinals: { start },
      podManagementPolicy: isOrdered ? 'OrderedReady' : 'Parallel',
      minReadySeconds,
      updateStrategy: {
        type: 'RollingUpdate',
        rollingUpdate: { partition, ...(maxUnavailable === undefined ? {} : { maxUnavailable }) },
      },
    }),
  );

/** Any state the pods of a set can be seen in, none or one for each ordinal. */
const anyPods = fc
  .uniqueArray(
    fc.record({
      ordinal: fc.integer({ min: 0, max: 9 }),
      state: fc.constantFrom(...STATES),
      revision: fc.constantFrom('old', 'new'),
    }),
    { selector: (m) => m.ordinal, maxLength: 10 },
  )
  .map((members) => members.map((m) => memberPod(m.ordinal, m.state, m.revision)));

const texts = (set: StatefulSet, pods: readonly Pod[]): string[] =>
  planStatefulSet(set, worldOf(pods)).steps.map(stepText);
const isWell = ({ spec: { minReadySeconds } }: StatefulSet, pod: Pod | undefined): boolean =>
  pod?.metadata.deletionTimestamp === undefined &&
  pod?.status?.phase === 'Running' &&
  (minReadySeconds === 0 || pod.status.conditions?.[0]?.lastTransitionTime === '2026-01-01T00:00:00Z');

spec('planStatefulSet, in any state', (it) => {
  it('never makes a second pod of one ordinal, nor one outside its range', () => {
    fc.assert(
      fc.property(anySet, anyPods, (set, pods) => {
        const there = new Set(pods.map(ordinal));
        const { replicas = 0, ordinals } = set.spec;
        const start = ordinals?.start ?? 0;
        for (const step of planStatefulSet(set, worldOf(pods)).steps) {
          if (step.do !== 'create') continue;
          assert.not(there.has(step.ordinal));
          assert.ok(step.ordinal >= start && step.ordinal < start + replicas);
          there.add(step.ordinal);
        }
      }),
    );
  });

  it('starts and stops in order, one at a time, each only when those below are well', () => {
    fc.assert(
      fc.property(anySet, anyPods, (set, pods) => {
        if (set.spec.podManagementPolicy !== 'OrderedReady') return;
        const { steps } = planStatefulSet(set, worldOf(pods));
        const start = set.spec.ordinals?.start ?? 0;
        const byOrdinal = new Map(pods.map((pod) => [ordinal(pod), pod]));
        assert.ok(steps.filter((s) => s.do !== 'update').length <= 1);
        for (const step of steps) {
          const below =
            step.do === 'create' ? step.ordinal : step.do === 'recreate' ? ordinal(step.pod) : undefined;
          const end = below ?? start + (set.spec.replicas ?? 0);
          for (let n = start; n < end; n++)
            assert.ok(isWell(set, byOrdinal.get(n)), `${stepText(step)}: ${n}`);
        }
      }),
    );
  });

  it('respects partition and what may be away', () => {
    fc.assert(
      fc.property(anySet, anyPods, (set, pods) => {
        const { rollingUpdate } = set.spec.updateStrategy ?? {};
        const first = (set.spec.ordinals?.start ?? 0) + (rollingUpdate?.partition ?? 0);
        const { steps } = planStatefulSet(set, worldOf(pods));
        const updated = steps.flatMap((s) => (s.do === 'update' ? [s.pod] : []));
        assert.ok(updated.every((pod) => ordinal(pod) >= first && revision(pod) === 'old'));
        const well = updated.filter((pod) => isWell(set, pod)).length;
        assert.ok(
          well <= (rollingUpdate?.maxUnavailable === undefined ? 1 : Number(rollingUpdate.maxUnavailable)),
        );
        for (const step of steps)
          if (step.do === 'create') assert.is(step.revision, step.ordinal < first ? 'old' : 'new');
      }),
    );
  });

  it('gives the same plan for any order of the pods', () => {
    fc.assert(
      fc.property(
        anySet,
        anyPods.chain((pods) =>
          fc.tuple(fc.constant(pods), fc.shuffledSubarray(pods, { minLength: pods.length })),
        ),
        (set, [pods, shuffled]) => assert.equal(texts(set, shuffled), texts(set, pods)),
      ),
    );
  });

  it('comes to rest with its replicas, updated from the partition on', () => {
    fc.assert(
      fc.property(anySet, anyPods, (set, before) => {
        let pods: readonly Pod[] = before;
        for (let round = 0; round < 60; round++) {
          const { steps } = planStatefulSet(set, worldOf(pods));
          const next = afterSteps(pods, steps);
          if (steps.length === 0 && next.length === pods.length && texts(set, next).length === 0) break;
          pods = next;
        }
        const { replicas = 0, ordinals, updateStrategy } = set.spec;
        const start = ordinals?.start ?? 0;
        assert.equal(texts(set, pods), []);
        assert.equal(
          pods.map(ordinal).sort((a, b) => a - b),
          Array.from({ length: replicas }, (_, i) => start + i),
        );
        const first = start + (updateStrategy?.rollingUpdate?.partition ?? 0);
        assert.ok(pods.every((pod) => ordinal(pod) < first || revision(pod) === 'new'));
      }),
    );
  });
});
