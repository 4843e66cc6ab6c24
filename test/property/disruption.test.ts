/** Budgets and evictions over random histories: what is let go never breaks the budget. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { countHealthy, type OwnerScale, rollUpBudget } from '../../hub/decide/disruption.ts';
import { mayDisrupt } from '../../hub/decide/disruption-verdict.ts';
import { judgeEviction, spendDisruption } from '../../hub/decide/eviction.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { budget } from '../build/budget.ts';
import { pod } from '../build/workloads.ts';
import { spec } from '../spec.ts';

const START_MS = Date.parse('2026-01-01T01:00:00Z');
const momentAt = (seconds: number) => {
  const atMs = START_MS + seconds * 1000;
  return { atMs, time: new Date(atMs).toISOString() };
};
const made = (name: string, ready = true): Pod => pod(name, { labels: { app: 'web' }, owner: 'rs', ready });

const amount = fc.oneof(
  fc.integer({ min: 0, max: 8 }),
  fc.integer({ min: 0, max: 100 }).map((n) => `${n}%`),
);
const budgetSpec = fc.oneof(
  amount.map((minAvailable) => ({ minAvailable })),
  amount.map((maxUnavailable) => ({ maxUnavailable })),
);
const step = fc.record({
  do: fc.constantFrom('evict', 'evict', 'mark', 'gone', 'fail', 'heal', 'sync'),
  which: fc.nat(),
});

/** A store, a controller and devices as a few lines: budget and pods change one step at a time. */
class History {
  pods: Pod[];
  pdb: PodDisruptionBudget;
  readonly #replicas: number;
  #made = 0;

  constructor(replicas: number, pdb: PodDisruptionBudget) {
    this.#replicas = replicas;
    this.pdb = pdb;
    this.pods = Array.from({ length: replicas }, (_, i) => made(`p${i}`));
  }

  sync(second: number): void {
    const scaleOf = (): OwnerScale => ({ ok: true, uid: 'd', replicas: this.#replicas });
    this.pdb = { ...this.pdb, status: rollUpBudget(this.pdb, this.pods, scaleOf, momentAt(second)).status };
  }

  set(old: Pod, next: Pod | undefined): void {
    this.pods = this.pods.flatMap((p) => (p === old ? (next === undefined ? [] : [next]) : [p]));
  }

  replace(old: Pod): void {
    this.set(old, made(`n${this.#made++}`));
  }
}

const leaving = (p: Pod): Pod => ({
  ...p,
  metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T01:00:00Z' },
});

spec('disruption budgets over time', (it) => {
  it('let nobody go that the budget needs, however old its status is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 }),
        budgetSpec,
        fc.array(step, { maxLength: 60 }),
        (replicas, given, steps) => {
          const history = new History(replicas, budget(given));
          history.sync(0);
          for (const [second, { do: what, which }] of steps.entries()) {
            const chosen = history.pods[which % history.pods.length];
            if (chosen === undefined) continue;
            if (what === 'sync') history.sync(second);
            if (what === 'fail') history.set(chosen, { ...made(chosen.metadata.name, false) });
            if (what === 'heal') history.set(chosen, made(chosen.metadata.name));
            if (what === 'gone' && chosen.metadata.deletionTimestamp !== undefined) history.replace(chosen);
            if (what === 'mark' && history.pdb.status?.disruptedPods?.[chosen.metadata.name] !== undefined)
              history.set(chosen, leaving(chosen));
            if (what !== 'evict' || judgeEviction(chosen, [history.pdb]).do !== 'spend') continue;
            const { disruptedPods = {}, desiredHealthy = 0 } = history.pdb.status ?? {};
            const healthy = countHealthy(history.pods, disruptedPods, momentAt(second).atMs);
            const spending = spendDisruption(history.pdb, chosen, healthy, momentAt(second));
            if (!spending.ok) continue;
            history.pdb = { ...history.pdb, status: spending.status };
            const after = countHealthy(
              history.pods,
              spending.status.disruptedPods ?? {},
              momentAt(second).atMs,
            );
            assert.ok(after >= desiredHealthy || after === healthy, `${after} of ${desiredHealthy}`);
            assert.ok(spending.status.disruptionsAllowed >= 0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('come to rest, and do not depend on the order of pods', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 10 }), budgetSpec, (ready, given) => {
        const pods = ready.map((isReady, i) => made(`p${i}`, isReady));
        const scaleOf = (): OwnerScale => ({ ok: true, uid: 'd', replicas: pods.length });
        const first = rollUpBudget(budget(given), pods, scaleOf, momentAt(0));
        assert.equal(rollUpBudget(budget(given), pods.toReversed(), scaleOf, momentAt(0)), first);
        const next = { ...budget(given), status: first.status };
        assert.not(rollUpBudget(next, pods, scaleOf, momentAt(9)).changed);
        const together = mayDisrupt([next], pods, momentAt(9)).filter((v) => v.ok);
        const loss = together.filter((v) => v.pod.status?.conditions?.[0]?.status === 'True').length;
        assert.ok(loss <= first.status.disruptionsAllowed);
      }),
      { numRuns: 300 },
    );
  });
});
