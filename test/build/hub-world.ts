import { setMaxListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdmission } from '../../hub/admission.ts';
import { controlLoops } from '../../hub/control-loops.ts';
import { CustomResources } from '../../hub/controllers/custom-resources.ts';
import { PersistentVolumeController } from '../../hub/controllers/persistent-volumes.ts';
import { ADMIT_DEFAULTS } from '../../hub/decide/admit-pod.ts';
import { SERVICE_CIDR } from '../../hub/decide/service-addresses.ts';
import { EventRecorder } from '../../hub/events/event-recorder.ts';
import { Fleet } from '../../hub/fleet/fleet.ts';
import { Liveness } from '../../hub/fleet/liveness.ts';
import type { LoopDeps } from '../../hub/loop.ts';
import type { AccountTokens } from '../../hub/pki/account-tokens.ts';
import type { SchedulerPorts } from '../../hub/scheduler/scheduler.ts';
import { Store } from '../../hub/store/store.ts';
import { TelemetryView } from '../../hub/telemetry/telemetry-view.ts';
import { DurableMap } from '../../kit/durable-map.ts';
import type { FileSystem } from '../../kit/file-system.ts';
import { createLogger, silentLogger } from '../../kit/logger.ts';
import { kinds } from '../../protocol/kinds/index.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment } from '../../protocol/kinds/workloads.ts';
import { ManualAlarm } from '../fakes/manual-alarm.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryDevice, MemoryLink } from '../fakes/memory-devices.ts';
import { tokenIssuer } from './token-issuer.ts';

/** Real time a condition may take to come true. */
const DEADLINE_MS = 25_000;

/** The hub without its doors: real store in a folder of its own, all loops, devices in memory, time by hand. */
export class HubWorld {
  readonly clock: ManualClock;
  readonly alarm: ManualAlarm;
  readonly link = new MemoryLink();
  readonly store: Store;
  readonly events: EventRecorder;
  readonly telemetry: TelemetryView;
  readonly liveness: Liveness;
  readonly fleet: Fleet;
  readonly tokens: AccountTokens;
  readonly directory: string;
  readonly #loops: { start(signal: AbortSignal): void; stop(): Promise<void> }[];
  readonly #abort = new AbortController();

  private constructor(
    store: Store,
    clock: ManualClock,
    directory: string,
    { link, scheduler }: { link?: MemoryLink; scheduler?: SchedulerPorts },
  ) {
    this.store = store;
    this.clock = clock;
    this.alarm = new ManualAlarm(clock);
    this.directory = directory;
    if (link !== undefined) this.link = link;
    const log = process.env['HUB_WORLD_LOG'] === undefined ? silentLogger : createLogger('debug');
    this.events = new EventRecorder({ client: store, clock, log, component: 'coxswain-hub' });
    const deps: LoopDeps = { view: store, client: store, clock, log, events: this.events };
    this.telemetry = new TelemetryView(clock);
    this.liveness = new Liveness({ clock });
    this.tokens = tokenIssuer(store, clock);
    const volumes = new PersistentVolumeController(deps);
    this.fleet = new Fleet({
      ...deps,
      volumes,
      link: this.link,
      liveness: this.liveness,
      telemetry: this.telemetry,
      deviceEvents: this.events,
      identity: { clusterId: 'cluster-1', clusterCidr: '10.42.0.0/16' },
      tokens: this.tokens,
      hubName: 'hub',
      newStreamId: () => `stream-${Math.random()}`,
    });
    const custom = new CustomResources(deps, store, kinds);
    const { liveness, telemetry } = this;
    this.#loops = [
      ...controlLoops(
        deps,
        { custom, volumes, liveness, telemetry, caPem: 'CA', kept: {} },
        { alarm: this.alarm, ...(scheduler === undefined ? {} : { scheduler }) },
      ),
      this.fleet,
    ];
  }

  static async start(
    options: {
      directory?: string;
      disk?: FileSystem;
      clock?: ManualClock;
      link?: MemoryLink;
      scheduler?: SchedulerPorts;
    } = {},
  ): Promise<HubWorld> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'hub-world-'));
    const clock = options.clock ?? new ManualClock();
    const { map, entries } = await DurableMap.open(directory, {
      shards: 4,
      ...(options.disk === undefined ? {} : { fs: options.disk }),
    });
    const store = await Store.open({
      kinds,
      map,
      entries,
      clock,
      admission: createAdmission(
        ADMIT_DEFAULTS,
        SERVICE_CIDR,
        () => clock.nowMs(),
        () => 'abcde',
      ),
    });
    const world = new HubWorld(store, clock, directory, options);
    setMaxListeners(0, world.#abort.signal);
    for (const loop of world.#loops) loop.start(world.#abort.signal);
    return world;
  }

  /** Ends this hub; the folder stays when `keep`, so that another can take over. */
  async stop(keep = false): Promise<void> {
    await Promise.all(this.#loops.map((loop) => loop.stop()));
    this.liveness.stop();
    await this.events.stop();
    await this.store.close();
    if (!keep) rmSync(this.directory, { recursive: true, force: true });
  }

  /** Boots devices and waits until they are ready for pods. */
  async devices(...names: string[]): Promise<MemoryDevice[]> {
    const devices = names.map((name) => new MemoryDevice(this.link, this.clock, name));
    for (const device of devices) device.connect();
    await this.until(() => names.every((name) => this.isReady(name)));
    return devices;
  }

  /** A device of another hub's time finds this hub. */
  adopt(device: MemoryDevice): void {
    device.moveTo(this.link);
    device.connect(false);
  }

  isReady(node: string): boolean {
    const conditions = this.store.get('Node', '', node)?.status?.conditions ?? [];
    return conditions.some((c) => c.type === 'Ready' && c.status === 'True');
  }

  /** Lets simulated time pass in steps until the condition holds. */
  async until(holds: () => boolean, stepMs = 5): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!holds()) {
      if (performance.now() > deadline) throw new Error(`never came true: ${holds.toString()}`);
      await this.clock.advance(stepMs);
      // Real time for the disk, which simulated time does not wait for.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Pods of an app that count. */
  pods(app: string): Pod[] {
    return this.store
      .list('Pod', 'default')
      .filter((p) => p.metadata.labels?.['app'] === app && p.metadata.deletionTimestamp === undefined);
  }

  ready(app: string): Pod[] {
    return this.pods(app).filter((p) =>
      p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
    );
  }

  countByNode(app: string): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const pod of this.pods(app)) {
      const node = pod.spec.nodeName ?? '';
      counts[node] = (counts[node] ?? 0) + 1;
    }
    return counts;
  }

  async deploy(app: string, replicas: number, spec: Partial<Deployment['spec']> = {}): Promise<Deployment> {
    return this.store.create('Deployment', {
      metadata: { name: app, namespace: 'default' },
      spec: {
        replicas,
        selector: { matchLabels: { app } },
        template: {
          metadata: { labels: { app } },
          spec: { containers: [{ name: 'main', image: 'busybox:latest' }] },
        },
        ...spec,
      },
    });
  }
}
