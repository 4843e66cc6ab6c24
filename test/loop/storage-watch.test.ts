import { appendFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { storageLimits } from '../../edge-agent/decide/local-storage.ts';
import type { Eviction } from '../../edge-agent/decide/pod-memory.ts';
import { NO_PRESSURE, type PressureInput } from '../../edge-agent/decide/pressure.ts';
import { bytesBelow } from '../../edge-agent/defence/disk-use.ts';
import type { LayerPlace, RunningPod } from '../../edge-agent/defence/ports.ts';
import { StorageMeter } from '../../edge-agent/defence/storage-meter.ts';
import { StorageWatch } from '../../edge-agent/defence/storage-watch.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { PodSpec } from '../../protocol/kinds/pod.ts';
import { container, desiredPod } from '../build/pod.ts';
import { until } from '../e2e/private-engine.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const KIB = 1024;

/** Pods with real files, on an engine that tells where they are or counts itself. */
class Disk {
  readonly folder = mkdtempSync(join(tmpdir(), 'cox-storage-'));
  readonly clock = new ManualClock();
  readonly evicted: [string, Eviction][] = [];
  readonly places = new Map<string, LayerPlace>();
  readonly counted: string[] = [];
  readonly broken = new Set<string>();
  engineBytes = 0;
  pods: RunningPod[] = [];
  diskUsedBytes = 0;
  asked = 0;
  readonly watch: StorageWatch;

  constructor() {
    this.watch = new StorageWatch({
      clock: this.clock,
      log: silentLogger,
      reading: () => ({ input: this.#input(), state: NO_PRESSURE }),
      store: {
        layerOf: async (id) => {
          this.asked++;
          return this.places.get(id);
        },
        layerBytes: async (id) => {
          this.counted.push(id);
          if (this.broken.has(id)) throw new Error('the engine cannot count it');
          return this.engineBytes;
        },
        images: async () => [],
        imagesInUse: async () => new Set(),
        image: async () => undefined,
        removeImage: async () => false,
        writtenBytes: async () => new Map(),
      },
      pods: {
        engineReady: true,
        isEvicting: false,
        evictable: () => this.pods,
        limited: () => this.pods,
        evict: async (uid, eviction) => {
          this.evicted.push([uid, eviction]);
          this.pods = this.pods.filter((p) => p.pod.metadata.uid !== uid);
        },
        setLean: () => undefined,
        neededImages: () => new Set(),
        tellNode: () => undefined,
      },
    });
  }

  add(name: string, podSpec: Partial<PodSpec>, attempts = 1): void {
    const volumes = join(this.folder, name, 'volumes');
    for (const volume of podSpec.volumes ?? []) mkdirSync(join(volumes, volume.name), { recursive: true });
    const containers = Array.from({ length: attempts }, (_, attempt) => ({
      id: `${name}-${attempt}`,
      name: 'main',
      attempt,
      isRunning: attempt === attempts - 1,
    }));
    this.pods.push({ pod: desiredPod(name, podSpec), containers, volumes });
  }

  write(path: string, kib: number): void {
    mkdirSync(join(this.folder, path, '..'), { recursive: true });
    appendFileSync(join(this.folder, path), Buffer.alloc(kib * KIB, 1));
  }

  async look(afterMs = 0): Promise<void> {
    await this.clock.advance(afterMs);
    this.watch.look();
    // Files are read in real time.
    await until('the round', () => this.watch.isIdle, 5_000);
  }

  #input(): PressureInput {
    const total = 2 ** 30;
    return {
      memoryAvailableRatio: 1,
      memoryTotalBytes: 1,
      diskUsedRatio: this.diskUsedBytes / total,
      diskTotalBytes: total,
      pidUsedRatio: 0,
      pidLimit: 0,
    };
  }

  async close(): Promise<void> {
    await this.watch.stop();
    rmSync(this.folder, { recursive: true });
  }
}

const limited = (limit: string): Partial<PodSpec> => ({
  containers: [container({ resources: { limits: { 'ephemeral-storage': limit } } })],
});

spec('limits of local storage', (it) => {
  it('cost nothing while no pod has any', async () => {
    const disk = new Disk();
    disk.watch.look();
    assert.is(disk.watch.isIdle, true, 'no round was begun');
    assert.is(disk.asked, 0);
    await disk.close();
  });

  it('end the pod whose emptyDir is too large, and leave its neighbour', async () => {
    const disk = new Disk();
    const volumes = [{ name: 'v', emptyDir: { sizeLimit: '64Ki' } }];
    disk.add('a', { volumes });
    disk.add('b', { volumes });
    disk.write('a/volumes/v/x', 40);
    disk.write('b/volumes/v/x', 40);
    await disk.look();
    assert.equal(disk.evicted, []);
    disk.write('a/volumes/v/deep/y', 40);
    await disk.look(60_000);
    const message = 'Usage of EmptyDir volume "v" exceeds the limit "64Ki". ';
    assert.equal(disk.evicted, [['uid-a', { message, graceMs: 1_000, isOverLimit: true }]]);
    assert.is(disk.asked, 0, 'the engine has nothing to do with it');
    await disk.close();
  });

  it('count layer and logs where they lie, of the newest container and of all', async () => {
    const disk = new Disk();
    disk.add('a', limited('100Ki'), 2);
    disk.places.set('a-0', {
      upperDir: join(disk.folder, 'old'),
      logPath: join(disk.folder, 'logs0/a.log'),
    });
    disk.places.set('a-1', {
      upperDir: join(disk.folder, 'new'),
      logPath: join(disk.folder, 'logs1/a.log'),
    });
    disk.write('old/x', 500);
    disk.write('new/x', 30);
    disk.write('logs0/a.log', 20);
    disk.write('logs1/a.log', 20);
    await disk.look();
    assert.equal(disk.evicted, []);
    disk.write('logs1/a.log.1', 60);
    await disk.look(60_000);
    assert.is(
      disk.evicted[0]?.[1].message,
      'Pod ephemeral local storage usage exceeds the total limit of containers 100Ki. ',
    );
    assert.equal([disk.asked, disk.counted], [2, []], 'asked once a container, and never made to count');
    await disk.close();
  });

  it('let the engine count what cannot be seen from here', async () => {
    const disk = new Disk();
    disk.add('a', limited('100Ki'));
    disk.places.set('a-0', { upperDir: '/nowhere/to/be/seen' });
    disk.engineBytes = 100 * KIB;
    await disk.look();
    assert.equal([disk.counted, disk.evicted], [['a-0'], []]);
    disk.engineBytes++;
    await disk.look(60_000);
    assert.is(disk.evicted.length, 1);
    await disk.close();
  });

  it('are looked at a second time soon, then slowly, unless the disk fills up', async () => {
    const disk = new Disk();
    disk.add('a', limited('100Ki'));
    disk.places.set('a-0', {});
    for (let n = 0; n < 6; n++) await disk.look(n === 0 ? 0 : 9_000);
    assert.is(disk.counted.length, 2);
    disk.diskUsedBytes = 60 * KIB;
    await disk.look(1_000);
    assert.is(disk.counted.length, 3);
    await disk.close();
  });

  it('hold the others also when one cannot be measured, which is tried again', async () => {
    const disk = new Disk();
    for (const name of ['a', 'b']) {
      disk.add(name, limited('100Ki'));
      disk.places.set(`${name}-0`, {});
    }
    disk.broken.add('a-0');
    disk.engineBytes = 10 ** 6;
    await disk.look();
    assert.equal(
      disk.evicted.map(([uid]) => uid),
      ['uid-b'],
    );
    disk.broken.clear();
    await disk.look(10_000);
    assert.is(disk.evicted.length, 2);
    await disk.close();
  });

  it('spare what the node cannot do without', async () => {
    const disk = new Disk();
    disk.add('a', { ...limited('100Ki'), priorityClassName: 'system-node-critical' });
    disk.engineBytes = 10 ** 9;
    disk.places.set('a-0', {});
    await disk.look();
    assert.equal([disk.evicted, disk.counted], [[], []]);
    await disk.close();
  });

  it('are measured in steps with pauses, and end at once with the agent', async () => {
    const disk = new Disk();
    disk.add('a', { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Gi' } }] });
    for (let n = 0; n < 1_200; n++)
      writeFileSync(join(disk.folder, 'a/volumes/v', `f${n}`), Buffer.alloc(4 * KIB, 1));
    const [pod] = disk.pods;
    const limits = pod && storageLimits(pod.pod.spec);
    if (pod === undefined || limits === undefined) throw new Error('no limits');
    const ending = new AbortController();
    const meter = new StorageMeter(
      { layerOf: async () => undefined, layerBytes: async () => 0 },
      systemClock,
      ending.signal,
    );
    const { volumes } = await meter.measure(pod, limits);
    assert.is(volumes.get('v'), 1_200 * 4 * KIB);
    const measuring = meter.measure(pod, limits);
    ending.abort();
    assert.is(
      await measuring.then(
        () => 'went on',
        () => 'ended',
      ),
      'ended',
    );
    await disk.close();
  });

  it('count a file with two names once, and stop when enough is known', async () => {
    const disk = new Disk();
    disk.write('w/a', 64);
    linkSync(join(disk.folder, 'w/a'), join(disk.folder, 'w/b'));
    assert.is(await bytesBelow(join(disk.folder, 'w')), 64 * KIB);
    for (let n = 0; n < 20; n++) writeFileSync(join(disk.folder, 'w', `f${n}`), Buffer.alloc(KIB));
    assert.ok((await bytesBelow(join(disk.folder, 'w'), { enoughBytes: KIB })) < 100 * KIB);
    await disk.close();
  });
});
