import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { isActive, isAvailable, isReady, isTerminal } from '../../hub/decide/pod-facts.ts';
import { PodTally, tallyOf } from '../../hub/decide/pod-tally.ts';
import { isMoving, MOVING, missingReplicas, planReplicas } from '../../hub/decide/replicas.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { pod, replicaSet } from '../build/workloads.ts';
import { spec } from '../spec.ts';

const START_MS = Date.parse('2026-01-01T00:00:00Z');
const wanted = replicaSet('a', 3);
const labels = wanted.spec.selector.matchLabels ?? {};

/** A pod in one of the states that its owner tells apart. */
const state = fc.record({
  ready: fc.boolean(),
  deleting: fc.boolean(),
  phase: fc.constantFrom('Running' as const, 'Pending' as const, 'Failed' as const, 'Succeeded' as const),
  sinceS: fc.nat(100),
  moving: fc.boolean(),
  strange: fc.boolean(),
});
type State = typeof state extends fc.Arbitrary<infer T> ? T : never;

function made({ sinceS, moving, strange, ...parts }: State, i: number): Pod {
  const since = new Date(START_MS + sinceS * 1000).toISOString();
  const base = pod(`p-${i}`, {
    ...parts,
    owner: wanted.metadata.uid,
    node: 'n',
    labels: strange ? {} : labels,
  });
  const conditions = base.status?.conditions?.map((c) => ({ ...c, lastTransitionTime: since })) ?? [];
  return {
    ...base,
    metadata: { ...base.metadata, uid: `u-${i}`, ...(moving && { annotations: { [MOVING]: since } }) },
    status: { ...base.status, conditions },
  };
}

spec('PodTally', (it) => {
  it('says what looking at every pod says, whatever came and went', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(state, state), { maxLength: 12 }),
        fc.nat(60),
        fc.nat(120),
        (pairs, minReady, atS) => {
          const tally = new PodTally();
          const before = pairs.map(([a], i) => made(a, i));
          const after = pairs.map(([, b], i) => made(b, i));
          for (const p of before) tally.add(p);
          for (const [i, p] of after.entries()) {
            tally.remove(before[i] as Pod);
            if (i % 3 !== 0) tally.add(p);
          }
          const left = after.filter((_, i) => i % 3 !== 0);
          const active = left.filter(isActive);
          const nowMs = START_MS + atS * 1000;
          assert.is(tally.total, left.length);
          assert.is(tally.active, active.length);
          assert.is(tally.running, left.filter((p) => !isTerminal(p)).length);
          assert.is(tally.ready, active.filter(isReady).length);
          assert.is(tally.moving, active.filter(isMoving).length);
          assert.is(
            tally.available(minReady, nowMs),
            active.filter((p) => isAvailable(p, minReady, nowMs)).length,
          );
          assert.is(
            tally.labelled((l) => l?.['app'] === 'web'),
            active.filter((p) => p.metadata.labels?.['app'] === 'web').length,
          );
          const next = tally.nextAvailableMs(minReady, nowMs);
          if (next !== undefined)
            assert.ok(tally.available(minReady, nowMs + next) > tally.available(minReady, nowMs));
        },
      ),
    );
  });

  it('knows how many pods are missing without looking at them, or leaves it to the plan', () => {
    fc.assert(
      fc.property(fc.array(state, { maxLength: 8 }), fc.nat(8), (states, replicas) => {
        const pods = states.map(made);
        const rs = { ...wanted, spec: { ...wanted.spec, replicas } };
        const missing = missingReplicas(rs, tallyOf(pods), false);
        if (missing === undefined) return;
        assert.equal(planReplicas(rs, pods), { create: missing, remove: [], adopt: [], release: [] });
      }),
    );
  });
});
