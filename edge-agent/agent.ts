import { randomBytes } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { VERSION } from '../kit/version.ts';
import { Board } from './board.ts';
import { noteTime } from './cache/floored-clock.ts';
import type { HeldState } from './decide/desired-step.ts';
import { Outbox } from './decide/outbox.ts';
import { type Profile, withSettings } from './decide/profile.ts';
import { nodeItem, toDesiredState } from './desired-state.ts';
import { type AgentGround, groundOf } from './ground.ts';
import { DesiredKeeper } from './link/desired-keeper.ts';
import { readIdentity } from './link/identity.ts';
import { Link } from './link/link.ts';
import { MqttTransport } from './link/mqtt-transport.ts';
import { Renewer } from './link/renewer.ts';
import { containerLimits } from './node-defence.ts';
import type { AgentOptions, Opened } from './open.ts';
import { PodManager } from './pods/pod-manager.ts';
import { readMemory } from './sensors/node-sampler.ts';
import type { RunningContainer } from './sensors/pod-usage.ts';
import { StreamServer } from './streams/stream-server.ts';

/** The inventory's child processes wait until the pods have started, in ms. */
const INVENTORY_DELAY_MS = 15_000;
const STARTS_AT_ONCE = 4;

/**
 * The agent as a whole, put together from its rooms. Order of a start: cache read, pods started, and only then the link. Stopping or
 * replacing the agent touches no container.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #log: Logger;
  readonly #ground: AgentGround;
  readonly #opened: Opened;
  readonly #stopping = new AbortController();
  readonly #outbox = new Outbox(randomBytes(6).toString('hex'));
  readonly #pods: PodManager;
  readonly #board: Board;
  readonly #keeper: DesiredKeeper;
  readonly #streams: StreamServer;
  readonly #link: Link;
  #profile: Profile;
  #hubApi: readonly string[];
  /** True once a whole desired state is known, from the cache or from the hub. */
  #isTold: boolean;
  #watcher: FSWatcher | undefined;

  constructor(options: AgentOptions, opened: Opened, ground: AgentGround = groundOf(options)) {
    this.#options = options;
    this.#ground = ground;
    this.#opened = opened;
    this.#log = options.log;
    this.#isTold = opened.cache.content === 'held';
    this.#profile = withSettings(opened.profile, nodeItem(opened.cache.held)?.settings);
    this.#hubApi = opened.identity.ok ? opened.identity.identity.api : [];
    this.#pods = this.#makePods();
    this.#keeper = this.#makeKeeper();
    this.#board = this.#makeBoard();
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
    this.#board.start();
    await this.#pods.start(this.#stopping.signal);
    // From now on the defence looks by itself whenever nobody else does.
    this.#board.refresh();
    if (this.#options.offline) return;
    if (!identity.ok) this.#log.error('identity not usable, running what is known', { why: identity.why });
    await this.#board.engineAnswered();
    if (this.#stopping.signal.aborted) return;
    this.#link.start();
    this.#watchIdentity();
    this.#opened.clock.after(INVENTORY_DELAY_MS, () => void this.#board.takeInventory());
  }

  /** Ends the conversation with the hub, flushes, notes the time. Touches no container. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#watcher?.close();
    await this.#board.stop();
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
        onVolumes: () => this.#board.refresh(),
        onImagesTouched: () => this.#board.engineChanged(),
      },
      node: {
        nodeName: this.#nodeName(),
        hostIp: () =>
          this.#board.facts.addresses.find((a) => a.type === 'InternalIP')?.address ?? '127.0.0.1',
        hubApi: () => this.#hubApi,
        cpuMilli: this.#ground.cpuCount * 1000,
        memoryBytes: readMemory(this.#ground.files).totalBytes,
        network: { name: options.network, bridge: options.bridge, masquerade: true },
        containerLimits: () => containerLimits(this.#profile),
        platform: () => this.#ground.platform,
      },
      devices: () => this.#board.deviceStock,
      oomKilled: (id) => this.#ground.oomKilled(id),
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
    this.#board.refresh();
  }

  #makeBoard(): Board {
    return new Board({
      options: this.#options,
      opened: this.#opened,
      ground: this.#ground,
      nodeName: this.#nodeName(),
      pods: this.#pods,
      log: this.#log,
      signal: this.#stopping.signal,
      profile: () => this.#profile,
      running: () => this.#running(),
      onFacts: () => this.#link.factsChanged(),
    });
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
      onConnected: (localAddress, api) => {
        this.#hubApi = api;
        this.#board.connected(localAddress);
      },
      onDisconnected: () => this.#streams.connectionLost(),
      session: {
        clock,
        log,
        agentVersion: VERSION,
        outbox: this.#outbox,
        keeper: this.#keeper,
        facts: () => this.#board.facts,
        cadence: () => this.#profile,
        takeSample: () => this.#board.sample(),
        onWelcome: (atMs) => clock.learn(atMs),
        onOpen: (message) => this.#streams.accept(message),
        onStreamFrame: (stream, frame) => this.#streams.receive(stream, frame),
      },
    });
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
