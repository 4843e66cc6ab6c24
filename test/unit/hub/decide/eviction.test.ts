import * as assert from 'uvu/assert';
import { judgeEviction, spendDisruption } from '../../../../hub/decide/eviction.ts';
import { budget } from '../../../build/budget.ts';
import { pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const NOW = { atMs: Date.parse('2026-01-01T01:00:00Z'), time: '2026-01-01T01:00:00Z' };
const labels = { app: 'web' };
const ready = pod('p', { labels });
const sick = pod('s', { labels, ready: false });

spec('judgeEviction', (it) => {
  const met = { currentHealthy: 2, desiredHealthy: 2 };
  const missed = { currentHealthy: 1, desiredHealthy: 2 };
  const always = { unhealthyPodEvictionPolicy: 'AlwaysAllow' } as const;
  const cases = [
    ['no budget, no question', ready, [], 'delete'],
    ['a budget of others', pod('o', { labels: { app: 'other' } }), [budget()], 'delete'],
    ['a pod in its budget spends', ready, [budget()], 'spend'],
    ['two budgets are too many', ready, [budget(), budget({}, {}, 'b')], 'refuse'],
    ['pending is no loss', pod('w', { labels, phase: 'Pending' }), [budget()], 'delete exactly'],
    ['ended is no loss', pod('e', { labels, phase: 'Succeeded' }), [budget()], 'delete'],
    ['leaving is no loss', pod('l', { labels, deleting: true }), [budget()], 'delete'],
    ['unhealthy is no loss where the budget is met', sick, [budget({}, met)], 'delete exactly'],
    ['unhealthy counts where it is not', sick, [budget({}, missed)], 'spend'],
    ['unhealthy counts where nothing is wanted', sick, [budget({}, {})], 'spend'],
    ['AlwaysAllow frees the unhealthy', sick, [budget(always, missed)], 'delete exactly'],
    ['AlwaysAllow keeps the healthy', ready, [budget(always, missed)], 'spend'],
  ] as const;
  for (const [name, asked, budgets, expected] of cases) {
    it(name, () => {
      const verdict = judgeEviction(asked, budgets);
      const exactly = verdict.do === 'delete' && verdict.exact ? ' exactly' : '';
      assert.is(`${verdict.do}${exactly}`, expected);
    });
  }
});

spec('spendDisruption', (it) => {
  const two = { disruptionsAllowed: 2, currentHealthy: 4, desiredHealthy: 2, expectedPods: 4 };

  it('takes one and notes the pod', () => {
    const spending = spendDisruption(budget({}, two), ready, 4, NOW);
    assert.ok(spending.ok);
    assert.is(spending.ok && spending.status.disruptionsAllowed, 1);
    assert.equal(spending.ok && spending.status.disruptedPods, { p: NOW.time });
  });

  it('says at the last one that none is left', () => {
    const spending = spendDisruption(budget({}, { ...two, disruptionsAllowed: 1 }), ready, 3, NOW);
    assert.is(spending.ok && spending.status.conditions?.[0]?.reason, 'InsufficientPods');
  });

  it('takes one for a pod that is evicted twice', () => {
    const once = spendDisruption(budget({}, two), ready, 4, NOW);
    assert.ok(once.ok);
    const twice = spendDisruption(budget({}, once.ok ? once.status : {}), ready, 3, NOW);
    assert.is(twice.ok && twice.status.disruptionsAllowed, 1);
  });

  it('takes another for a younger pod of the same name', () => {
    const young = pod('p', { labels, created: '2026-01-01T00:59:59Z' });
    const noted = budget({}, { ...two, disruptedPods: { p: '2026-01-01T00:59:50Z' } });
    const spending = spendDisruption(noted, young, 4, NOW);
    assert.is(spending.ok && spending.status.disruptionsAllowed, 1);
  });

  const refused = [
    ['none left', { ...two, disruptionsAllowed: 0, currentHealthy: 2 }, 2, 'Exhausted', undefined],
    ['some left, but pods have failed since', two, 2, 'Exhausted', undefined],
    ['a spec not looked at yet', { ...two, observedGeneration: 0 }, 4, 'NotObserved', 10],
    ['a negative number', { ...two, disruptionsAllowed: -1 }, 4, 'Negative', undefined],
  ] as const;
  for (const [name, status, healthy, reason, retry] of refused) {
    it(`refuses: ${name}`, () => {
      const spending = spendDisruption(budget({}, status), ready, healthy, NOW);
      assert.not(spending.ok);
      if (!spending.ok) assert.equal([spending.reason, spending.retryAfterSeconds], [reason, retry]);
    });
  }

  it('counts down to what is healthy now when that is less than the status says', () => {
    const spending = spendDisruption(budget({}, { ...two, disruptionsAllowed: 5 }), ready, 3, NOW);
    assert.is(spending.ok && spending.status.disruptionsAllowed, 0);
  });
});
