import * as assert from 'uvu/assert';
import { budgetsOf, type OwnerScale, rollUpBudget } from '../../../../hub/decide/disruption.ts';
import { mayDisrupt } from '../../../../hub/decide/disruption-verdict.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { budget } from '../../../build/budget.ts';
import { pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const NOW = { atMs: Date.parse('2026-01-01T01:00:00Z'), time: '2026-01-01T01:00:00Z' };
const labels = { app: 'web' };
const at = (agoS: number): string => new Date(NOW.atMs - agoS * 1000).toISOString();

/** Ready pods of one controller, then as many that are not. */
function pods(ready: number, unready = 0, owner = 'rs'): Pod[] {
  return Array.from({ length: ready + unready }, (_, i) =>
    pod(`p${i}`, { labels, node: 'n', owner, ready: i < ready }),
  );
}

const scale = (replicas: number) => (): OwnerScale => ({ ok: true, uid: 'deployment', replicas });

spec('rollUpBudget', (it) => {
  const cases = [
    // name, spec, pods, scale, [allowed, current, desired, expected]
    ['a number that must stay counts the pods there are', { minAvailable: 2 }, pods(3), 3, [1, 3, 2, 3]],
    ['nothing is allowed at the minimum', { minAvailable: 3 }, pods(3), 3, [0, 3, 3, 3]],
    ['a share that must stay is of the scale, rounded up', { minAvailable: '50%' }, pods(7), 7, [3, 7, 4, 7]],
    ['a number that may be away is of the scale', { maxUnavailable: 1 }, pods(4), 4, [1, 4, 3, 4]],
    ['pods not made yet are away', { maxUnavailable: 1 }, pods(3), 4, [0, 3, 3, 4]],
    ['a share that may be away is rounded up', { maxUnavailable: '30%' }, pods(4), 4, [2, 4, 2, 4]],
    ['more away than there are is all', { maxUnavailable: 10 }, pods(3), 3, [3, 3, 0, 3]],
    ['none away', { maxUnavailable: 0 }, pods(3), 3, [0, 3, 3, 3]],
    ['unready pods are away', { minAvailable: 1 }, pods(1, 2), 3, [0, 1, 1, 3]],
    ['without either nothing is allowed', {}, pods(3), 3, [0, 3, 0, 0]],
    ['without pods nothing is allowed', { minAvailable: 0 }, [], 0, [0, 0, 0, 0]],
  ] as const;
  for (const [name, budgetSpec, selected, replicas, expected] of cases) {
    it(name, () => {
      const { status } = rollUpBudget(budget(budgetSpec), selected, scale(replicas), NOW);
      const { disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods } = status;
      assert.equal([disruptionsAllowed, currentHealthy, desiredHealthy, expectedPods], [...expected]);
      const [condition] = status.conditions ?? [];
      const reason = disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods';
      assert.equal([condition?.type, condition?.reason], ['DisruptionAllowed', reason]);
    });
  }

  it('asks each controller once and adds them up', () => {
    const two = [
      ...pods(2),
      ...pods(2, 0, 'other').map((p, i) => ({ ...p, metadata: { ...p.metadata, name: `q${i}` } })),
    ];
    const asked: string[] = [];
    const { status } = rollUpBudget(
      budget({ maxUnavailable: '25%' }),
      two,
      ({ uid }) => {
        asked.push(uid);
        return { ok: true, uid, replicas: 2 };
      },
      NOW,
    );
    assert.equal(asked, ['rs', 'other']);
    assert.equal([status.expectedPods, status.disruptionsAllowed], [4, 1]);
  });

  it('names pods nobody controls', () => {
    const alone = [pod('alone', { labels })];
    assert.equal(rollUpBudget(budget({ maxUnavailable: 1 }), alone, scale(9), NOW).unmanaged, ['alone']);
  });

  it('allows nothing while a controller is unknown, and says so', () => {
    const before = budget({ maxUnavailable: 1 }, { disruptionsAllowed: 1, currentHealthy: 3 });
    const rollup = rollUpBudget(before, pods(3), () => undefined, NOW);
    assert.is(rollup.failure, 'found no controllers for pod "p0"');
    assert.is(rollup.status.disruptionsAllowed, 0);
    assert.is(rollup.status.currentHealthy, 3);
    assert.is(rollup.status.conditions?.[0]?.reason, 'SyncFailed');
  });

  it('counts a pod out whose eviction was let pass, for two minutes', () => {
    const early = budget({ minAvailable: 1 }, { disruptedPods: { p0: at(30) } });
    const rollup = rollUpBudget(early, pods(3), scale(3), NOW);
    assert.equal([rollup.status.currentHealthy, rollup.status.disruptionsAllowed], [2, 1]);
    assert.equal(rollup.status.disruptedPods, { p0: at(30) });
    assert.is(rollup.lookAgainMs, 90_000);
    const late = rollUpBudget(
      budget({ minAvailable: 1 }, { disruptedPods: { p0: at(121) } }),
      pods(3),
      scale(3),
      NOW,
    );
    assert.is(late.status.currentHealthy, 3);
    assert.is(late.status.disruptedPods, undefined);
    assert.equal(
      late.notDeleted.map((p) => p.metadata.name),
      ['p0'],
    );
  });

  it('forgets a pod once it is being deleted', () => {
    const [first, ...others] = pods(3);
    const leaving = { ...first, metadata: { ...first?.metadata, deletionTimestamp: at(1) } } as Pod;
    const noted = budget({ minAvailable: 1 }, { disruptedPods: { p0: at(5) } });
    const { status } = rollUpBudget(noted, [leaving, ...others], scale(3), NOW);
    assert.is(status.disruptedPods, undefined);
    assert.is(status.currentHealthy, 2);
  });

  it('has nothing to change the second time', () => {
    const before = budget({ minAvailable: 1 });
    const first = rollUpBudget(before, pods(3), scale(3), NOW);
    assert.ok(first.changed);
    const later = { atMs: NOW.atMs + 5000, time: at(-5) };
    assert.not(rollUpBudget({ ...before, status: first.status }, pods(3), scale(3), later).changed);
  });
});

spec('budgetsOf', (it) => {
  it('takes an empty selector for all pods and none for no pods', () => {
    const all = { ...budget(), spec: { selector: {} } };
    const none = { ...budget(), spec: {} };
    assert.equal(budgetsOf(pod('p', { labels }), [all, none]), [all]);
  });

  it('stays in its namespace', () => {
    const away = budget();
    away.metadata.namespace = 'other';
    assert.equal(budgetsOf(pod('p', { labels }), [away]), []);
  });
});

spec('mayDisrupt', (it) => {
  const verdicts = (budgets: Parameters<typeof mayDisrupt>[0], asked: readonly Pod[]): boolean[] =>
    mayDisrupt(budgets, asked, NOW).map((v) => v.ok);

  it('lets as many go together as the budget has, in their order', () => {
    const two = budget({ minAvailable: 1 }, { disruptionsAllowed: 2, desiredHealthy: 1, currentHealthy: 3 });
    assert.equal(verdicts([two], pods(3)), [true, true, false]);
  });

  it('takes from every budget of a pod', () => {
    const wide = budget({}, { disruptionsAllowed: 5 }, 'wide');
    const tight = budget({}, { disruptionsAllowed: 1 }, 'tight');
    const [, second] = mayDisrupt([wide, tight], pods(2), NOW);
    assert.is(second?.ok === false && second.budget.metadata.name, 'tight');
  });

  it('takes nothing for pods that are no loss', () => {
    const empty = budget({}, { desiredHealthy: 1, currentHealthy: 1, disruptedPods: { p0: at(3) } });
    const ended = pod('e', { labels, phase: 'Failed' });
    const leaving = pod('l', { labels, deleting: true });
    const pending = pod('w', { labels, phase: 'Pending', ready: false });
    const sick = pod('s', { labels, ready: false });
    assert.equal(verdicts([empty], [ended, leaving, pending, sick, ...pods(2)]), [
      ...[true, true, true, true, true, false],
    ]);
  });

  it('protects unready pods while the budget is not met, unless it always allows', () => {
    const short = { desiredHealthy: 2, currentHealthy: 1 };
    const sick = [pod('s', { labels, ready: false })];
    assert.equal(verdicts([budget({}, short)], sick), [false]);
    assert.equal(verdicts([budget({ unhealthyPodEvictionPolicy: 'AlwaysAllow' }, short)], sick), [true]);
  });

  it('allows nothing while the budget is not observed', () => {
    assert.equal(verdicts([budget({}, { disruptionsAllowed: 3, observedGeneration: 0 })], pods(1)), [false]);
  });
});
