import * as assert from 'uvu/assert';
import type { StorePort } from '../../../../hub/api/ports.ts';
import { EventEncoder } from '../../../../hub/api/watch-events.ts';
import { WatchStream } from '../../../../hub/api/watch-stream.ts';
import type { Change } from '../../../../hub/cluster.ts';
import { createLogger } from '../../../../kit/logger.ts';
import { configMapKind } from '../../../../protocol/kinds/core-kinds.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

/** A watch of ConfigMaps whose client takes nothing until it is told to. */
class World {
  readonly clock = new ManualClock();
  readonly batches: (readonly string[])[] = [];
  ended = false;
  destroyed = false;
  readonly stream: WatchStream;
  #revision = 10;
  #listener: (change: Change) => void = () => undefined;
  #taken: () => void = () => undefined;

  constructor() {
    const store = {
      revision: this.#revision,
      watch: (_kind: string, _from: number, listener: (change: Change) => void) => {
        this.#listener = listener;
        return () => undefined;
      },
    } as Partial<StorePort> as StorePort;
    const log = createLogger('error', { write: () => undefined });
    this.stream = new WatchStream({
      spec: configMapKind,
      namespace: '',
      filter: undefined,
      bookmarks: true,
      markInitialEnd: false,
      projection: { as: 'object', include: 'None' },
      context: { store, encoder: new EventEncoder(), clock: this.clock, log },
      sink: {
        write: (lines, taken) => {
          this.batches.push(lines);
          this.#taken = taken;
        },
        end: () => {
          this.ended = true;
        },
        destroy: () => {
          this.destroyed = true;
        },
      },
    });
  }

  change(count: number, text = ''): void {
    for (let i = 0; i < count; i++) {
      this.#revision++;
      this.#listener({
        type: 'modified',
        kind: 'ConfigMap',
        revision: this.#revision,
        object: map(this.#revision, text),
      });
    }
  }

  take(): void {
    this.#taken();
  }

  /** Versions told so far, batch by batch. */
  get told(): number[][] {
    return this.batches.map((lines) =>
      lines.map((line) =>
        Number((JSON.parse(line) as { object: KubeObject }).object.metadata.resourceVersion),
      ),
    );
  }
}

function map(revision: number, text: string): KubeObject {
  const metadata = {
    name: 'a',
    namespace: 'n',
    uid: 'u',
    creationTimestamp: '',
    resourceVersion: String(revision),
  };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, ...{ data: { text } } };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

spec('WatchStream', (it) => {
  it('sends changes of one instant together, and the next once these are taken', async () => {
    const world = new World();
    world.stream.begin(10, []);
    world.change(3);
    assert.equal(world.told, []);
    await settled();
    world.change(2);
    await settled();
    assert.equal(world.told, [[11, 12, 13]]);
    world.take();
    assert.equal(world.told, [
      [11, 12, 13],
      [14, 15],
    ]);
  });

  it('sends the state first, in batches that are not large', async () => {
    const world = new World();
    world.stream.begin(10, [
      map(1, 'x'.repeat(10_000)),
      map(2, 'x'.repeat(10_000)),
      map(3, 'x'.repeat(100_000)),
      map(4, ''),
    ]);
    world.change(1);
    await settled();
    for (let i = 0; i < 3; i++) world.take();
    assert.equal(world.told, [[1, 2], [3], [4, 11]]);
  });

  it('cuts a reader that takes nothing for a minute while more waits', async () => {
    const world = new World();
    world.stream.begin(10, []);
    world.change(1);
    await settled();
    await world.clock.advance(120_000);
    assert.not.ok(world.destroyed, 'nothing waits');
    world.change(1);
    await world.clock.advance(59_000);
    assert.not.ok(world.destroyed);
    await world.clock.advance(2_000);
    assert.ok(world.destroyed);
    assert.is(world.batches.length, 1);
  });

  it('lets a reader be slow that takes something', async () => {
    const world = new World();
    world.stream.begin(10, []);
    for (let minute = 0; minute < 5; minute++) {
      world.change(10, 'x'.repeat(9_000));
      await settled();
      await world.clock.advance(50_000);
      world.take();
    }
    assert.not.ok(world.destroyed);
  });

  it('cuts a reader for whom more than 10,000 events wait', async () => {
    const world = new World();
    world.stream.begin(10, []);
    world.change(1);
    await settled();
    world.change(10_000);
    assert.not.ok(world.destroyed);
    world.change(1);
    assert.ok(world.destroyed);
  });

  it('tells a bookmark every minute, but never before what came earlier', async () => {
    const world = new World();
    world.stream.begin(10, []);
    await world.clock.advance(60_000);
    assert.match(world.batches[0]?.[0] ?? '', '"type":"BOOKMARK"');
    world.change(1);
    await settled();
    await world.clock.advance(60_000);
    assert.is(world.batches.length, 1, 'the first is not taken yet');
  });

  it('writes nothing after its end', async () => {
    const world = new World();
    world.stream.begin(10, []);
    world.change(1);
    world.stream.end();
    await settled();
    assert.equal(world.batches, []);
    assert.ok(world.ended);
  });
});
