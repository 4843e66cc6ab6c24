import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { Clock } from '../kit/clock.ts';
import { isDiskFull } from '../kit/durable-error.ts';
import type { Logger } from '../kit/logger.ts';
import { VERSION } from '../kit/version.ts';
import { kinds } from '../protocol/kinds/index.ts';
import { ApiServer } from './api/server.ts';
import { AuditLog } from './audit/audit-log.ts';
import type { BrokerAddress } from './broker/device-link.ts';
import { EmbeddedBroker } from './broker/embedded.ts';
import { HubLink } from './broker/hub-link.ts';
import { Refusals } from './broker/refusals.ts';
import { allKinds, controlLoops, type SharedParts } from './control-loops.ts';
import { ApiServiceController } from './controllers/api-service.ts';
import { CustomResources } from './controllers/custom-resources.ts';
import { PersistentVolumeController } from './controllers/persistent-volumes.ts';
import { EventRecorder } from './events/event-recorder.ts';
import { Fleet } from './fleet/fleet.ts';
import { Liveness } from './fleet/liveness.ts';
import { telemetryPort } from './live-source.ts';
import type { Loop, LoopDeps } from './loop.ts';
import { nodeMetrics, refusedMetrics, storeMetrics } from './metrics.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { openPeople } from './people.ts';
import type { Authority } from './pki/authority.ts';
import { joinRoutes } from './pki/join-routes.ts';
import { ensureKubeconfig } from './pki/kubeconfig.ts';
import { decodeProtobuf } from './protobuf/decode.ts';
import { OpenApiStore } from './schema/openapi-store.ts';
import { openState } from './state.ts';
import { TelemetryView } from './telemetry/telemetry-view.ts';
import { TurnMeter } from './turn-meter.ts';
import { startUpkeep, tlsOf } from './upkeep.ts';

/** What a hub is made from; see hubSettings for the meaning of each. Ports of 0 take free ones. */
export interface HubOptions {
  readonly dataDir: string;
  readonly bind: string;
  readonly advertise: readonly string[];
  readonly apiPort: number;
  readonly mqttPort: number;
  /** Empty for the embedded broker. */
  readonly broker: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly tolerationSeconds: number;
  readonly rebalanceAfterSeconds: number;
  readonly failedPodsKept?: number;
  readonly terminatedPodsKept?: number;
  /** File that requests are noted in; empty for none. */
  readonly auditLog: string;
  readonly auditLogMaxMib: number;
  /** Folder of the API descriptions that the build made. */
  readonly schemaDir: string;
  readonly clock: Clock;
  readonly log: Logger;
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

  constructor(options: HubOptions) {
    this.#o = options;
  }

  /** Resolves once API and broker listen and the kubeconfig is written. Rejects when anything cannot be opened; call `stop` then too. */
  async start(): Promise<HubAddresses> {
    const { dataDir, clock, log } = this.#o;
    const hosts = this.#o.advertise.length > 0 ? this.#o.advertise : ['127.0.0.1'];
    const opened = await openState({ ...this.#o, hosts });
    this.#stops.push(() => opened.close());
    const { authority, map, store } = opened;
    const people = await openPeople({ store, authority, pkiDir: join(dataDir, 'pki'), clock, log });
    this.#stops.push(() => people.stop());
    const audit = await this.#openAuditLog();

    const refusals = new Refusals(clock, log.with({ room: 'broker' }));
    const broker = await this.#openBroker(authority, refusals);
    const address: BrokerAddress =
      broker === undefined ? { url: this.#o.broker } : { inProcess: () => broker.connectInProcess() };
    const link = new HubLink({
      broker: address,
      clientId: 'coxswain-hub',
      clock,
      log: log.with({ room: 'broker' }),
      refusals,
    });

    const events = new EventRecorder({ client: store, clock, log, component: 'coxswain-hub' });
    this.#stops.push(() => events.stop());
    const deps: LoopDeps = { view: store, client: store, clock, log, events };
    const telemetry = new TelemetryView(clock);
    const liveness = new Liveness({ clock });
    this.#stops.push(() => liveness.stop());
    const volumes = new PersistentVolumeController(deps);
    const fleet = new Fleet({
      ...deps,
      volumes,
      link,
      liveness,
      telemetry,
      deviceEvents: events,
      identity: { clusterId: authority.clusterId, clusterCidr: this.#o.clusterCidr },
      tokens: people.issuer,
      hubName: `coxswain-hub/${VERSION}`,
      newStreamId: randomUUID,
    });
    const custom = new CustomResources(deps, store, kinds);
    const servedKinds = allKinds(() => custom.served());
    const caPem = authority.caPem;
    const rebalanceAfterMs = this.#o.rebalanceAfterSeconds * 1000;
    this.#run([
      ...controlLoops(deps, {
        custom,
        volumes,
        liveness,
        telemetry,
        rebalanceAfterMs,
        caPem,
        kept: keptPods(this.#o),
      }),
      ...people.loops(deps),
      fleet,
    ]);

    const mqttPort = broker?.port ?? 0;
    let apiPort = this.#o.apiPort;
    const urls = (scheme: string, port: number): string[] =>
      hosts.map((host) => `${scheme}://${bracketed(host)}:${port}`);
    const addresses = (): { mqtt: string[]; api: string[] } => ({
      mqtt: broker === undefined ? [this.#o.broker] : urls('mqtts', mqttPort),
      api: urls('https', apiPort),
    });
    const turns = new TurnMeter();
    turns.start();
    this.#stops.push(() => turns.stop());
    const api = new ApiServer({
      tls: tlsOf(authority),
      addresses: [this.#o.bind],
      port: this.#o.apiPort,
      kinds,
      customKinds: () => custom.served(),
      store,
      codec: { decodeProtobuf, applyJsonPatch },
      openApi: new OpenApiStore(servedKinds, this.#o.schemaDir),
      streams: {
        open: async (pod, request, { onData, onEnd, onClose }) =>
          fleet.streams.open(pod, request, { onData, onEnd: (channel) => onEnd?.(channel), onClose }),
      },
      telemetry: telemetryPort(telemetry, store),
      ...people.ports,
      extraRoutes: [
        ...joinRoutes({
          authority,
          view: store,
          client: store,
          clock,
          log: log.with({ room: 'pki' }),
          addresses,
        }),
        ...people.routes(() => addresses().api[0] ?? ''),
      ],
      ...(audit === undefined ? {} : { audit: (event) => audit.record(event) }),
      metrics: () => [
        ...nodeMetrics(store.list('Node'), telemetry),
        ...refusedMetrics(refusals),
        ...storeMetrics(map),
        ...turns.metrics(),
      ],
      log: log.with({ room: 'api' }),
      clock,
    });
    apiPort = (await api.start()).port;
    this.#stops.push(() => api.stop());
    const { serviceCidr } = this.#o;
    this.#run([new ApiServiceController(deps, { hosts, port: apiPort, serviceCidr })]);
    const started = link.start();
    this.#stops.push(() => link.stop());
    if (broker !== undefined) await started;
    else void started.catch((err: unknown) => log.warn('link to the broker ended before it was up', { err }));

    this.#stops.push(startUpkeep({ authority, broker, api, store, clock, log }));
    const kubeconfig = await this.#writeKubeconfig(authority, urls('https', apiPort)[0] ?? '');
    log.info('hub ready', {
      version: VERSION,
      cluster: authority.clusterId,
      api: urls('https', apiPort),
      mqtt: addresses().mqtt,
      kubeconfig,
    });
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
      this.#stops.push(() => loop.stop());
    }
  }

  async #openAuditLog(): Promise<AuditLog | undefined> {
    const { auditLog: path, auditLogMaxMib, log } = this.#o;
    if (path === '') return undefined;
    const maxBytes = auditLogMaxMib * 1024 * 1024;
    const audit = await AuditLog.open({ path, maxBytes, log: log.with({ room: 'audit' }) });
    this.#stops.push(() => audit.close());
    return audit;
  }

  async #openBroker(authority: Authority, refusals: Refusals): Promise<EmbeddedBroker | undefined> {
    if (this.#o.broker !== '') return undefined;
    const { bind, mqttPort, clock, log } = this.#o;
    const broker = new EmbeddedBroker({
      trust: authority,
      host: bind,
      port: mqttPort,
      clock,
      log: log.with({ room: 'broker' }),
      refusals,
    });
    await broker.start();
    this.#stops.push(() => broker.stop());
    return broker;
  }
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function keptPods({ failedPodsKept, terminatedPodsKept }: HubOptions): SharedParts['kept'] {
  return {
    ...(failedPodsKept === undefined ? {} : { keepFailedPods: failedPodsKept }),
    ...(terminatedPodsKept === undefined ? {} : { keepTerminatedPods: terminatedPodsKept }),
  };
}
