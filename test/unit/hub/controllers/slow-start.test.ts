import * as assert from 'uvu/assert';
import { Holds } from '../../../../hub/controllers/holds.ts';
import { slowStart } from '../../../../hub/controllers/slow-start.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

spec('slowStart', (it) => {
  const batches = async (count: number, first: number, most: number, failAt = 0): Promise<number[]> => {
    const sizes: number[] = [];
    let running = 0;
    let made = 0;
    const run = async (): Promise<void> => {
      if (running === 0) sizes.push(0);
      running++;
      made++;
      sizes[sizes.length - 1] = (sizes.at(-1) ?? 0) + 1;
      const fails = made === failAt;
      await Promise.resolve();
      running--;
      if (fails) throw new Error('full');
    };
    await slowStart(count, { first, most }, run).catch(() => undefined);
    return sizes;
  };

  it('doubles its batches up to the most', async () => {
    assert.equal(await batches(20, 1, 8), [1, 2, 4, 8, 5]);
    assert.equal(await batches(3, 16, 64), [3]);
    assert.equal(await batches(0, 1, 8), []);
  });

  it('ends with the batch in which something failed', async () => {
    assert.equal(await batches(20, 1, 8, 2), [1, 2]);
    const refused = slowStart(5, { first: 1, most: 8 }, () => Promise.reject(new Error('full')));
    assert.is(await refused.catch((error: Error) => error.message), 'full');
  });
});

spec('Holds', (it) => {
  it('doubles the wait while it goes on, and starts anew after a long good time', () => {
    const clock = new ManualClock();
    const holds = new Holds(clock, { baseMs: 1000, maxMs: 4000 });
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      holds.note('set', 'n1');
      waits.push(holds.leftMs('set', 'n1'));
      clock.stall(holds.leftMs('set', 'n1'));
    }
    assert.equal(waits, [1000, 2000, 4000, 4000]);
    assert.is(holds.leftMs('set', 'n2'), 0);
    clock.stall(8001);
    holds.note('set', 'n1');
    assert.is(holds.leftMs('set', 'n1'), 1000);
    holds.forget('set');
    assert.is(holds.leftMs('set', 'n1'), 0);
  });
});
