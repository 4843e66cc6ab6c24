import * as assert from 'uvu/assert';
import {
  decideTelemetry,
  TELEMETRY_STEPS,
  type TelemetryMemory,
} from '../../../../edge-agent/decide/telemetry-policy.ts';
import type { Telemetry } from '../../../../protocol/wire/messages.ts';
import { spec } from '../../../spec.ts';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const policy = { ...TELEMETRY_STEPS, keepAliveMs: 60_000, minIntervalMs: 9000 };
const sample = (over: Partial<Telemetry> = {}): Telemetry => ({
  windowMs: 10_000,
  cpuRatio: 0.2,
  memoryUsedBytes: GIB / 2,
  memoryTotalBytes: GIB,
  diskRatio: 0.4,
  temperatureCelsius: 50,
  throttled: false,
  rxBytesPerSecond: 100,
  txBytesPerSecond: 100,
  ...over,
});
/** Feeds samples 10 s apart and gives what was sent, by number of the sample. */
const feed = (...samples: Telemetry[]): Map<number, Telemetry> => {
  let memory: TelemetryMemory = {};
  const sent = new Map<number, Telemetry>();
  samples.forEach((s, i) => {
    const verdict = decideTelemetry(memory, s, i * 10_000, policy);
    memory = verdict.memory;
    if (verdict.send !== undefined) sent.set(i, verdict.send);
  });
  return sent;
};
const use = (cpuMilli: number, memoryMib: number) => ({ cpuMilli, memoryBytes: memoryMib * MIB });

spec('decideTelemetry', (it) => {
  const news: readonly [string, Partial<Telemetry>, boolean][] = [
    ['nothing', {}, false],
    ['a little CPU', { cpuRatio: 0.3 }, false],
    ['much CPU', { cpuRatio: 0.9 }, true],
    ['a little memory', { memoryUsedBytes: GIB * 0.54 }, false],
    ['much memory', { memoryUsedBytes: GIB * 0.56 }, true],
    ['2 degrees', { temperatureCelsius: 52 }, false],
    ['4 degrees', { temperatureCelsius: 54 }, true],
    ['throttling', { throttled: true }, true],
    ['disk', { diskRatio: 0.43 }, true],
    ['chatter on the network', { rxBytesPerSecond: 20_000 }, false],
    ['a download', { rxBytesPerSecond: 2_000_000 }, true],
    ['a new pod', { pods: { aaaaaaaa: use(1, 1) } }, true],
  ];
  for (const [name, change, isSent] of news) {
    it(`${name} is ${isSent ? 'news' : 'no news'}`, () =>
      assert.equal([...feed(sample(), sample(change)).keys()], isSent ? [0, 1] : [0]));
  }

  it('sends without news at the keep-alive', () => {
    assert.equal([...feed(...Array.from({ length: 14 }, () => sample())).keys()], [0, 6, 12]);
  });

  it('sends only the pods that changed, and a vanished one once as zero', () => {
    const first = { aaaaaaaa: use(100, 50), bbbbbbbb: use(100, 50) };
    const sent = feed(
      sample({ pods: first }),
      sample({ pods: { ...first, aaaaaaaa: use(100, 90) } }),
      sample({ pods: { aaaaaaaa: use(100, 90) } }),
      sample({ pods: { aaaaaaaa: use(100, 90) } }),
    );
    assert.equal(Object.keys(sent.get(1)?.pods ?? {}), ['aaaaaaaa']);
    assert.equal(sent.get(2)?.pods, { bbbbbbbb: use(0, 0) });
    assert.is(sent.has(3), false);
  });

  it('tells all pods again at every tenth keep-alive only', () => {
    const pods = { aaaaaaaa: use(100, 50), bbbbbbbb: use(10, 5) };
    const sent = feed(...Array.from({ length: 61 }, () => sample({ pods })));
    const withPods = [...sent].filter(([, s]) => s.pods !== undefined).map(([i]) => i);
    assert.is(sent.size, 11);
    assert.equal(withPods, [0, 60]);
    assert.equal(sent.get(60)?.pods, pods);
  });

  it('tells small changes of pods with the keep-alive, so that what autoscalers know is never off for long', () => {
    const pods = { aaaaaaaa: use(100, 50), bbbbbbbb: use(3, 5) };
    const drifted = { aaaaaaaa: use(118, 50), bbbbbbbb: use(5, 5) };
    const sent = feed(sample({ pods }), ...Array.from({ length: 8 }, () => sample({ pods: drifted })));
    assert.equal([...sent.keys()], [0, 6]);
    assert.equal(Object.keys(sent.get(6)?.pods ?? {}), ['aaaaaaaa']);
  });

  it('follows a lasting load within three samples, and a saw-tooth hardly', () => {
    const steady = feed(sample(), ...[1, 1, 1].map((cpuRatio) => sample({ cpuRatio })));
    assert.ok((steady.get(2)?.cpuRatio ?? steady.get(3)?.cpuRatio ?? 0) > 0.8);
    const saw = feed(
      ...Array.from({ length: 30 }, (_, i) => sample({ windowMs: 1000, cpuRatio: i % 2 === 0 ? 0.1 : 0.6 })),
    );
    assert.ok(saw.size <= 7, `${saw.size} samples sent`);
  });
});
