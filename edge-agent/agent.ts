import { randomBytes } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { arch, hostname, platform, release } from 'node:os';
import { join, resolve } from 'node:path';
import { sleep, systemClock, type Timer, toTime } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { VERSION } from '../kit/version.ts';
import { noteTime } from './cache/floored-clock.ts';
import type { HeldState } from './decide/desired-step.ts';
import { deviceCounts } from './decide/devices.ts';
import { Outbox } from './decide/outbox.ts';
import { type Profile, withSettings } from './decide/profile.ts';
import type { Defence } from './defence/defence.ts';
import { nodeItem, toDesiredState } from './desired-state.ts';
import { type AgentGround, groundOf } from './ground.ts';
import { DesiredKeeper } from './link/desired-keeper.ts';
import { readIdentity } from './link/identity.ts';
import { Link } from './link/link.ts';
import { MqttTransport } from './link/mqtt-transport.ts';
import { Renewer } from './link/renewer.ts';
import { containerLimits, makeDefence } from './node-defence.ts';
import type { AgentOptions, Opened } from './open.ts';
import { PodManager } from './pods/pod-manager.ts';
import { DeviceWatch } from './sensors/device-watch.ts';
import { FactsKeeper } from './sensors/facts-keeper.ts';
import type { MachineFiles } from './sensors/machine-files.ts';
import { readMemory } from './sensors/node-sampler.ts';
import type { RunningContainer } from './sensors/pod-usage.ts';
import { Telemeter } from './sensors/telemeter.ts';
import { StreamServer } from './streams/stream-server.ts';

/** How often the facts are looked at again, at most, in ms; only while a hub listens. */
const FACTS_MS = 10_000;
/** The inventory's child processes wait until the pods have started, in ms. */
const INVENTORY_DELAY_MS = 15_000;
const STARTS_AT_ONCE = 4;
/** How often to look whether the engine is back while it does not answer, in ms. */
const ENGINE_LOOK_MS = 250;
/** How long the link waits at the start for the engine's first answer, in ms: a restart of the agent is no failure of the engine. */
const ENGINE_WAIT_MS = 3_000;
const ENGINE_STEP_MS = 20;

/**
 * The agent as a whole, put together from its rooms. Order of a start: cache read, pods started, and only then the link. Stopping or
 * replacing the agent touches no container.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #ground: AgentGround;
  readonly #files: MachineFiles;
  readonly #opened: Opened;
  readonly #stopping = new AbortController();
  readonly #outbox = new Outbox(randomBytes(6).toString('hex'));
  readonly #facts: FactsKeeper;
  readonly #pods: PodManager;
  readonly #keeper: DesiredKeeper;
  readonly #telemeter: Telemeter;
  readonly #devices: DeviceWatch;
  readonly #defence: Defence;
  readonly #streams: StreamServer;
  readonly #link: Link;
  #profile: Profile;
  #engineVersion = '';
  #factsMs = Number.NEGATIVE_INFINITY;
  /** True once a whole desired state is known, from the cache or from the hub. */
  #isTold: boolean;
  #watcher: FSWatcher | undefined;
  #engineLook: Timer | undefined;

  constructor(options: AgentOptions, opened: Opened, ground: AgentGround = groundOf(options)) {
    this.#options = options;
    this.#ground = ground;
    this.#files = ground.files;
    this.#opened = opened;
    this.#log = options.log;
    this.#isTold = opened.cache.content === 'held';
    this.#profile = withSettings(opened.profile, nodeItem(opened.cache.held)?.settings);
    this.#devices = this.#makeDevices();
    this.#facts = this.#makeFacts();
    this.#pods = this.#makePods();
    this.#defence = this.#makeDefence();
    this.#keeper = this.#makeKeeper();
    this.#telemeter = this.#makeTelemeter();
    this.#streams = new StreamServer({
      log: this.#log.with({ room: 'streams' }),
      runtime: this.#ground.streams,
      pods: {
        containersOf: (uid) => (this.#knows(uid) ? this.#pods.containersOf(uid) : undefined),
        addressOf: (uid) => this.#pods.addressOf(uid),
      },
      send: (stream, frame) => this.#link.sendFrame(stream, frame),
    });
    this.#link = this.#makeLink();
  }

  /** Starts the cached pods, then the link. */
  async start(): Promise<void> {
    const { cache, identity } = this.#opened;
    this.#log.info('agent starting', {
      version: VERSION,
      node: this.#nodeName(),
      profile: this.#profile.name,
      cache: cache.content,
      pods: [...cache.held.items.values()].filter((item) => item.kind === 'pod').length,
    });
    if (this.#isTold) this.#hand(cache.held);
    this.#devices.start();
    await this.#pods.start(this.#stopping.signal);
    // From now on the defence looks by itself whenever nobody else does.
    this.#refreshFacts();
    if (this.#options.offline) return;
    if (!identity.ok) this.#log.error('identity not usable, running what is known', { why: identity.why });
    await this.#engineAnswered();
    if (this.#stopping.signal.aborted) return;
    this.#link.start();
    this.#watchIdentity();
    this.#opened.clock.after(INVENTORY_DELAY_MS, () => void this.#takeInventory());
  }

  /** Ends the conversation with the hub, flushes, notes the time. Touches no container. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#watcher?.close();
    this.#devices.stop();
    await this.#defence.stop();
    await this.#link.stop();
    await this.#pods.stop();
    await this.#opened.cache.cache.close();
    await noteTime(join(this.#options.dataDir, 'clock'), this.#opened.clock.nowMs());
    this.#opened.lock.release();
    this.#log.info('agent stopped, containers run on');
  }

  #nodeName(): string {
    const { identity } = this.#opened;
    return identity.ok ? identity.identity.nodeName : hostname().toLowerCase();
  }

  #diskPath(): string {
    return this.#options.diskPath === '' ? this.#options.dataDir : this.#options.diskPath;
  }

  #makeFacts(): FactsKeeper {
    return new FactsKeeper({
      files: this.#files,
      diskPath: this.#diskPath(),
      agentVersion: VERSION,
      cpuCount: this.#ground.cpuCount,
      platform: platform(),
      arch: arch(),
      kernelVersion: release(),
      nodeName: () => this.#nodeName(),
      profile: () => this.#profile,
      engine: () => ({ isReady: this.#pods?.engineReady ?? false, version: this.#engineVersion }),
      nowTime: () => toTime(this.#opened.clock.nowMs()),
      removedVolumes: () => this.#pods?.removedVolumes ?? [],
      dataDir: resolve(this.#options.dataDir),
      nowMs: () => this.#opened.clock.monotonicMs(),
      devices: () => deviceCounts(this.#deviceNames(), this.#devices.units),
      images: () => this.#defence?.imageFacts,
    });
  }

  #deviceNames(): string[] {
    return this.#profile.devices.map((device) => device.name);
  }

  #makeDevices(): DeviceWatch {
    return new DeviceWatch({
      configs: this.#profile.devices,
      clock: this.#opened.clock,
      log: this.#log.with({ room: 'sensors' }),
      onChange: () => {
        this.#pods.devicesChanged();
        this.#refreshFacts();
      },
    });
  }

  #makeDefence(): Defence {
    return makeDefence({
      clock: this.#opened.clock,
      log: this.#log,
      files: this.#files,
      diskPath: this.#diskPath(),
      store: this.#ground.images,
      platform: this.#ground.platform,
      pods: this.#pods.defence,
      nodeName: () => this.#nodeName(),
      profile: () => this.#profile,
      reading: () => this.#facts.pressure,
      refresh: () => this.#refreshFacts(),
      onImagesChanged: () => this.#refreshFacts(),
    });
  }

  #makePods(): PodManager {
    const { options, clock } = { options: this.#options, clock: this.#opened.clock };
    return new PodManager({
      runtime: this.#ground.runtime,
      clock,
      log: this.#log,
      sinks: {
        onStatus: (report) => {
          // A pod that nobody names any more is stopped without a word, as docs/wire.md says.
          if (!this.#knows(report.uid)) return;
          this.#outbox.putStatus(report);
          this.#link.outboxChanged();
        },
        onEvent: (event) => {
          this.#outbox.putEvent(event);
          this.#link.outboxChanged();
        },
        onVolumes: () => this.#refreshFacts(),
        onImagesTouched: () => this.#defence.engineChanged(),
      },
      node: {
        nodeName: this.#nodeName(),
        hostIp: () =>
          this.#facts.facts.addresses.find((a) => a.type === 'InternalIP')?.address ?? '127.0.0.1',
        cpuMilli: this.#ground.cpuCount * 1000,
        memoryBytes: readMemory(this.#files).totalBytes,
        network: { name: options.network, bridge: options.bridge, masquerade: true },
        containerLimits: () => containerLimits(this.#profile),
        platform: () => this.#ground.platform,
      },
      devices: () => ({ names: this.#deviceNames(), units: this.#devices.units }),
      dataDir: options.dataDir,
      runDir: options.runDir,
      concurrency: STARTS_AT_ONCE,
    });
  }

  /** Without a desired state ever told, whatever carries our labels is ours to report. */
  #knows(podUid: string): boolean {
    return !this.#isTold || this.#keeper.held.items.has(`pod/${podUid}`);
  }

  #makeKeeper(): DesiredKeeper {
    const { cache, identity } = this.#opened;
    return new DesiredKeeper({
      held: cache.held,
      cluster: () => (identity.ok ? identity.identity.cluster : ''),
      log: this.#log.with({ room: 'link' }),
      store: {
        accept: (next, put, del) => cache.cache.accept(next, put, del),
      },
      onDesired: (next) => this.#follow(next),
    });
  }

  #hand(held: HeldState): void {
    const desired = toDesiredState(held);
    this.#outbox.hold(desired.pods.keys());
    this.#pods.setDesired(desired);
    this.#link.outboxChanged();
  }

  #follow(next: HeldState): void {
    this.#isTold = true;
    this.#hand(next);
    this.#profile = withSettings(this.#opened.profile, nodeItem(next)?.settings);
    this.#refreshFacts();
  }

  #makeTelemeter(): Telemeter {
    return new Telemeter(
      {
        files: this.#files,
        diskPath: this.#diskPath(),
        cadence: () => this.#profile,
        containers: () => this.#running(),
      },
      systemClock.monotonicMs(),
    );
  }

  #running(): RunningContainer[] {
    const pods = [...this.#keeper.held.items.values()].filter((item) => item.kind === 'pod');
    return pods.flatMap(({ body: { metadata } }) =>
      this.#pods
        .containersOf(metadata.uid)
        .filter((c) => c.running)
        .map((c) => ({ podUid: metadata.uid, name: c.name, id: c.id })),
    );
  }

  #makeLink(): Link {
    const { clock } = this.#opened;
    const { dataDir } = this.#options;
    const log = this.#log.with({ room: 'link' });
    const renewer = new Renewer(dataDir, clock, log);
    return new Link({
      clock,
      log,
      transport: new MqttTransport(clock),
      readIdentity: () => readIdentity(dataDir),
      renewIfDue: (identity, wasRefused) => renewer.renewIfDue(identity, wasRefused),
      reconnectMaxMs: () => this.#profile.reconnectMaxMs,
      random: Math.random,
      onConnected: (localAddress) => {
        this.#facts.setAddress(localAddress);
        this.#facts.refresh();
        this.#telemeter.restart(clock.monotonicMs());
      },
      onDisconnected: () => this.#streams.connectionLost(),
      session: {
        clock,
        log,
        agentVersion: VERSION,
        outbox: this.#outbox,
        keeper: this.#keeper,
        facts: () => this.#facts.facts,
        cadence: () => this.#profile,
        takeSample: () => this.#sample(),
        onWelcome: (atMs) => clock.learn(atMs),
        onOpen: (message) => this.#streams.accept(message),
        onStreamFrame: (stream, frame) => this.#streams.receive(stream, frame),
      },
    });
  }

  #sample(): Uint8Array | undefined {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#factsMs >= Math.min(FACTS_MS, this.#profile.sampleMs)) this.#refreshFacts();
    return this.#telemeter.take(nowMs);
  }

  #refreshFacts(): void {
    this.#factsMs = systemClock.monotonicMs();
    if (this.#pods.engineReady && this.#engineVersion === '') void this.#askEngine();
    if (!this.#pods.engineReady) this.#engineVersion = '';
    if (this.#facts.refresh()) this.#link.factsChanged();
    if (!this.#pods.engineReady) this.#lookAgain();
    this.#defence.look();
  }

  /** While the engine is away the node takes no pods: the hub shall hear at once that it is back. */
  #lookAgain(): void {
    this.#engineLook ??= this.#opened.clock.after(ENGINE_LOOK_MS, () => {
      this.#engineLook = undefined;
      if (this.#pods.engineReady) this.#refreshFacts();
      else if (!this.#stopping.signal.aborted) this.#lookAgain();
    });
  }

  async #engineAnswered(): Promise<void> {
    const { clock } = this.#opened;
    const lateMs = clock.monotonicMs() + ENGINE_WAIT_MS;
    while (!this.#pods.engineReady && clock.monotonicMs() < lateMs && !this.#stopping.signal.aborted) {
      await sleep(clock, ENGINE_STEP_MS);
    }
  }

  async #askEngine(): Promise<void> {
    try {
      this.#engineVersion = (await this.#ground.runtime.info(this.#stopping.signal)).version;
    } catch (err) {
      // Asked again with the next look at the facts.
      this.#log.debug('engine version not known yet', { err });
    }
  }

  async #takeInventory(): Promise<void> {
    try {
      this.#facts.setInventory(await this.#ground.takeInventory());
      this.#refreshFacts();
    } catch (err) {
      // Nice to have: the files of the machine have told the rest.
      this.#log.warn('inventory of the board not taken', { err });
    }
  }

  #watchIdentity(): void {
    try {
      this.#watcher = watch(join(this.#options.dataDir, 'identity'), { persistent: false }, () => {
        systemClock.after(1000, () => void this.#link.identityChanged());
      });
    } catch (err) {
      // Not joined yet: the link reads the files before every attempt anyway.
      this.#log.debug('identity not watched', { err });
    }
  }
}
