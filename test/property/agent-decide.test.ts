import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { applyDesired, type HeldState, indexOf, NOTHING_HELD } from '../../edge-agent/decide/desired-step.ts';
import { Outbox } from '../../edge-agent/decide/outbox.ts';
import {
  decideTelemetry,
  TELEMETRY_STEPS,
  type TelemetryMemory,
} from '../../edge-agent/decide/telemetry-policy.ts';
import type { DesiredMessage, Item } from '../../protocol/wire/messages.ts';
import { fullSet, podItem, podReport } from '../build/desired.ts';
import { spec } from '../spec.ts';

const uid = fc.constantFrom('a', 'b', 'c', 'd');
const item = fc.tuple(uid, fc.constantFrom('1', '2')).map(([u, rev]) => podItem(u, rev));
const unique = (items: readonly Item[]): Item[] => [...new Map(items.map((i) => [i.key, i])).values()];
const message: fc.Arbitrary<DesiredMessage> = fc
  .record({
    cluster: fc.constantFrom('c1', 'c1', 'c1', 'c2'),
    gen: fc.nat({ max: 6 }),
    base: fc.option(fc.nat({ max: 6 })),
    items: fc.array(item, { maxLength: 4 }).map(unique),
    named: fc.array(item, { maxLength: 4 }).map(unique),
    del: fc.array(
      uid.map((u) => `pod/${u}`),
      { maxLength: 2 },
    ),
    more: fc.boolean(),
  })
  .map(({ named, items, more, ...rest }) =>
    fullSet(rest.gen, named, { ...rest, items, ...(more ? { more } : {}) }),
  );

/** The hub's truth through time: generations rise, each with its own items. */
const history = fc.array(fc.array(item, { maxLength: 4 }).map(unique), { minLength: 1, maxLength: 12 });

spec('agent decisions, properties', (it) => {
  it('takes a pod away only on the word of its own hub, not older than what is held', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
        let held: HeldState = { cluster: 'c1', gen: 2, items: new Map([['pod/a', podItem('a')]]) };
        for (const m of messages) {
          const step = applyDesired(held, m);
          if (step.do !== 'accept') continue;
          const lost = [...held.items.keys()].filter((key) => !step.next.items.has(key));
          assert.equal([...step.del].sort(), lost.sort());
          assert.ok(step.next.gen >= held.gen);
          assert.is(m.cluster, held.cluster);
          for (const key of lost) {
            const isNamed = m.base === null ? !Object.hasOwn(m.set, key) : m.del.includes(key);
            assert.ok(isNamed, `${key} went without a word`);
          }
          held = step.next;
        }
      }),
      { numRuns: 500 },
    );
  });

  it('converges to the newest truth through loss, repeats and reordering', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat({ max: 3 })), (truths, luck) => {
        let held = NOTHING_HELD;
        const wire: DesiredMessage[] = [];
        let before: { gen: number; items: Item[] } = { gen: 0, items: [] };
        const receive = (m: DesiredMessage): void => {
          const step = applyDesired(held, m);
          if (step.do === 'accept') held = step.next;
        };
        truths.forEach((items, i) => {
          const gen = i + 1;
          const set = Object.fromEntries(items.map((x) => [x.key, x.rev]));
          const del = before.items.filter((x) => !Object.hasOwn(set, x.key)).map((x) => x.key);
          wire.push(fullSet(gen, items, { base: before.gen, set, del }));
          before = { gen, items };
          const fate = luck.next().value;
          if (fate === 0) wire.pop();
          if (fate === 1 && wire[0] !== undefined) wire.push(wire[0]);
          if (fate === 2) wire.reverse();
          if (fate === 3) for (const m of wire.splice(0)) receive(m);
        });
        for (const m of wire) receive(m);
        // What a sync brings: the full set with the content that differs from what is held.
        const have = indexOf(held);
        receive(
          fullSet(before.gen, before.items, { items: before.items.filter((x) => have[x.key] !== x.rev) }),
        );
        assert.equal(indexOf(held), Object.fromEntries(before.items.map((x) => [x.key, x.rev])));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the outbox bounded and loses no last status, whatever happens', () => {
    const limits = { maxEvents: 8, maxInFlight: 3, maxPodsPerReport: 2, maxEventsPerReport: 3 };
    const op = fc.oneof(
      fc.record({ do: fc.constant('status' as const), uid, gone: fc.boolean() }),
      fc.record({ do: fc.constant('event' as const), n: fc.nat({ max: 40 }) }),
      fc.record({ do: fc.constantFrom('take' as const, 'restart' as const, 'resend' as const) }),
      fc.record({ do: fc.constant('ack' as const), back: fc.nat({ max: 3 }) }),
      fc.record({ do: fc.constant('hold' as const), uids: fc.uniqueArray(uid) }),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 80 }), (ops) => {
        const box = new Outbox('b', limits);
        const truth = new Map<string, number>();
        const hub = new Map<string, number>();
        let version = 0;
        let lastSeq = 0;
        const take = (): void => {
          const report = box.take();
          if (report === undefined) return;
          assert.is(report.seq, lastSeq + 1);
          lastSeq = report.seq;
          if (report.t !== 'status') return;
          for (const pod of report.pods) {
            const seen = Number(pod.status.message);
            assert.ok(seen >= (hub.get(pod.uid) ?? 0), 'an older status after a newer');
            hub.set(pod.uid, seen);
          }
        };
        const event = { involved: {}, type: 'Normal', reason: 'R', message: '', count: 1 } as const;
        const at = '2026-01-01T00:00:00Z';
        for (const o of ops) {
          if (o.do === 'status') {
            version += 1;
            truth.set(o.uid, version);
            box.putStatus(podReport(o.uid, { gone: o.gone, status: { message: String(version) } }));
          } else if (o.do === 'event') {
            box.putEvent({ ...event, id: `e${o.n}`, firstTimestamp: at, lastTimestamp: at });
          } else if (o.do === 'take') take();
          else if (o.do === 'restart') box.restart();
          else if (o.do === 'resend') box.resend();
          else if (o.do === 'ack') box.ack('b', lastSeq - o.back);
          else if (o.do === 'hold') {
            box.hold(o.uids);
            for (const known of truth.keys()) if (!o.uids.some((u) => u === known)) truth.delete(known);
          }
          const { inFlight, events, pods } = box.depth;
          assert.ok(inFlight <= limits.maxInFlight && events <= limits.maxEvents + 1 && pods <= 4);
        }
        for (let i = 0; i < 20; i++) {
          box.ack('b', lastSeq);
          take();
        }
        for (const [known, newest] of truth) assert.is(hub.get(known), newest);
      }),
      { numRuns: 400 },
    );
  });

  it('never sends samples faster than the least interval, and never stays silent beyond the keep-alive', () => {
    const policy = { ...TELEMETRY_STEPS, keepAliveMs: 60_000, minIntervalMs: 9000 };
    const load = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(load, (ratios) => {
        let memory: TelemetryMemory = {};
        let sentMs = 0;
        ratios.forEach((cpuRatio, i) => {
          const nowMs = i * 5000;
          const sample = {
            windowMs: 5000,
            cpuRatio,
            memoryUsedBytes: 1,
            memoryTotalBytes: 2,
            diskRatio: 0.5,
          };
          const verdict = decideTelemetry(memory, sample, nowMs, policy);
          memory = verdict.memory;
          if (verdict.send !== undefined) {
            if (i > 0) assert.ok(nowMs - sentMs >= policy.minIntervalMs);
            sentMs = nowMs;
          }
          assert.ok(nowMs - sentMs < policy.keepAliveMs + 5000);
        });
      }),
      { numRuns: 100 },
    );
  });
});
