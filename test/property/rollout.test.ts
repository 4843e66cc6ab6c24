import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { planRollout, type RolloutMember, rolloutBounds } from '../../hub/decide/rollout.ts';
import type { Deployment } from '../../protocol/kinds/workloads.ts';
import { applyActions, deployment, freshOf, member, replicaSet, settled } from '../build/workloads.ts';
import { spec } from '../spec.ts';

const IMAGES = ['a', 'b', 'c'] as const;
const count = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constantFrom('0%', '25%', '50%', '100%'));

const anyDeployment = fc
  .record({
    image: fc.constantFrom(...IMAGES),
    replicas: fc.integer({ min: 0, max: 12 }),
    maxSurge: count,
    maxUnavailable: count,
  })
  .map(({ image, replicas, ...rollingUpdate }) =>
    deployment(image, { replicas, strategy: { type: 'RollingUpdate', rollingUpdate } }),
  );

/** Any state a ReplicaSet can be seen in: also with pods still to be made or removed, and with some not available. */
const anyMembers = fc.uniqueArray(
  fc.record({
    image: fc.constantFrom(...IMAGES),
    replicas: fc.integer({ min: 0, max: 8 }),
    active: fc.integer({ min: 0, max: 10 }),
    available: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
    // For how many it was last scaled: another number than now is a change of size in the middle of a rollout.
    noted: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  }),
  { selector: (m) => m.image, maxLength: 3 },
);

interface State {
  readonly image: string;
  readonly replicas: number;
  readonly active: number;
  readonly available: number;
  readonly noted: number | undefined;
}

function membersOf(states: readonly State[]): RolloutMember[] {
  return states.map(({ image, replicas, active, available, noted }, age) => {
    const n = Math.floor(available * active);
    const annotations =
      noted === undefined
        ? {}
        : {
            'deployment.kubernetes.io/desired-replicas': String(noted),
            'deployment.kubernetes.io/max-replicas': String(noted + 2),
          };
    const rs = replicaSet(image, replicas, annotations, age);
    return member(rs, { active, ready: n, available: n, running: active });
  });
}

const total = (members: readonly RolloutMember[]): number =>
  members.reduce((n, m) => n + Math.max(m.rs.spec.replicas ?? 0, m.active), 0);
/** Available pods that are sure to stay when every ReplicaSet has settled. */
const sure = (members: readonly RolloutMember[]): number =>
  members.reduce((n, m) => n + Math.min(m.available, m.rs.spec.replicas ?? 0), 0);

spec('planRollout, in any state', (it) => {
  it('never raises the pods above the surge', () => {
    fc.assert(
      fc.property(anyDeployment, anyMembers, (wanted, states) => {
        const before = membersOf(states);
        const { replicas, maxSurge } = rolloutBounds(wanted);
        const after = applyActions(wanted, before, planRollout(wanted, before), 10);
        assert.ok(total(after) <= Math.max(total(before), replicas + maxSurge));
      }),
      { numRuns: 2000 },
    );
  });

  it('never takes available pods below the bound', () => {
    fc.assert(
      fc.property(anyDeployment, anyMembers, (wanted, states) => {
        const before = membersOf(states);
        const { replicas, maxUnavailable } = rolloutBounds(wanted);
        const after = applyActions(wanted, before, planRollout(wanted, before), 10);
        assert.ok(sure(after) >= Math.min(sure(before), replicas - maxUnavailable));
      }),
      { numRuns: 2000 },
    );
  });

  it('comes to an end: the new one has everything, and the next plan is empty', () => {
    fc.assert(
      fc.property(anyDeployment, anyMembers, (wanted, states) => {
        const last = converge(wanted, membersOf(states));
        assert.is(freshOf(wanted, last)?.rs.spec.replicas, wanted.spec.replicas);
        for (const m of last) if (m !== freshOf(wanted, last)) assert.is(m.rs.spec.replicas, 0);
        assert.equal(planRollout(wanted, last), []);
      }),
    );
  });

  it('comes to an end also when it is scaled on the way', () => {
    fc.assert(
      fc.property(anyDeployment, anyMembers, fc.integer({ min: 0, max: 20 }), (wanted, states, replicas) => {
        const early = applyActions(wanted, membersOf(states), planRollout(wanted, membersOf(states)), 10);
        const resized: Deployment = { ...wanted, spec: { ...wanted.spec, replicas } };
        const last = converge(resized, early);
        assert.is(freshOf(resized, last)?.rs.spec.replicas, replicas);
      }),
    );
  });

  it('does not care about the order it is told things in', () => {
    fc.assert(
      fc.property(anyDeployment, anyMembers, fc.infiniteStream(fc.nat()), (wanted, states, numbers) => {
        const members = membersOf(states);
        const keys = [...numbers.take(members.length)];
        const shuffled = members
          .map((m, i) => ({ m, key: keys[i] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ m }) => m);
        assert.equal(planRollout(wanted, shuffled), planRollout(wanted, members));
      }),
    );
  });
});

function converge(wanted: Deployment, start: readonly RolloutMember[]): RolloutMember[] {
  let members = settled(start);
  for (let round = 0; round < 100; round++) {
    const plan = planRollout(wanted, members);
    if (plan.length === 0) return members;
    members = settled(applyActions(wanted, members, plan, 100 + round));
  }
  throw new Error('still not at an end after 100 rounds');
}
