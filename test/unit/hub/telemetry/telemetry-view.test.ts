import * as assert from 'uvu/assert';
import { TelemetryView } from '../../../../hub/telemetry/telemetry-view.ts';
import type { Telemetry } from '../../../../protocol/wire/messages.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

const sample = (cpuRatio: number, pods?: Telemetry['pods']): Telemetry => ({
  windowMs: 3_000,
  cpuRatio,
  memoryUsedBytes: 100,
  memoryTotalBytes: 1_000,
  diskRatio: 0.1,
  ...(pods === undefined ? {} : { pods }),
});

spec('TelemetryView', (it) => {
  it('knows nothing, then something, then that it is stale', async () => {
    const clock = new ManualClock();
    const view = new TelemetryView(clock);
    assert.is(view.node('n'), undefined);
    view.accept('n', undefined, 3_000);
    assert.is(view.node('n'), undefined, 'an empty heartbeat without a sample says nothing');
    view.accept('n', sample(0.5), 3_000);
    assert.is(view.fresh('n')?.sample.cpuRatio, 0.5);
    await clock.advance(3_000);
    view.accept('n', undefined, 3_000);
    await clock.advance(4_000);
    assert.ok(view.isFresh('n'), 'the empty heartbeat confirmed it');
    await clock.advance(2_000);
    assert.is(view.fresh('n'), undefined);
    assert.is(view.node('n')?.sample.cpuRatio, 0.5, 'people may still see the last value');
  });

  it('tells when load moved or telemetry came back, not at every beat', async () => {
    const clock = new ManualClock();
    const view = new TelemetryView(clock);
    const told: string[] = [];
    view.subscribe((node) => told.push(node));
    view.accept('n', sample(0.1));
    for (let i = 0; i < 10; i++) {
      await clock.advance(3_000);
      view.accept('n', sample(0.1 + (i % 2) / 100));
    }
    assert.equal(told, ['n']);
    await clock.advance(3_000);
    view.accept('n', sample(0.9));
    assert.equal(told, ['n', 'n']);
    await clock.advance(60_000);
    view.accept('n', sample(0.1));
    assert.equal(told, ['n', 'n', 'n']);
    assert.is(view.node('n')?.load.heldCpuRatio, 0.1, 'after a silence the old load says nothing');
  });

  it('merges the pods that changed, forgets those that are gone, and is bounded', () => {
    const view = new TelemetryView(new ManualClock());
    const use = { cpuMilli: 5, memoryBytes: 7 };
    view.accept('n', sample(0.1, { aaaaaaaa: use }));
    view.accept('n', sample(0.1, { bbbbbbbb: use }));
    assert.is(view.pod('n', 'aaaaaaaa-1111')?.cpuMilli, 5);
    view.forgetPod('n', 'aaaaaaaa-1111');
    assert.is(view.pod('n', 'aaaaaaaa-1111'), undefined);
    for (let i = 0; i < 3; i++) {
      const many = Array.from({ length: 1000 }, (_, j) => [`${i}x${j}`, use] as const);
      view.accept('n', sample(0.1, Object.fromEntries(many)));
    }
    assert.is(view.pod('n', 'bbbbbbbb'), undefined);
    assert.is(view.pod('n', '2x999')?.memoryBytes, 7);
  });
});
