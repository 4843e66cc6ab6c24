import type { Pod } from '../../protocol/kinds/pod.ts';
import {
  type Control,
  type HelloReport,
  type Report,
  type Telemetry,
  WIRE_VERSIONS,
} from '../../protocol/wire/messages.ts';
import type { Change } from '../cluster.ts';
import { leaseMsOf } from '../decide/node-object.ts';
import { type Loop, type LoopDeps, referenceTo } from '../loop.ts';
import type { DeviceLink } from './device-link.ts';
import { Dispatcher, type FleetIdentity } from './dispatcher.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import type { Liveness } from './liveness.ts';
import { PodTokens, type TokenIssuer } from './pod-tokens.ts';
import { isRefusing, isStranger, Refusals, strangerAnnotations } from './refusals.ts';
import { Registrar } from './registrar.ts';
import { type DeviceEventSink, ReportInbox } from './report-inbox.ts';
import { Sessions } from './sessions.ts';
import { DeviceStreams } from './streams.ts';

/** Takes heartbeats and forgets nodes; the telemetry room implements it. */
export interface TelemetrySink {
  accept(node: string, sample: Telemetry | undefined, heartbeatMs?: number): void;
  forget(node: string): void;
  forgetPod(node: string, uid: string): void;
}

/** Hears which of the volumes that a device was told to remove it holds nothing of any more. */
export interface VolumeSink {
  removed(node: string, volumes: readonly string[]): void;
}

/** What the fleet is built from beside the usual. */
export interface FleetDeps extends LoopDeps {
  readonly link: DeviceLink;
  readonly liveness: Liveness;
  readonly telemetry: TelemetrySink;
  readonly deviceEvents: DeviceEventSink;
  readonly volumes?: VolumeSink;
  readonly identity: FleetIdentity;
  /** Signs the tokens that pods ask for. */
  readonly tokens: TokenIssuer;
  /** The hub's own name in the welcome, for people who read logs of devices. */
  readonly hubName: string;
  /** A random, unguessable stream id. */
  readonly newStreamId: () => string;
}

/** How often a device that the hub does not know is asked to say hello, at most. */
const ASK_HELLO_MS = 3_000;
const DEFAULT_LEASE_MS = 8_000;
const NOTHING_YET = { t: 'desired', gen: 0, base: null, items: [], set: {}, del: [] } as const;

/**
 * The hub's side of every device's conversation (docs/wire.md): sessions, registration, desired state down, reports up, leases,
 * streams. One writer per field: what it may write stands in docs/architecture.md.
 */
export class Fleet implements Loop {
  /** Logs, exec, attach and port-forward, for the API. */
  readonly streams: DeviceStreams;
  readonly #deps: FleetDeps;
  readonly #sessions = new Sessions();
  readonly #registrar: Registrar;
  readonly #dispatcher: Dispatcher;
  readonly #tokens: PodTokens;
  readonly #inbox: ReportInbox;
  readonly #refusals: Refusals;
  readonly #leases: LeaseKeeper;
  readonly #askedAtMs = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  #running = false;

  constructor(deps: FleetDeps) {
    this.#deps = { ...deps, log: deps.log.with({ room: 'fleet' }) };
    const { link, identity, deviceEvents } = deps;
    this.#tokens = new PodTokens(this.#deps, deps.tokens, {
      isHeard: (node) => deps.liveness.isHeard(node),
      trigger: (node) => this.#dispatcher.trigger(node),
    });
    this.#dispatcher = new Dispatcher(this.#deps, link, this.#sessions, identity, this.#tokens);
    this.#registrar = new Registrar(this.#deps, identity.clusterCidr, (node) =>
      this.#dispatcher.trigger(node),
    );
    this.#inbox = new ReportInbox(this.#deps, link, this.#sessions, deviceEvents, (node) =>
      this.#sendWhole(node),
    );
    this.#refusals = new Refusals(this.#deps, (node) => this.#follow(node));
    this.#leases = new LeaseKeeper(this.#deps);
    this.streams = new DeviceStreams({
      link,
      isConnected: (node) => this.#sessions.get(node) !== undefined && deps.liveness.isHeard(node),
      newId: deps.newStreamId,
    });
    link.onReport((node, report) => this.#onReport(node, report));
    link.onHeartbeat((node, sample) => this.#onHeartbeat(node, sample));
  }

  start(signal: AbortSignal): void {
    const { view, liveness } = this.#deps;
    for (const node of view.list('Node')) {
      const ready = node.status?.conditions?.find((c) => c.type === 'Ready')?.status;
      liveness.expect(node.metadata.name, leaseMsOf(node, DEFAULT_LEASE_MS), ready !== 'Unknown');
    }
    this.#dispatcher.start();
    this.#stops.push(
      view.subscribe((change) => this.#onChange(change)),
      liveness.subscribe((node) => this.#onLiveness(node)),
    );
    this.#running = true;
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  async stop(): Promise<void> {
    this.#running = false;
    for (const stop of this.#stops.splice(0)) stop();
    this.#tokens.stop();
    this.streams.endAll('the hub is stopping');
    await Promise.all([
      this.#registrar.stop(),
      this.#dispatcher.stop(),
      this.#inbox.stop(),
      this.#refusals.stop(),
    ]);
  }

  #onChange(change: Change): void {
    this.#dispatcher.onChange(change);
    this.#refusals.onChange(change);
    if (change.type !== 'deleted') return;
    const { telemetry, liveness } = this.#deps;
    if (change.kind === 'Node') {
      telemetry.forget(change.object.metadata.name);
      liveness.forget(change.object.metadata.name);
      this.#registrar.forget(change.object.metadata.name);
    }
    if (change.kind === 'Pod') {
      const { metadata, spec } = change.object as Pod;
      if (spec.nodeName !== undefined) telemetry.forgetPod(spec.nodeName, metadata.uid);
    }
  }

  #onLiveness(node: string): void {
    if (this.#deps.liveness.isHeard(node)) return;
    this.#deps.log.warn('device silent', { node });
    this.streams.endAll(`the device "${node}" has gone silent`, node);
  }

  #onHeartbeat(node: string, sample: Telemetry | undefined): void {
    if (!this.#running) return;
    const session = this.#sessions.get(node);
    this.#deps.telemetry.accept(node, sample, session?.heartbeatMs);
    if (session === undefined) {
      this.#askHello(node);
      return;
    }
    if (this.#noteHeard(node, session.leaseMs)) return;
    // It was lost and comes back without a new connection: pods were marked not ready meanwhile, its word is needed anew.
    this.#askHello(node);
  }

  /** True when the node was heard all along. A node that was deleted is heard only after it says hello again. */
  #noteHeard(node: string, leaseMs: number): boolean {
    if (this.#deps.view.get('Node', '', node) === undefined) return true;
    this.#leases.heard(node, leaseMs);
    return this.#deps.liveness.heard(node, leaseMs);
  }

  #onReport(node: string, report: Report): void {
    if (!this.#running) return;
    if (report.t === 'hello') {
      this.#onHello(node, report);
      return;
    }
    const session = this.#sessions.get(node);
    if (session?.boot !== report.boot) {
      this.#askHello(node);
      return;
    }
    if (!this.#noteHeard(node, session.leaseMs)) this.#askHello(node);
    if (report.seq <= session.seq) return;
    switch (report.t) {
      case 'facts':
        session.heartbeatMs = report.facts.heartbeatMs;
        session.leaseMs = report.facts.leaseMs;
        this.#registrar.update(node, report.facts);
        if (!session.refused) this.#deps.volumes?.removed(node, report.facts.removedVolumes ?? []);
        break;
      case 'sync':
        session.held = { gen: report.gen, index: new Map(Object.entries(report.have)) };
        session.needsFull = true;
        this.#dispatcher.trigger(node);
        break;
      case 'refused':
        session.refused = true;
        this.#refusals.put(node, report);
        break;
      case 'status':
      case 'events':
        // Not taken means not acknowledged: its number stays free for when it is sent again.
        if (!this.#inbox.put(node, report)) return;
    }
    session.seq = report.seq;
  }

  #onHello(node: string, hello: HelloReport): void {
    const { log, liveness, view } = this.#deps;
    const version = WIRE_VERSIONS.find((v) => hello.versions.includes(v));
    if (version === undefined) {
      this.#noCommonVersion(node, hello);
      return;
    }
    const object = view.get('Node', '', node);
    const { clusterId } = this.#deps.identity;
    const knowsPod = (uid: string): boolean => view.byUid('Pod', uid) !== undefined;
    const isStrange = isStranger(hello, clusterId, object, knowsPod);
    const refuses = isStrange || isRefusing(object);
    if (this.#sessions.begin(node, hello, refuses) === undefined) return;
    log.info('device connected', {
      node,
      agent: hello.agent,
      boot: hello.boot,
      gen: hello.gen,
      items: Object.keys(hello.have).length,
    });
    this.streams.endAll(`the device "${node}" connected anew`, node);
    liveness.heard(node, hello.facts.leaseMs);
    this.#leases.heard(node, hello.facts.leaseMs);
    this.#send(node, {
      t: 'welcome',
      cluster: clusterId,
      version,
      hub: this.#deps.hubName,
      atMs: this.#deps.clock.nowMs(),
    });
    // Generation 0 is older than any: the answer names what the device keeps running, for people to decide.
    if (refuses) this.#send(node, { ...NOTHING_YET, cluster: clusterId });
    // A known node need not wait for its object to be brought up to date.
    if (object?.spec.podCIDR !== undefined) this.#dispatcher.trigger(node);
    // A device that follows another hub's word has removed nothing on ours.
    if (!refuses) this.#deps.volumes?.removed(node, hello.facts.removedVolumes ?? []);
    this.#registrar.register(node, hello.facts, isStrange ? strangerAnnotations(hello) : {});
  }

  #noCommonVersion(node: string, hello: HelloReport): void {
    const { log, view, events } = this.#deps;
    log.error('device speaks no common wire version', { node, versions: hello.versions, agent: hello.agent });
    const object = view.get('Node', '', node);
    if (object === undefined) return;
    events.record({
      involved: referenceTo(object),
      type: 'Warning',
      reason: 'NoCommonWireVersion',
      message: `The agent ${hello.agent} speaks wire versions ${hello.versions.join(', ')}, this hub ${WIRE_VERSIONS.join(', ')}.`,
      replaces: true,
    });
  }

  /** The device and the hub disagree on what it holds: the whole index settles it. */
  #sendWhole(node: string): void {
    const session = this.#sessions.get(node);
    if (session === undefined) return;
    session.held = { gen: session.held.gen, index: new Map() };
    session.needsFull = true;
    this.#dispatcher.trigger(node);
  }

  #follow(node: string): void {
    const session = this.#sessions.get(node);
    if (session !== undefined) session.refused = false;
    this.#sendWhole(node);
  }

  #askHello(node: string): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const lastMs = this.#askedAtMs.get(node);
    if (lastMs !== undefined && nowMs - lastMs < ASK_HELLO_MS) return;
    this.#askedAtMs.set(node, nowMs);
    this.#send(node, { t: 'hello?' });
  }

  #send(node: string, message: Control): void {
    this.#deps.link.sendControl(node, message).catch((err: unknown) => {
      // Safe: a device without an answer says hello again, and its next message makes the hub ask again.
      this.#deps.log.debug('message not sent', { node, what: message.t, err });
    });
  }
}
