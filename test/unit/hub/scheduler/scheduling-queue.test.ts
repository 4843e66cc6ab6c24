import * as assert from 'uvu/assert';
import { podToPlace } from '../../../../hub/decide/pod-to-place.ts';
import { Heap } from '../../../../hub/scheduler/heap.ts';
import { SchedulingQueue, type Waiting } from '../../../../hub/scheduler/scheduling-queue.ts';
import { podObject } from '../../../build/scheduling.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

class Queue {
  readonly clock = new ManualClock();
  readonly queue = new SchedulingQueue(this.clock, () => this.woken++);
  woken = 0;

  add(...names: string[]): void {
    for (const name of names) this.queue.add({ uid: name, namespace: '', name, priority: 0 });
  }

  /** Names of all that may be tried now; each is parked again with its class. */
  tryAll(classOf: (name: string) => string = () => 'class'): string {
    const taken: Waiting[] = [];
    for (let next = this.queue.take(); next !== undefined; next = this.queue.take()) taken.push(next);
    for (const waiting of taken) this.park(waiting, classOf(waiting.name));
    return taken.map((w) => w.name).join('');
  }

  park(waiting: Waiting, key: string): void {
    this.queue.park(waiting, key, podToPlace(podObject(waiting.name)), new Set(['resources']));
  }

  releaseAll(): void {
    for (const parked of this.queue.parked()) this.queue.release(parked);
  }

  get parkedKeys(): string {
    return [...this.queue.parked()].map((p) => p.key).join('');
  }
}

spec('the scheduling queue', (it) => {
  it('gives the important first, then by arrival', () => {
    const { queue } = new Queue();
    for (const [name, priority] of [
      ['a', 0],
      ['b', 5],
      ['c', 0],
      ['d', 5],
    ] as const)
      queue.add({ uid: name, namespace: '', name, priority });
    assert.is([1, 2, 3, 4].map(() => queue.take()?.name).join(''), 'bdac');
    assert.is(queue.take(), undefined);
  });

  it('knows a pod once, and one that is removed not at all', () => {
    const world = new Queue();
    world.add('a', 'b', 'a');
    assert.is(world.queue.size, 2);
    world.queue.remove('a');
    assert.is(world.queue.take()?.name, 'b');
    assert.is(world.queue.take(), undefined);
  });

  it('leaves parked pods alone, and sets no timer for them', async () => {
    const world = new Queue();
    world.add('a', 'b');
    assert.is(world.tryAll(), 'ab');
    const { woken } = world;
    await world.clock.advance(60_000);
    assert.is(world.woken, woken);
    assert.is(world.queue.take(), undefined);
  });

  it('lets one of a class try, after its backoff, and no other while that has not found anything', async () => {
    const world = new Queue();
    world.add('a', 'b', 'c');
    world.tryAll();
    world.releaseAll();
    world.releaseAll();
    assert.is(world.queue.take(), undefined);
    await world.clock.advance(200);
    assert.is(world.tryAll(), 'a');
    await world.clock.advance(60_000);
    assert.is(world.tryAll(), '');
  });

  it('lets the next follow as long as each finds a node', async () => {
    const world = new Queue();
    world.add('a', 'b', 'c');
    world.tryAll();
    await world.clock.advance(1_000);
    world.releaseAll();
    for (const name of ['a', 'b']) {
      const next = world.queue.take();
      assert.is(next?.name, name);
      if (next !== undefined) world.queue.placed(next);
    }
    assert.is(world.tryAll(), 'c');
    assert.is(world.queue.size, 1);
    assert.is(world.tryAll(), '');
  });

  it('lets the next follow one that is deleted on its way', async () => {
    const world = new Queue();
    world.add('a', 'b');
    world.tryAll();
    await world.clock.advance(1_000);
    world.releaseAll();
    world.queue.remove('a');
    assert.is(world.tryAll(), 'b');
  });

  it('releases classes one by one', async () => {
    const world = new Queue();
    world.add('a', 'b', 'c');
    world.tryAll((name) => (name === 'b' ? 'y' : 'x'));
    assert.is(world.parkedKeys, 'xy');
    await world.clock.advance(1_000);
    for (const parked of world.queue.parked()) if (parked.key === 'y') world.queue.release(parked);
    assert.is(world.parkedKeys, 'x');
    assert.is(
      world.tryAll(() => 'y'),
      'b',
    );
    for (const name of ['a', 'c']) world.queue.remove(name);
    assert.is(world.parkedKeys, 'y');
  });

  it('tries a pod that changed by itself, and then files it under what it has become', async () => {
    const world = new Queue();
    world.add('a', 'b');
    world.tryAll();
    await world.clock.advance(1_000);
    world.queue.retry('b');
    assert.is(
      world.tryAll(() => 'new'),
      'b',
    );
    assert.is(world.parkedKeys, 'classnew');
  });

  it('lets the others of its class have their answer when one that tries for them has changed', async () => {
    const world = new Queue();
    world.add('a', 'b');
    world.tryAll();
    await world.clock.advance(1_000);
    world.releaseAll();
    const scout = world.queue.take();
    if (scout !== undefined) world.park(scout, 'new');
    assert.is(world.tryAll(), 'b');
  });

  it('waits longer after each failure, up to a limit', async () => {
    const world = new Queue();
    world.add('a');
    const waits: number[] = [];
    let waiting = world.queue.take();
    while (waiting !== undefined && waits.length < 8) {
      const failedAtMs = world.clock.monotonicMs();
      world.queue.failed(waiting);
      waiting = undefined;
      while (waiting === undefined) {
        await world.clock.advance(100);
        waiting = world.queue.take();
      }
      waits.push(world.clock.monotonicMs() - failedAtMs);
    }
    assert.equal(waits, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  });
});

spec('the heap', (it) => {
  it('gives what was put in, smallest first', () => {
    const heap = new Heap<number>((a, b) => a < b);
    const numbers = Array.from({ length: 200 }, (_, i) => (i * 7919) % 101);
    for (const n of numbers) heap.push(n);
    const out = numbers.map(() => heap.pop());
    assert.equal(
      out,
      numbers.toSorted((a, b) => a - b),
    );
    assert.is(heap.pop(), undefined);
    assert.is(heap.size, 0);
  });
});
