import * as assert from 'uvu/assert';
import { DEFAULT_REBALANCE_TIMES, rebalanceTimes } from '../../../../hub/decide/rebalance-times.ts';
import { spec } from '../../../spec.ts';

const MINUTE_MS = 60_000;

spec('rebalanceTimes', (it) => {
  it('are minutes unless told otherwise', () => {
    assert.equal(DEFAULT_REBALANCE_TIMES, {
      longMs: 5 * MINUTE_MS,
      stretchMs: 10_000,
      gapMs: 10_000,
      newcomerMs: 30_000,
      minAgeMs: 3 * MINUTE_MS,
      standingMs: 3 * MINUTE_MS,
      shortStandingMs: MINUTE_MS,
      stirredMs: 10 * MINUTE_MS,
      settlingMs: MINUTE_MS,
      lookAgainMs: MINUTE_MS,
      gatherMs: 2_000,
      spacingMs: 10_000,
    });
  });

  it('keep their proportion, and the hub looks no more seldom for being patient', () => {
    const { gatherMs, spacingMs, ...patient } = rebalanceTimes(50 * MINUTE_MS);
    const { gatherMs: gather, spacingMs: spacing, ...usual } = DEFAULT_REBALANCE_TIMES;
    assert.equal(
      Object.values(patient),
      Object.values(usual).map((ms) => 10 * ms),
    );
    assert.equal([gatherMs, spacingMs], [gather, spacing]);
    assert.ok(rebalanceTimes(10_000).spacingMs < 1_000);
  });
});
