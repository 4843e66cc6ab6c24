import { arch, platform, release } from 'node:os';
import { resolve } from 'node:path';
import { sleep, systemClock, type Timer, toTime } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { VERSION } from '../kit/version.ts';
import type { NodeFacts } from '../protocol/wire/messages.ts';
import { deviceCounts } from './decide/devices.ts';
import type { Profile } from './decide/profile.ts';
import type { Defence } from './defence/defence.ts';
import type { AgentGround } from './ground.ts';
import { makeDefence } from './node-defence.ts';
import type { AgentOptions, Opened } from './open.ts';
import type { PodManager } from './pods/pod-manager.ts';
import { DeviceWatch } from './sensors/device-watch.ts';
import { FactsKeeper } from './sensors/facts-keeper.ts';
import type { RunningContainer } from './sensors/pod-usage.ts';
import { Telemeter } from './sensors/telemeter.ts';

/** How often the facts are looked at again, at most, in ms; only while a hub listens. */
const FACTS_MS = 10_000;
/** How often to look whether the engine is back while it does not answer, in ms. */
const ENGINE_LOOK_MS = 250;
/** How long the link waits at the start for the engine's first answer, in ms: a restart of the agent is no failure of the engine. */
const ENGINE_WAIT_MS = 3_000;
const ENGINE_STEP_MS = 20;

/** What the board's side of an agent is put together from. */
export interface BoardParts {
  readonly options: AgentOptions;
  readonly opened: Opened;
  readonly ground: AgentGround;
  readonly nodeName: string;
  readonly pods: PodManager;
  readonly log: Logger;
  /** Ends every look at the engine. */
  readonly signal: AbortSignal;
  profile(): Profile;
  running(): RunningContainer[];
  /** The facts are not what they were. */
  onFacts(): void;
}

/**
 * The machine under the pods: its facts, devices and load, whether its engine answers, and its defence. Everything here is read when
 * somebody asks or something happened; only an engine that does not answer is looked at by a timer.
 */
export class Board {
  readonly #parts: BoardParts;
  readonly #devices: DeviceWatch;
  readonly #facts: FactsKeeper;
  readonly #defence: Defence;
  readonly #telemeter: Telemeter;
  #engineVersion = '';
  #factsMs = Number.NEGATIVE_INFINITY;
  #engineLook: Timer | undefined;

  constructor(parts: BoardParts) {
    this.#parts = parts;
    this.#devices = this.#makeDevices();
    this.#facts = this.#makeFacts();
    this.#defence = this.#makeDefence();
    this.#telemeter = new Telemeter(
      {
        files: parts.ground.files,
        diskPath: this.#diskPath(),
        cadence: () => parts.profile(),
        containers: () => parts.running(),
      },
      systemClock.monotonicMs(),
    );
  }

  get facts(): NodeFacts {
    return this.#facts.facts;
  }

  /** Resources of the profile's devices, and which of their units are plugged in. */
  get deviceStock(): { readonly names: string[]; readonly units: DeviceWatch['units'] } {
    return { names: this.#deviceNames(), units: this.#devices.units };
  }

  /** Begins to watch for devices that come and go. */
  start(): void {
    this.#devices.start();
  }

  async stop(): Promise<void> {
    this.#devices.stop();
    this.#engineLook?.cancel();
    await this.#defence.stop();
  }

  /** A new connection to the hub, made from `localAddress`: it is told everything from here on. */
  connected(localAddress: string | undefined): void {
    this.#facts.setAddress(localAddress);
    this.#facts.refresh();
    this.#telemeter.restart(this.#parts.opened.clock.monotonicMs());
  }

  /** The next telemetry to send; undefined when there is no news. */
  sample(): Uint8Array | undefined {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - this.#factsMs >= Math.min(FACTS_MS, this.#parts.profile().sampleMs)) this.refresh();
    return this.#telemeter.take(nowMs);
  }

  /** Looks at the machine again; the defence follows what it finds. */
  refresh(): void {
    const { pods } = this.#parts;
    this.#factsMs = systemClock.monotonicMs();
    if (pods.engineReady && this.#engineVersion === '') void this.#askEngine();
    if (!pods.engineReady) this.#engineVersion = '';
    if (this.#facts.refresh()) this.#parts.onFacts();
    if (!pods.engineReady) this.#lookAgain();
    this.#defence.look();
  }

  /** Images or containers of the engine came or went. */
  engineChanged(): void {
    this.#defence.engineChanged();
  }

  /** Resolves once the engine has answered, or after a few seconds without it. */
  async engineAnswered(): Promise<void> {
    const { pods, signal } = this.#parts;
    const { clock } = this.#parts.opened;
    const lateMs = clock.monotonicMs() + ENGINE_WAIT_MS;
    while (!pods.engineReady && clock.monotonicMs() < lateMs && !signal.aborted) {
      await sleep(clock, ENGINE_STEP_MS);
    }
  }

  /** Asks child processes what the board is. Never rejects. */
  async takeInventory(): Promise<void> {
    try {
      this.#facts.setInventory(await this.#parts.ground.takeInventory());
      this.refresh();
    } catch (err) {
      // Nice to have: the files of the machine have told the rest.
      this.#parts.log.warn('inventory of the board not taken', { err });
    }
  }

  #diskPath(): string {
    const { diskPath, dataDir } = this.#parts.options;
    return diskPath === '' ? dataDir : diskPath;
  }

  #deviceNames(): string[] {
    return this.#parts.profile().devices.map((device) => device.name);
  }

  #makeDevices(): DeviceWatch {
    const { opened, log, pods } = this.#parts;
    return new DeviceWatch({
      configs: this.#parts.profile().devices,
      clock: opened.clock,
      log: log.with({ room: 'sensors' }),
      onChange: () => {
        pods.devicesChanged();
        this.refresh();
      },
    });
  }

  #makeFacts(): FactsKeeper {
    const { options, opened, ground, nodeName, pods } = this.#parts;
    return new FactsKeeper({
      files: ground.files,
      diskPath: this.#diskPath(),
      agentVersion: VERSION,
      cpuCount: ground.cpuCount,
      platform: platform(),
      arch: arch(),
      kernelVersion: release(),
      nodeName: () => nodeName,
      profile: () => this.#parts.profile(),
      engine: () => ({ isReady: pods.engineReady, version: this.#engineVersion }),
      nowTime: () => toTime(opened.clock.nowMs()),
      removedVolumes: () => pods.removedVolumes,
      dataDir: resolve(options.dataDir),
      nowMs: () => opened.clock.monotonicMs(),
      devices: () => deviceCounts(this.#deviceNames(), this.#devices.units),
      // Asked once while the defence is still to be made.
      images: () => this.#defence?.imageFacts,
    });
  }

  #makeDefence(): Defence {
    const { opened, ground, log, nodeName, pods } = this.#parts;
    return makeDefence({
      clock: opened.clock,
      log,
      files: ground.files,
      diskPath: this.#diskPath(),
      store: ground.images,
      platform: ground.platform,
      pods: pods.defence,
      nodeName: () => nodeName,
      profile: () => this.#parts.profile(),
      reading: () => this.#facts.pressure,
      refresh: () => this.refresh(),
      onImagesChanged: () => this.refresh(),
    });
  }

  /** While the engine is away the node takes no pods: the hub shall hear at once that it is back. */
  #lookAgain(): void {
    const { pods, opened, signal } = this.#parts;
    this.#engineLook ??= opened.clock.after(ENGINE_LOOK_MS, () => {
      this.#engineLook = undefined;
      if (pods.engineReady) this.refresh();
      else if (!signal.aborted) this.#lookAgain();
    });
  }

  async #askEngine(): Promise<void> {
    const { ground, signal, log } = this.#parts;
    try {
      this.#engineVersion = (await ground.runtime.info(signal)).version;
    } catch (err) {
      // Asked again with the next look at the facts.
      log.debug('engine version not known yet', { err });
    }
  }
}
