import * as assert from 'uvu/assert';
import { Refusals } from '../../../../hub/broker/refusals.ts';
import { Takeovers } from '../../../../hub/broker/takeovers.ts';
import type { LogFields, Logger } from '../../../../kit/logger.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

spec('Takeovers', (it) => {
  it('finds two devices that take the connection from each other', async () => {
    const clock = new ManualClock();
    const takeovers = new Takeovers(clock);
    const found: boolean[] = [];
    for (let i = 0; i < 5; i++) {
      found.push(takeovers.connected('w1', i > 0));
      await clock.advance(2_000);
    }
    assert.equal(found, [false, false, false, true, true]);
  });

  it('lets one device come back over its own lost connection', async () => {
    const clock = new ManualClock();
    const takeovers = new Takeovers(clock);
    for (let i = 0; i < 20; i++) {
      assert.is(takeovers.connected('w1', i > 0), false);
      await clock.advance(40_000);
    }
  });
});

spec('Refusals', (it) => {
  it('counts all, logs once a minute', async () => {
    const lines: LogFields[] = [];
    const log: Logger = { ...silentLogger, warn: (_text, fields = {}) => lines.push(fields) };
    const clock = new ManualClock();
    const refusals = new Refusals(clock, log);
    for (let i = 0; i < 10; i++) refusals.add('w1', 'Retained');
    refusals.add('w2', 'Retained');
    await clock.advance(61_000);
    refusals.add('w1', 'Retained');
    assert.equal(
      lines.map((l) => [l['node'], l['unlogged']]),
      [
        ['w1', 0],
        ['w2', 0],
        ['w1', 9],
      ],
    );
    assert.is(refusals.total('Retained'), 12);
    assert.is(refusals.total('Retained', 'w1'), 11);
  });
});
