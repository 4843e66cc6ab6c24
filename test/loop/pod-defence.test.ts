import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ContainerSpec } from '../../edge-agent/decide/container-spec.ts';
import type { NodePlatform } from '../../edge-agent/decide/image-platform.ts';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import type { Runtime } from '../../edge-agent/pods/ports.ts';
import { MemoryRuntime } from '../../edge-agent/runtime/memory.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import type { DesiredPod, EventReport, PodReport } from '../../protocol/wire/messages.ts';
import { container, desiredPod } from '../build/pod.ts';
import { until } from '../e2e/private-engine.ts';
import { spec } from '../spec.ts';

/** Pods on the memory engine, on a node whose engine and processor the test chooses. */
class World {
  readonly folder = mkdtempSync(join(tmpdir(), 'cox-loop-'));
  readonly engine = new MemoryRuntime({
    clock: systemClock,
    images: { 'busybox:2': ['sh'] },
    platform: 'amd64',
  });
  readonly made: ContainerSpec[] = [];
  readonly reports: PodReport[] = [];
  readonly events: EventReport[] = [];
  memoryLimits = true;
  platform: NodePlatform | undefined;
  manager = this.#make();
  #desired: DesiredPod[] = [];

  #make(): PodManager {
    return new PodManager({
      runtime: this.#runtime(),
      clock: systemClock,
      log: silentLogger,
      sinks: { onStatus: (r) => void this.reports.push(r), onEvent: (e) => void this.events.push(e) },
      node: {
        nodeName: 'n',
        hostIp: () => '10.0.0.1',
        cpuMilli: 1000,
        memoryBytes: 2 ** 30,
        network: { name: 'coxswain', bridge: 'cox0', masquerade: true },
        platform: () => this.platform,
      },
      dataDir: join(this.folder, 'data'),
      runDir: join(this.folder, 'run'),
      concurrency: 4,
    });
  }

  #runtime(): Runtime {
    const { engine } = this;
    return new Proxy<Runtime>(engine, {
      get: (target, key) => {
        if (key === 'info')
          return async () => ({ ...(await engine.info()), memoryLimits: this.memoryLimits });
        if (key === 'create')
          return (made: ContainerSpec) => {
            this.made.push(made);
            return engine.create(made);
          };
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  async desire(...pods: DesiredPod[]): Promise<void> {
    this.#desired = pods;
    this.#tell();
    await this.manager.start(new AbortController().signal);
  }

  /** Another agent after a reboot: nothing runs, and what was kept in memory is lost. */
  async restart(): Promise<void> {
    await this.manager.stop();
    this.engine.down(true);
    rmSync(join(this.folder, 'run'), { recursive: true, force: true });
    this.engine.up();
    this.manager = this.#make();
    this.reports.length = 0;
    await this.desire(...this.#desired);
  }

  status(name: string): PodStatus | undefined {
    return this.reports.findLast((r) => r.name === name)?.status;
  }

  async ready(name: string): Promise<void> {
    await until(
      `${name} ready`,
      () => this.status(name)?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true,
      5_000,
    );
  }

  async close(): Promise<void> {
    await this.manager.stop();
    rmSync(this.folder, { recursive: true });
  }

  #tell(): void {
    this.manager.setDesired({
      pods: new Map(this.#desired.map((pod) => [pod.metadata.uid, pod])),
      configMaps: new Map(),
      secrets: new Map(),
      tokens: new Map(),
      node: { podCIDR: '10.3.0.0/24' },
    });
  }
}

spec('pods of a node that defends itself', (it) => {
  it('never run again on the node once evicted, also after a reboot in the middle', async () => {
    const w = new World();
    const stubborn = container({ command: ['sh', '-c', 'sleep infinity'] });
    await w.desire(
      desiredPod('a', { terminationGracePeriodSeconds: 60 }),
      desiredPod('slow', { containers: [stubborn], terminationGracePeriodSeconds: 60 }),
      desiredPod('stays'),
    );
    for (const name of ['a', 'slow', 'stays']) await w.ready(name);
    await w.manager.defence.evict('uid-a', { message: 'low', graceMs: 0 });
    await until('the end', () => w.status('a')?.phase === 'Failed', 10_000);
    assert.equal([w.status('a')?.reason, w.status('a')?.message], ['Evicted', 'low']);
    await w.manager.defence.evict('uid-slow', { message: 'low too', graceMs: 60_000 });
    assert.is(w.manager.defence.isEvicting, true, 'it takes its time');
    assert.equal(
      w.manager.defence.evictable().map((p) => p.pod.metadata.name),
      ['stays'],
    );
    await w.restart();
    await w.ready('stays');
    await until('both ended', () => ['a', 'slow'].every((n) => w.status(n)?.phase === 'Failed'), 5_000);
    assert.is(w.status('slow')?.message, 'low too');
    assert.equal(
      w.engine.running().map((c) => c.podName),
      ['stays'],
    );
    await w.close();
  });

  it('are told apart by limits of local storage, and are no victims when they go beyond', async () => {
    const w = new World();
    const resources = { limits: { 'ephemeral-storage': '1Mi' } };
    const limited = desiredPod('limited', { containers: [container({ resources })] });
    await w.desire(limited, desiredPod('free'));
    for (const name of ['limited', 'free']) await w.ready(name);
    const names = (): string[] => w.manager.defence.limited().map((p) => p.pod.metadata.name);
    assert.equal(names(), ['limited']);
    await w.manager.defence.evict('uid-limited', { message: 'too much', graceMs: 1_000, isOverLimit: true });
    assert.equal(names(), []);
    await w.restart();
    await until('the end', () => w.status('limited')?.phase === 'Failed', 5_000);
    const status = w.status('limited');
    assert.equal([status?.reason, status?.message], ['Evicted', 'too much']);
    assert.is(
      status?.conditions?.some((c) => c.type === 'DisruptionTarget'),
      false,
    );
    await w.close();
  });

  it('keep images of pods that have ended or wait, as long as the node holds them', async () => {
    const w = new World();
    await w.desire(desiredPod('a'), desiredPod('b', { containers: [container({ image: 'absent:1' })] }));
    await w.ready('a');
    assert.equal([...w.manager.defence.neededImages()].sort(), ['absent:1', 'busybox:2']);
    await w.close();
  });

  it('start without their limits where the kernel counts no memory, and people are told', async () => {
    const w = new World();
    w.memoryLimits = false;
    const limited = container({ resources: { limits: { memory: '32Mi', cpu: '100m' } } });
    await w.desire(desiredPod('a', { containers: [limited] }));
    await w.ready('a');
    assert.equal([w.made[0]?.limits.memoryBytes, w.made[0]?.limits.cpuMilli], [undefined, 100]);
    const told = w.events.find((e) => e.reason === 'MemoryLimitNotEnforced');
    assert.match(told?.message ?? '', 'cgroup_enable=memory');
    await w.close();
  });

  it('are not started with an image of another architecture', async () => {
    const w = new World();
    w.platform = { os: 'linux', architecture: 'arm64', emulated: new Set() };
    await w.desire(desiredPod('a', { containers: [container({ imagePullPolicy: 'Never' })] }));
    const waiting = () => w.status('a')?.containerStatuses?.[0]?.state?.waiting;
    await until('the refusal', () => waiting()?.reason === 'ErrImagePlatform', 5_000);
    assert.is(waiting()?.message, 'image "busybox:2" is for linux/amd64, but this node is linux/arm64');
    assert.ok(w.events.some((e) => e.message === `Cannot run ${waiting()?.message}`));
    assert.is(w.made.length, 0);
    await w.close();
  });
});
