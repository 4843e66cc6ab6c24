import type { DeviceLink } from '../../hub/fleet/device-link.ts';
import type { Clock, Timer } from '../../kit/clock.ts';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import { decodeControl, decodeReport, encodeMessage } from '../../protocol/wire/decode.ts';
import type {
  Control,
  DesiredMessage,
  DesiredPod,
  EventReport,
  Item,
  NodeFacts,
  PodUsage,
  Report,
  Telemetry,
} from '../../protocol/wire/messages.ts';

/** A link in memory: every message goes through the real encoding, in order, a turn of the loop later. */
export class MemoryLink implements DeviceLink {
  readonly devices = new Map<string, MemoryDevice>();
  readonly sent: { node: string; message: Control }[] = [];
  #report: ((node: string, report: Report) => void)[] = [];
  #heartbeat: ((node: string, sample: Telemetry | undefined) => void)[] = [];
  #frame: ((node: string, stream: string, frame: Uint8Array) => void)[] = [];

  async sendControl(node: string, message: Control): Promise<void> {
    const decoded = decodeControl(encodeMessage(message));
    if (!decoded.ok) throw new Error(`the hub sent nonsense: ${decoded.why}`);
    this.sent.push({ node, message: decoded.value });
    await new Promise((resolve) => setImmediate(resolve));
    this.devices.get(node)?.receive(decoded.value);
  }

  sendFrame(node: string, stream: string, frame: Uint8Array): void {
    this.devices.get(node)?.onFrame?.(stream, frame);
  }

  onReport(listener: (node: string, report: Report) => void): void {
    this.#report.push(listener);
  }

  onHeartbeat(listener: (node: string, sample: Telemetry | undefined) => void): void {
    this.#heartbeat.push(listener);
  }

  onFrame(listener: (node: string, stream: string, frame: Uint8Array) => void): void {
    this.#frame.push(listener);
  }

  report(node: string, report: Report): void {
    const decoded = decodeReport(encodeMessage(report));
    if (!decoded.ok) throw new Error(`the device sent nonsense: ${decoded.why}`);
    setImmediate(() => {
      for (const listener of this.#report) listener(node, decoded.value);
    });
  }

  heartbeat(node: string, sample?: Telemetry): void {
    for (const listener of this.#heartbeat) listener(node, sample);
  }

  frame(node: string, stream: string, frame: Uint8Array): void {
    for (const listener of this.#frame) listener(node, stream, frame);
  }
}

const HEARTBEAT_MS = 3_000;

/** A device that keeps to docs/wire.md and pretends that containers start and stop at once. */
export class MemoryDevice {
  readonly name: string;
  readonly held = new Map<string, Item>();
  readonly running = new Map<string, PodStatus>();
  /** Volumes with a folder on the device. */
  readonly volumes = new Set<string>();
  #removed: readonly string[] = [];
  /** Containers started since the beginning, to see that nothing churns. */
  starts = 0;
  cluster = '';
  gen = 0;
  /** Busy share of its CPU, 0..1. */
  cpuRatio = 0.05;
  /** Use of the pods it runs, by uid; undefined tells nothing of pods. */
  useOf: ((uid: string) => PodUsage) | undefined;
  /** False for beats without a sample, as of a device that has nothing to tell yet. */
  tells = true;
  onFrame: ((stream: string, frame: Uint8Array) => void) | undefined;
  /** True for containers that do not end when they are told to, until `letGo`. */
  lingers = false;
  refusals = 0;
  acks: { boot: string; seq: number }[] = [];
  #link: MemoryLink;
  readonly #clock: Clock;
  readonly #facts: NodeFacts;
  #boot = 0;
  #seq = 0;
  #online = false;
  #staged: Item[] = [];
  #beat: Timer | undefined;

  constructor(link: MemoryLink, clock: Clock, name: string, facts: Partial<NodeFacts> = {}) {
    this.name = name;
    this.#link = link;
    this.#clock = clock;
    this.#facts = { ...FACTS, ...facts };
  }

  /** The only container of a pod ends; the device says so now, or once it is connected again. */
  end(uid: string, exitCode = 0): void {
    const status = this.running.get(uid);
    if (status === undefined) throw new Error(`${this.name} does not run ${uid}`);
    const finishedAt = `${new Date(this.#clock.nowMs()).toISOString().slice(0, 19)}Z`;
    this.running.set(uid, {
      ...status,
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: finishedAt }],
      containerStatuses: (status.containerStatuses ?? []).map((c) => ({
        ...c,
        ready: false,
        state: { terminated: { exitCode, finishedAt } },
      })),
    });
    const held = [...this.held.values()].find(
      (item) => item.kind === 'pod' && item.body.metadata.uid === uid,
    );
    if (held?.kind === 'pod') this.say({ t: 'status', ...this.head(), pods: [this.#podReport(held.body)] });
  }

  /** Whatever was told to end has ended, and from now on ends at once. */
  letGo(): void {
    this.lingers = false;
    const ending = [...this.held.values()].flatMap((item) =>
      item.kind === 'pod' && item.body.metadata.deletionTimestamp !== undefined ? [item.body] : [],
    );
    for (const pod of ending) this.#run(pod);
    this.say({ t: 'status', ...this.head(), pods: ending.map((pod) => this.#podReport(pod)) });
  }

  /** Boots or reconnects. A new boot has a new id and starts its cached pods. */
  connect(newBoot = true): void {
    if (newBoot) {
      this.#boot += 1;
      this.#seq = 0;
      for (const item of this.held.values()) if (item.kind === 'pod') this.#run(item.body);
    }
    this.#online = true;
    this.#link.devices.set(this.name, this);
    this.hello();
    this.#beat?.cancel();
    this.#heartbeat();
  }

  /** Silent from now on; what runs goes on running. */
  cut(): void {
    this.#online = false;
    this.#beat?.cancel();
    this.#link.devices.delete(this.name);
  }

  /** The way is free again without a new connection: heartbeats just go on. */
  heal(): void {
    this.#online = true;
    this.#link.devices.set(this.name, this);
    this.#heartbeat();
  }

  /** Talks to another hub from now on. */
  moveTo(link: MemoryLink): void {
    this.#link = link;
  }

  hello(): void {
    const have = Object.fromEntries([...this.held.values()].map((item) => [item.key, item.rev]));
    this.say({
      t: 'hello',
      ...this.head(),
      versions: [1],
      agent: '0.1.0',
      cluster: this.cluster,
      gen: this.gen,
      have,
      facts: { ...this.#facts, removedVolumes: this.#removed },
    });
  }

  event(event: EventReport): void {
    this.say({ t: 'events', ...this.head(), events: [event] });
  }

  facts(facts: Partial<NodeFacts>): void {
    this.say({
      t: 'facts',
      ...this.head(),
      facts: { ...this.#facts, removedVolumes: this.#removed, ...facts },
    });
  }

  receive(message: Control): void {
    if (message.t === 'ack') this.acks.push({ boot: message.boot, seq: message.seq });
    if (message.t === 'welcome') this.inventory();
    if (message.t === 'hello?') this.hello();
    if (message.t === 'desired') this.#desired(message);
  }

  inventory(): void {
    const pods = [...this.held.values()].flatMap((item) =>
      item.kind === 'pod' ? [this.#podReport(item.body)] : [],
    );
    this.say({ t: 'status', ...this.head(), full: true, pods });
  }

  head(): { boot: string; seq: number } {
    this.#seq += 1;
    return { boot: `boot-${this.#boot}`, seq: this.#seq };
  }

  say(report: Report): void {
    if (this.#online) this.#link.report(this.name, report);
  }

  #desired(message: DesiredMessage): void {
    if (message.more === true) {
      this.#staged.push(...message.items);
      return;
    }
    const refusal = this.#refusal(message);
    if (refusal !== undefined) {
      this.#refuse(refusal, message.gen);
      return;
    }
    const content = new Map([...this.#staged, ...message.items].map((item) => [item.key, item]));
    this.#staged = [];
    const before = new Map(this.held);
    if (message.base !== null && message.base !== this.gen) {
      this.#sync();
      return;
    }
    const keys =
      message.base === null
        ? Object.entries(message.set)
        : Object.entries({
            ...Object.fromEntries([...before.values()].map((i) => [i.key, i.rev])),
            ...message.set,
          }).filter(([key]) => !message.del.includes(key));
    this.held.clear();
    for (const [key, rev] of keys) {
      const item = content.get(key) ?? before.get(key);
      if (item?.rev !== rev) {
        this.held.clear();
        for (const [k, i] of before) this.held.set(k, i);
        this.#sync();
        return;
      }
      this.held.set(key, item);
    }
    this.gen = message.gen;
    this.cluster = message.cluster;
    this.#act(before);
    this.#removeVolumes();
  }

  #removeVolumes(): void {
    const node = this.held.get('node');
    const asked = node?.kind === 'node' ? (node.body.removeVolumes ?? []) : [];
    for (const volume of asked) this.volumes.delete(volume);
    if (asked.join() === this.#removed.join()) return;
    this.#removed = asked;
    this.facts({});
  }

  #refusal({ cluster, base, gen }: DesiredMessage): 'OtherCluster' | 'OlderGeneration' | undefined {
    if (this.cluster !== '' && cluster !== this.cluster) return 'OtherCluster';
    return base === null && gen < this.gen ? 'OlderGeneration' : undefined;
  }

  #refuse(reason: 'OtherCluster' | 'OlderGeneration', offeredGen: number): void {
    this.refusals += 1;
    const pods = [...this.held.values()].flatMap((item) =>
      item.kind === 'pod'
        ? [
            {
              uid: item.body.metadata.uid,
              namespace: item.body.metadata.namespace ?? '',
              name: item.body.metadata.name,
            },
          ]
        : [],
    );
    this.say({
      t: 'refused',
      ...this.head(),
      reason,
      cluster: this.cluster,
      gen: this.gen,
      offeredGen,
      pods,
    });
  }

  #sync(): void {
    const have = Object.fromEntries([...this.held.values()].map((item) => [item.key, item.rev]));
    this.say({ t: 'sync', ...this.head(), cluster: this.cluster, gen: this.gen, have });
  }

  #act(before: ReadonlyMap<string, Item>): void {
    for (const [key, item] of before) {
      if (item.kind === 'pod' && !this.held.has(key)) this.running.delete(item.body.metadata.uid);
    }
    const changed = [...this.held.values()].flatMap((item) => {
      if (item.kind !== 'pod' || before.get(item.key)?.rev === item.rev) return [];
      this.#run(item.body);
      return [this.#podReport(item.body)];
    });
    if (changed.length > 0) this.say({ t: 'status', ...this.head(), pods: changed });
  }

  #run(pod: DesiredPod): void {
    const { uid, deletionTimestamp } = pod.metadata;
    if (deletionTimestamp !== undefined) {
      if (!this.lingers) this.running.delete(uid);
      return;
    }
    if (this.running.has(uid)) return;
    this.starts += 1;
    for (const { volume } of Object.values(pod.claims ?? {})) this.volumes.add(volume);
    const time = new Date(this.#clock.nowMs()).toISOString();
    this.running.set(uid, {
      phase: 'Running',
      startTime: time,
      podIP: `10.42.0.${this.starts}`,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: time }],
      containerStatuses: pod.spec.containers.map((c) => ({
        name: c.name,
        ready: true,
        restartCount: 0,
        image: c.image,
        imageID: '',
        state: { running: { startedAt: time } },
      })),
    });
  }

  #podReport({ metadata: { uid, name, namespace = '' } }: DesiredPod): {
    uid: string;
    name: string;
    namespace: string;
    gone?: boolean;
    status: PodStatus;
  } {
    const status = this.running.get(uid);
    return status === undefined
      ? { uid, name, namespace, gone: true, status: { phase: 'Succeeded' } }
      : { uid, name, namespace, status };
  }

  #heartbeat(): void {
    if (!this.#online) return;
    this.#link.heartbeat(this.name, this.tells ? this.#sample() : undefined);
    this.#beat = this.#clock.after(this.#facts.heartbeatMs, () => this.#heartbeat());
  }

  #sample(): Telemetry {
    const { useOf } = this;
    return {
      windowMs: this.#facts.heartbeatMs,
      cpuRatio: this.cpuRatio,
      memoryUsedBytes: 200 * 2 ** 20,
      memoryTotalBytes: this.#facts.memoryBytes,
      diskRatio: 0.2,
      ...(useOf === undefined
        ? {}
        : {
            pods: Object.fromEntries([...this.running.keys()].map((uid) => [uid.slice(0, 8), useOf(uid)])),
          }),
    };
  }
}

const FACTS: NodeFacts = {
  cpuMilli: 2000,
  memoryBytes: 2 ** 30,
  diskBytes: 2 ** 34,
  maxPods: 110,
  reservedCpuMilli: 100,
  reservedMemoryBytes: 100 * 2 ** 20,
  profile: 'pi-4',
  heartbeatMs: HEARTBEAT_MS,
  leaseMs: 8_000,
  labels: {},
  addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
  system: {
    machineID: 'm',
    systemUUID: 's',
    bootID: 'b',
    kernelVersion: '6',
    osImage: 'Debian',
    containerRuntimeVersion: 'docker://20.10.24',
    kubeletVersion: 'v1.32.0-coxswain',
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: 'arm64',
  },
  conditions: [{ type: 'EngineReady', status: 'True' }],
};
