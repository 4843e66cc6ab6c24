import * as assert from 'uvu/assert';
import { judgePressure, NO_PRESSURE, type PressureInput } from '../../edge-agent/decide/pressure.ts';
import { Defence } from '../../edge-agent/defence/defence.ts';
import type { DefenceLimits, RunningPod, StoredImageView } from '../../edge-agent/defence/ports.ts';
import { silentLogger } from '../../kit/logger.ts';
import { container, desiredPod } from '../build/pod.ts';
import { until } from '../e2e/private-engine.ts';
import { ManualClock, settle } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const LIMITS: DefenceLimits = {
  sampleMs: 10_000,
  memoryPressureAvailableRatio: 0.1,
  diskPressureUsedRatio: 0.95,
  pidPressureUsedRatio: 0.9,
  temperaturePressureCelsius: 80,
  pressureTransitionMs: 60_000,
  evictionHoldMs: 10_000,
  evictionIntervalMs: 30_000,
  evictionGraceMs: 5_000,
  imageGcHighRatio: 0.85,
  imageGcLowRatio: 0.8,
  imageGcMinAgeMs: 0,
};

/** A machine whose figures the test sets: every image takes a tenth of the disk, every pod a tenth of the memory. */
class Machine {
  readonly clock = new ManualClock();
  readonly events: string[] = [];
  readonly evicted: [string, number][] = [];
  readonly lean: boolean[] = [];
  images: StoredImageView[] = [];
  needed: string[] = [];
  running: RunningPod[] = [];
  memoryLeft = 0.5;
  diskBase = 0.3;
  celsius = 50;
  engineReady = true;
  isBroken = false;
  #state = NO_PRESSURE;
  readonly defence: Defence;

  constructor() {
    const machine = this;
    this.defence = new Defence({
      clock: this.clock,
      log: silentLogger,
      nodeName: () => 'n1',
      platform: { os: 'linux', architecture: 'amd64', emulated: new Set() },
      ownImages: [],
      meter: { memoryOf: () => 10, processesOf: () => 1 },
      limits: () => LIMITS,
      reading: () => ({ input: this.#input(), state: this.#state }),
      diskUsedRatio: () => this.#disk(),
      refresh: () => this.look(),
      onImagesChanged: () => undefined,
      store: {
        images: async () => {
          if (this.isBroken) throw new Error('the engine broke');
          return this.images;
        },
        imagesInUse: async () => new Set(),
        image: async () => ({ platform: 'amd64' }),
        removeImage: async (gone) => {
          this.images = this.images.filter((image) => image.id !== gone.id);
          return true;
        },
        writtenBytes: async () => new Map([['c-b', 50]]),
        layerOf: async () => undefined,
        layerBytes: async () => 0,
      },
      pods: {
        get engineReady() {
          return machine.engineReady;
        },
        isEvicting: false,
        evictable: () => this.running,
        limited: () => [],
        evict: async (uid, { graceMs }) => {
          this.evicted.push([uid, graceMs]);
          this.running = this.running.filter((p) => p.pod.metadata.uid !== uid);
        },
        setLean: (isLean) => void this.lean.push(isLean),
        neededImages: () => new Set(this.needed),
        tellNode: (_type, reason) => void this.events.push(reason),
      },
    });
  }

  look(): void {
    this.#state = judgePressure(this.#state, this.#input(), LIMITS, this.clock.monotonicMs());
    this.defence.look();
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      await this.clock.advance(Math.min(500, left));
      await settle();
    }
  }

  run(...names: string[]): void {
    this.running = names.map((name) => ({
      pod: desiredPod(name, { containers: [container()] }),
      containers: [{ id: `c-${name}`, name: 'main', attempt: 0, isRunning: true }],
      volumes: '/nowhere',
    }));
  }

  #input(): PressureInput {
    return {
      memoryAvailableRatio: this.memoryLeft,
      memoryTotalBytes: 1000,
      diskUsedRatio: this.#disk(),
      diskTotalBytes: 1000,
      pidUsedRatio: 0,
      pidLimit: 1000,
      temperatureCelsius: this.celsius,
    };
  }

  #disk(): number {
    return Math.min(1, this.diskBase + this.images.length / 10);
  }
}

const image = (name: string): StoredImageView => ({
  id: `sha256:${name}`,
  tags: [`${name}:1`],
  digests: [`${name}@sha256:${name}`],
  sizeBytes: 1,
});

spec('defence of a node, without anybody else', (it) => {
  it('removes images one by one, only until there is room, and none that a pod needs', async () => {
    const m = new Machine();
    m.images = ['a', 'b', 'c', 'd', 'e', 'f'].map(image);
    m.needed = ['a:1', 'docker.io/library/b:1'];
    m.look();
    await m.pass(1_000);
    assert.equal(
      m.images.map((i) => i.id.slice(7)),
      ['a', 'b', 'e', 'f'],
    );
    assert.equal(m.events, []);
    await m.defence.stop();
  });

  it('says so when there is nothing left to remove, or the engine fails, and tries again later', async () => {
    const m = new Machine();
    m.diskBase = 0.85;
    m.look();
    await m.pass(60_000);
    assert.equal(m.events, ['FreeDiskSpaceFailed'], 'not with every look');
    m.isBroken = true;
    await m.pass(5 * 60_000);
    assert.equal(m.events, ['FreeDiskSpaceFailed', 'ImageGCFailed']);
    await m.defence.stop();
  });

  it('gives up images and dead containers before a pod, and takes the pod that holds most of the disk', async () => {
    const m = new Machine();
    m.images = [image('a')];
    m.diskBase = 0.96;
    m.run('a', 'b');
    m.look();
    await m.pass(9_000);
    assert.equal([m.images.length, m.evicted.length], [0, 0]);
    assert.ok(m.lean.includes(true));
    await m.pass(3_000);
    // Volumes are measured on the real disk, in real time.
    await until('the eviction', () => m.evicted.length > 0, 5_000);
    assert.equal(m.evicted, [['uid-b', 5_000]]);
    m.diskBase = 0.5;
    await m.pass(200_000);
    assert.equal(m.evicted.length, 1);
    assert.is(m.lean.at(-1), false);
    await m.defence.stop();
  });

  it('evicts one pod an interval while memory stays short, and stops when it is not', async () => {
    const m = new Machine();
    m.run('a', 'b', 'c', 'd');
    m.memoryLeft = 0.05;
    m.look();
    await m.pass(9_000);
    assert.equal(m.evicted, []);
    assert.equal(m.events, ['NodeHasInsufficientMemory']);
    await m.pass(3_000);
    assert.is(m.evicted.length, 1);
    await m.pass(27_000);
    assert.is(m.evicted.length, 1);
    await m.pass(4_000);
    assert.is(m.evicted.length, 2);
    m.memoryLeft = 0.5;
    await m.pass(300_000);
    assert.is(m.evicted.length, 2);
    assert.is(m.events.at(-1), 'NodeHasSufficientMemory');
    await m.defence.stop();
  });

  it('evicts nobody for heat, and does nothing while the engine is away', async () => {
    const m = new Machine();
    m.run('a');
    m.celsius = 95;
    m.look();
    await m.pass(60_000);
    assert.equal([m.evicted.length, m.events], [0, ['NodeIsHot']]);
    m.engineReady = false;
    m.memoryLeft = 0.01;
    m.diskBase = 0.99;
    m.images = [image('a')];
    await m.pass(60_000);
    assert.equal([m.evicted.length, m.images.length], [0, 1]);
    m.engineReady = true;
    await m.pass(60_000);
    assert.is(m.images.length, 0);
    assert.ok(m.evicted.length === 1);
    await m.defence.stop();
  });
});
