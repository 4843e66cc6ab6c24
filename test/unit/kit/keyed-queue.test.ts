import * as assert from 'uvu/assert';
import { KeyedQueue } from '../../../kit/keyed-queue.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';
import { spec } from '../../spec.ts';

interface World {
  readonly clock: ManualClock;
  readonly queue: KeyedQueue;
  readonly runs: string[];
  readonly errors: string[];
  fail: boolean;
  hold?: Promise<void>;
}

function world(concurrency = 2): World {
  const clock = new ManualClock();
  const runs: string[] = [];
  const errors: string[] = [];
  const w: World = {
    clock,
    runs,
    errors,
    fail: false,
    queue: new KeyedQueue(
      async (key) => {
        runs.push(key);
        await w.hold;
        if (w.fail) throw new Error('no');
      },
      {
        clock,
        concurrency,
        backoff: { baseMs: 100, maxMs: 400 },
        onError: (key, _e, n, ms) => errors.push(`${key} ${n} ${ms}`),
      },
    ),
  };
  return w;
}

spec('KeyedQueue', (it) => {
  it('runs a key once for adds that come before it runs', async () => {
    const w = world();
    w.queue.add('a');
    w.queue.add('a');
    assert.equal(w.runs, [], 'add never runs work on the caller’s stack');
    await settle();
    assert.equal(w.runs, ['a']);
  });
  it('runs a key again when it was added while running, never twice at a time', async () => {
    const w = world();
    let release = (): void => undefined;
    w.hold = new Promise((resolve) => {
      release = resolve;
    });
    w.queue.add('a');
    await settle();
    w.queue.add('a');
    w.queue.add('a');
    await settle();
    assert.equal(w.runs, ['a']);
    release();
    await settle();
    assert.equal(w.runs, ['a', 'a']);
  });
  it('holds no more runs at once than allowed', async () => {
    const w = world(2);
    let release = (): void => undefined;
    w.hold = new Promise((resolve) => {
      release = resolve;
    });
    for (const key of ['a', 'b', 'c']) w.queue.add(key);
    await settle();
    assert.equal(w.runs, ['a', 'b']);
    release();
    await settle();
    assert.equal(w.runs, ['a', 'b', 'c']);
  });
  it('retries a failure with growing, bounded delays and forgets them after a success', async () => {
    const w = world();
    w.fail = true;
    w.queue.add('a');
    await w.clock.advance(100 + 200 + 400 + 400);
    assert.equal(w.errors, ['a 1 100', 'a 2 200', 'a 3 400', 'a 4 400', 'a 5 400']);
    w.fail = false;
    await w.clock.advance(400);
    w.fail = true;
    w.queue.add('a');
    await settle();
    assert.is(w.errors.at(-1), 'a 1 100');
  });
  it('looks again after the earliest of several delays', async () => {
    const w = world();
    w.queue.addAfter('a', 1000);
    w.queue.addAfter('a', 50);
    w.queue.addAfter('a', 2000);
    await w.clock.advance(60);
    assert.equal(w.runs, ['a']);
    assert.is(w.clock.pending, 0);
  });
  it('stops without losing the run under way', async () => {
    const w = world(1);
    let release = (): void => undefined;
    w.hold = new Promise((resolve) => {
      release = resolve;
    });
    w.queue.add('a');
    w.queue.add('b');
    w.queue.addAfter('c', 10);
    await settle();
    const stopped = w.queue.stop();
    release();
    await stopped;
    await w.clock.advance(100);
    assert.equal(w.runs, ['a']);
  });
});
