import * as assert from 'uvu/assert';
import type { ClusterClient } from '../../../../hub/cluster.ts';
import { EventRecorder } from '../../../../hub/events/event-recorder.ts';
import { silentLogger } from '../../../../kit/logger.ts';
import type { Event } from '../../../../protocol/kinds/core.ts';
import { ApiError } from '../../../../protocol/status.ts';
import { ManualClock, settle } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

function setUp(maxPerNamespace?: number): {
  recorder: EventRecorder;
  stored: Map<string, Event>;
  clock: ManualClock;
} {
  const stored = new Map<string, Event>();
  const clock = new ManualClock();
  const client = {
    create: async (_kind: string, object: Event) => {
      if (object.metadata.namespace === 'gone') throw new ApiError('NotFound', 'no namespace');
      stored.set(object.metadata.name, structuredClone(object));
      return object;
    },
    modify: async (
      _kind: string,
      _ns: string,
      name: string,
      change: (draft: Event) => boolean | undefined,
    ) => {
      const draft = stored.get(name);
      if (draft !== undefined) change(draft);
      return draft;
    },
    delete: async (_kind: string, _ns: string, name: string) => void stored.delete(name),
  } as unknown as ClusterClient;
  const recorder = new EventRecorder({
    client,
    clock,
    log: silentLogger,
    component: 'test',
    ...(maxPerNamespace === undefined ? {} : { maxPerNamespace }),
  });
  return { recorder, stored, clock };
}

const note = (
  message: string,
  name = 'p',
  namespace = 'default',
): Parameters<EventRecorder['record']>[0] => ({
  involved: { kind: 'Pod', namespace, name, uid: `uid-${name}` },
  type: 'Normal',
  reason: 'Tested',
  message,
});

spec('EventRecorder', (it) => {
  it('counts the same thing said again', async () => {
    const { recorder, stored, clock } = setUp();
    recorder.record(note('a'));
    await clock.advance(2_000);
    recorder.record(note('a'));
    recorder.record(note('a'));
    recorder.record(note('b'));
    await settle();
    const [first, second] = [...stored.values()];
    assert.is(stored.size, 2);
    assert.equal(
      [first?.count, first?.firstTimestamp, first?.lastTimestamp],
      [3, '2026-01-01T00:00:00Z', '2026-01-01T00:00:02Z'],
    );
    assert.is(second?.count, 1);
  });

  it('lets one stand for all that differ in their message alone, from the tenth within ten minutes on', async () => {
    const { recorder, stored, clock } = setUp();
    for (let i = 0; i < 30; i++) recorder.record(note(`made ${i}`));
    recorder.record(note('made 3'));
    recorder.record(note('another', 'q'));
    await settle();
    const shown = [...stored.values()].map((e) => `${e.count} ${e.message}`);
    assert.equal(shown.slice(0, 4), ['1 made 0', '1 made 1', '1 made 2', '2 made 3']);
    assert.equal(shown.slice(8), ['1 made 8', '21 (combined from similar events): made 29', '1 another']);
    await clock.advance(600_000);
    recorder.record(note('made 30'));
    await settle();
    assert.is([...stored.values()].at(-1)?.message, 'made 30');
  });

  it('names events in the order they were told, also within one instant and when the clock goes back', async () => {
    const { recorder, stored, clock } = setUp();
    const told = ['scheduled', 'pulled', 'created', 'started'];
    for (const message of told) recorder.record(note(message));
    clock.jumpWall(clock.nowMs() - 60_000);
    recorder.record(note('killed'));
    await settle();
    const byName = [...stored.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    assert.equal(
      byName.map((e) => e.message),
      [...told, 'killed'],
    );
    for (const { metadata } of byName) assert.match(metadata.name, /^p\.[0-9a-f]{16}$/);
  });

  it('lets a new message replace the old where asked to', async () => {
    const { recorder, stored } = setUp();
    recorder.record({ ...note('5 free'), replaces: true });
    await settle();
    recorder.record({ ...note('4 free'), replaces: true });
    await settle();
    assert.equal(
      [...stored.values()].map((e) => [e.message, e.count]),
      [['4 free', 2]],
    );
  });

  it('keeps no more than its bound, the newest', async () => {
    const { recorder, stored } = setUp(3);
    for (let i = 0; i < 10; i++) {
      recorder.record(note(`m${i}`));
      await settle(1);
    }
    await settle();
    assert.equal(
      [...stored.values()].map((e) => e.message),
      ['m7', 'm8', 'm9'],
    );
  });

  it('drops what cannot be written, and writes anew what was deleted', async () => {
    const { recorder, stored } = setUp();
    recorder.record(note('x', 'p', 'gone'));
    recorder.record(note('y'));
    await settle();
    assert.equal(
      [...stored.values()].map((e) => e.message),
      ['y'],
    );
    stored.clear();
    recorder.record(note('y'));
    await settle();
    assert.equal(
      [...stored.values()].map((e) => [e.message, e.count]),
      [['y', 2]],
    );
    await recorder.stop();
  });
});
