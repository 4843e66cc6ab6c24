/** Watches against a clock that is told to move: the bookmark of every minute, and readers that do not read. */
import * as assert from 'uvu/assert';
import type { StorePort } from '../../../../hub/api/ports.ts';
import { EventEncoder } from '../../../../hub/api/watch-events.ts';
import type { WatchSink } from '../../../../hub/api/watch-sink.ts';
import { WatchStream } from '../../../../hub/api/watch-stream.ts';
import type { Change } from '../../../../hub/cluster.ts';
import { createLogger } from '../../../../kit/logger.ts';
import { configMapKind } from '../../../../protocol/kinds/core-kinds.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

/** A reader that can be told to stop reading. */
class Reader implements WatchSink {
  readonly lines: { type: string; object: { kind: string; metadata: Record<string, unknown> } }[] = [];
  isReading = true;
  fate = 'open';
  /** How many lines came at a time. */
  readonly batches: number[] = [];
  #taken: (() => void) | undefined;

  write(lines: readonly string[], taken: () => void): void {
    this.lines.push(...lines.map((line) => JSON.parse(line)));
    this.batches.push(lines.length);
    if (this.isReading) queueMicrotask(taken);
    else this.#taken = taken;
  }

  end(): void {
    this.fate = 'ended';
  }

  destroy(): void {
    this.fate = 'cut';
  }

  readOn(): void {
    this.isReading = true;
    this.takeOne();
  }

  /** Takes what it was sent last, and no more. */
  takeOne(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }
}

function world(options: { bookmarks?: boolean; markInitialEnd?: boolean } = {}) {
  const clock = new ManualClock();
  const complaints: string[] = [];
  const reader = new Reader();
  let listener: ((change: Change) => void) | undefined;
  const state = { revision: 1 };
  const store = {
    get revision() {
      return state.revision;
    },
    watch: (_kind: string, _from: number, told: (change: Change) => void) => {
      listener = told;
      return () => {
        listener = undefined;
      };
    },
  } as Pick<StorePort, 'revision' | 'watch'> as StorePort;
  const stream = new WatchStream({
    spec: configMapKind,
    namespace: '',
    filter: undefined,
    sink: reader,
    bookmarks: options.bookmarks ?? false,
    markInitialEnd: options.markInitialEnd ?? false,
    projection: { as: 'object', include: 'Object' },
    context: {
      store,
      encoder: new EventEncoder(),
      clock,
      log: createLogger('warn', { write: (line) => void complaints.push(line) }),
    },
  });
  const change = (): void => {
    const version = String(++state.revision);
    const change: Change = {
      type: 'added',
      kind: 'ConfigMap',
      object: map(version),
      revision: state.revision,
    };
    listener?.(change);
  };
  return { clock, reader, stream, change, state, complaints, isWatching: () => listener !== undefined };
}

const map = (resourceVersion: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: `m${resourceVersion}`, uid: 'u', resourceVersion, creationTimestamp: '' },
});

spec('WatchStream', (it) => {
  it('sends a bookmark a minute, of the newest version there is', async () => {
    const { clock, reader, stream, state } = world({ bookmarks: true });
    stream.begin(1, []);
    await clock.advance(59_000);
    assert.equal(reader.lines, []);
    state.revision = 7;
    await clock.advance(1_000);
    const object = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: '7' } };
    assert.equal(reader.lines, [{ type: 'BOOKMARK', object }]);
    state.revision = 9;
    await clock.advance(120_000);
    assert.equal(
      reader.lines.map((line) => line.object.metadata['resourceVersion']),
      ['7', '9', '9'],
    );
  });

  it('sends none to those who did not ask', async () => {
    const { clock, reader, stream } = world();
    stream.begin(1, []);
    await clock.advance(600_000);
    assert.equal(reader.lines, []);
    assert.is(clock.pending, 0);
  });

  it('sends no bookmark past events that wait, but the next one after they are taken', async () => {
    const { clock, reader, stream, change } = world({ bookmarks: true });
    stream.begin(1, []);
    await clock.advance(30_000);
    reader.isReading = false;
    change();
    change();
    await clock.advance(0);
    change();
    await clock.advance(30_000);
    assert.equal(
      reader.lines.map((line) => line.type),
      ['ADDED', 'ADDED'],
    );
    reader.readOn();
    await clock.advance(60_000);
    assert.equal(
      reader.lines.map((line) => `${line.type} ${line.object.metadata['resourceVersion']}`),
      ['ADDED 2', 'ADDED 3', 'ADDED 4', 'BOOKMARK 4'],
    );
  });

  it('marks the end of the initial state once, after it', async () => {
    const { clock, reader, stream } = world({ bookmarks: true, markInitialEnd: true });
    stream.begin(5, [map('3'), map('4')]);
    await clock.advance(1_000);
    assert.equal(
      reader.lines.map((line) => line.type),
      ['ADDED', 'ADDED', 'BOOKMARK'],
    );
    assert.equal(reader.lines[2]?.object.metadata, {
      resourceVersion: '5',
      annotations: { 'k8s.io/initial-events-end': 'true' },
    });
  });

  it('cuts a reader that takes nothing for a minute while something waits', async () => {
    const { clock, reader, stream, change, complaints, isWatching } = world({ bookmarks: true });
    stream.begin(1, []);
    reader.isReading = false;
    change();
    await clock.advance(90_000);
    change();
    await clock.advance(59_999);
    assert.is(reader.fate, 'open', 'nothing waited at first');
    await clock.advance(1);
    assert.is(reader.fate, 'cut');
    assert.not.ok(isWatching());
    assert.is(clock.pending, 0, 'no timer is left');
    assert.is(complaints.length, 1);
    assert.match(complaints[0] ?? '', 'watch cut off');
  });

  it('gives a reader a new minute whenever it takes something', async () => {
    const { clock, reader, stream, change } = world();
    stream.begin(1, []);
    reader.isReading = false;
    for (let i = 0; i < 5; i++) {
      change();
      await clock.advance(50_000);
      reader.takeOne();
    }
    reader.readOn();
    await clock.advance(600_000);
    assert.equal([reader.fate, reader.lines.length], ['open', 5]);
  });

  it('never cuts a reader to whom nothing is said', async () => {
    const { clock, reader, stream } = world({ bookmarks: true });
    stream.begin(1, []);
    await clock.advance(24 * 3_600_000);
    assert.equal([reader.fate, reader.lines.length], ['open', 24 * 60]);
  });

  it('cuts at once when too much waits', () => {
    const { reader, stream, change, isWatching } = world();
    stream.begin(1, []);
    reader.isReading = false;
    for (let i = 0; i < 10_002; i++) change();
    assert.is(reader.fate, 'cut');
    assert.not.ok(isWatching());
  });

  it('writes nothing after its end, and leaves no timer', async () => {
    const { clock, reader, stream, change } = world({ bookmarks: true });
    stream.begin(1, []);
    stream.end();
    change();
    await clock.advance(600_000);
    assert.equal([reader.fate, reader.lines.length, clock.pending], ['ended', 0, 0]);
  });

  it('sends changes of one instant together, and the next once these are taken', async () => {
    const { clock, reader, stream, change } = world();
    stream.begin(1, []);
    reader.isReading = false;
    for (let i = 0; i < 3; i++) change();
    assert.equal(reader.batches, []);
    await clock.advance(0);
    for (let i = 0; i < 2; i++) change();
    await clock.advance(0);
    assert.equal(reader.batches, [3]);
    reader.takeOne();
    assert.equal(reader.batches, [3, 2]);
  });

  it('sends batches that are not large, the state first', async () => {
    const { clock, reader, stream, change } = world();
    stream.begin(1, [map('x'.repeat(6_000)), map('y'.repeat(6_000)), map('z'.repeat(100_000)), map('5')]);
    change();
    await clock.advance(0);
    assert.equal(reader.batches, [2, 1, 2]);
  });
});
