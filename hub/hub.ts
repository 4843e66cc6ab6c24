import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { isDiskFull } from '../kit/durable-error.ts';
import { VERSION } from '../kit/version.ts';
import { type ApiDoorOptions, type HubPlaces, makeApiDoor } from './api-door.ts';
import { ApiServiceController } from './controllers/api-service.ts';
import { type Ground, type GroundOptions, openGround } from './ground.ts';
import type { Loop } from './loop.ts';
import type { Authority } from './pki/authority.ts';
import { ensureKubeconfig } from './pki/kubeconfig.ts';
import { makeRooms, type RoomsOptions } from './rooms.ts';
import { TurnMeter } from './turn-meter.ts';
import { startUpkeep } from './upkeep.ts';

/** What a hub is made from; see hubSettings for the meaning of each. Ports of 0 take free ones. */
export interface HubOptions extends GroundOptions, RoomsOptions, ApiDoorOptions {
  /** Names and addresses that others reach the hub at; none: this machine alone. */
  readonly advertise: readonly string[];
}

/** Where a running hub is reached. */
export interface HubAddresses {
  readonly apiPort: number;
  readonly mqttPort: number;
  readonly kubeconfig: string;
}

/**
 * All rooms of the hub put together. Starts from the inside out: state, then loops, then the doors, so that nobody is let in
 * before there is something to answer; stops the other way round.
 */
export class Hub {
  readonly #o: HubOptions;
  readonly #stops: (() => Promise<void> | void)[] = [];
  readonly #onStop = (stop: () => Promise<void> | void): void => void this.#stops.push(stop);

  constructor(options: HubOptions) {
    this.#o = options;
  }

  /** Resolves once API and broker listen and the kubeconfig is written. Rejects when anything cannot be opened; call `stop` then too. */
  async start(): Promise<HubAddresses> {
    const { clock, log } = this.#o;
    const hosts = this.#o.advertise.length > 0 ? this.#o.advertise : ['127.0.0.1'];
    const ground = await openGround(this.#o, hosts, this.#onStop);
    const { authority, broker, store } = ground;
    const rooms = makeRooms(this.#o, ground, this.#onStop);
    this.#run(rooms.loops);

    const mqttPort = broker?.port ?? 0;
    let { apiPort } = this.#o;
    const urls = (scheme: string, port: number): string[] =>
      hosts.map((host) => `${scheme}://${bracketed(host)}:${port}`);
    const places: HubPlaces = () => ({
      mqtt: broker === undefined ? [this.#o.broker] : urls('mqtts', mqttPort),
      api: urls('https', apiPort),
    });
    const turns = new TurnMeter();
    turns.start();
    this.#onStop(() => turns.stop());
    const api = makeApiDoor(this.#o, ground, rooms, turns, places);
    apiPort = (await api.start()).port;
    this.#onStop(() => api.stop());
    const { serviceCidr } = this.#o;
    this.#run([new ApiServiceController(rooms.deps, { hosts, port: apiPort, serviceCidr })]);
    await this.#startLink(ground);

    this.#onStop(startUpkeep({ authority, broker, api, store, clock, log }));
    const kubeconfig = await this.#writeKubeconfig(authority, places().api[0] ?? '');
    log.info('hub ready', { version: VERSION, cluster: authority.clusterId, ...places(), kubeconfig });
    return { apiPort, mqttPort, kubeconfig };
  }

  /** Ends everything in the reverse order of its start; state is durable at every moment, so nothing needs saving. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0).reverse()) await stop();
  }

  async #writeKubeconfig(authority: Authority, server: string): Promise<string> {
    const { dataDir, clock, log } = this.#o;
    const path = join(dataDir, 'kubeconfig');
    try {
      await ensureKubeconfig(authority, { path, server, clock });
    } catch (err) {
      // Devices and everybody with a certificate are served all the same; somebody must get in to make room.
      if (!isDiskFull(err)) throw err;
      log.warn('disk full: kubeconfig not written, the next start tries again', { path, err });
    }
    return path;
  }

  #run(loops: readonly Loop[]): void {
    const ending = new AbortController();
    // Every loop listens for the end: many are no leak.
    setMaxListeners(0, ending.signal);
    for (const loop of loops) {
      loop.start(ending.signal);
      this.#onStop(() => loop.stop());
    }
  }

  /** A broker of our own is there at once; somebody else's may come later. */
  async #startLink({ link, broker }: Ground): Promise<void> {
    const { log } = this.#o;
    const started = link.start();
    this.#onStop(() => link.stop());
    if (broker !== undefined) await started;
    else void started.catch((err: unknown) => log.warn('link to the broker ended before it was up', { err }));
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
