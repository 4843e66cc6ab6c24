import * as assert from 'uvu/assert';
import { MinuteAlarm } from '../../../../hub/controllers/alarm.ts';
import { systemClock } from '../../../../kit/clock.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

/** The test's own pattern: nobody waits a minute here. */
const EVERY_SECOND = '* * * * * *';

spec('the alarm', (it) => {
  it('rings while it is set, and keeps no process alive', async () => {
    const alarm = new MinuteAlarm(systemClock, EVERY_SECOND);
    // Its own timers are let go of, so something else must keep this process until it rings.
    const hold = setInterval(() => undefined, 1000);
    await new Promise<void>((resolve) => {
      alarm.set(resolve);
      alarm.set(() => assert.unreachable('a second setting changes nothing'));
    });
    alarm.unset();
    clearInterval(hold);
  });

  it('has no timer when it is not set', () => {
    const clock = new ManualClock();
    const alarm = new MinuteAlarm(clock);
    assert.is(clock.pending, 0);
    alarm.set(() => undefined);
    assert.is(clock.pending, 1);
    alarm.unset();
    assert.is(clock.pending, 0);
  });

  it('rings at once when the clock was set back, because what was due may be due again later', async () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
    const alarm = new MinuteAlarm(clock);
    let rings = 0;
    alarm.set(() => {
      rings += 1;
    });
    await clock.advance(60_000);
    assert.is(rings, 0);
    clock.jumpWall(Date.UTC(2026, 0, 1, 3));
    await clock.advance(60_000);
    assert.is(rings, 1);
    alarm.unset();
  });
});
