import type { Logger } from '../../kit/logger.ts';
import { contains, parseRange } from '../../protocol/ipv4.ts';
import type { NodeItem } from '../../protocol/wire/messages.ts';
import type { DnsChoice, LogLimits } from '../decide/container-spec.ts';
import type { NodePlatform } from '../decide/image-platform.ts';
import { allocateAddress, gatewayOf } from '../decide/pod-address.ts';
import { isRuntimeError } from '../decide/runtime-error.ts';
import type { NodeServices } from './pod-cell.ts';
import type { EngineInfo, Runtime } from './ports.ts';

/** Facts of the node that pods may ask for, and how its pod network is to be made. */
export interface NodeOptions {
  readonly nodeName: string;
  /** The node's own address as others reach it; may change. */
  readonly hostIp: () => string;
  /** Addresses of the hub's API, the likeliest first; absent: pods are told none. */
  readonly hubApi?: () => readonly string[];
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly network: { readonly name: string; readonly bridge: string; readonly masquerade: boolean };
  /** Resolver and search domains for pods; absent: the engine's own. */
  readonly dns?: DnsChoice;
  /** Caps of the profile for every container; absent: the runtime's own. */
  readonly containerLimits?: () => { readonly pidsLimit?: number; readonly log?: LogLimits };
  /** What images can run here; absent: every image is tried. */
  readonly platform?: () => NodePlatform | undefined;
}

/**
 * The node's part of a pod: addresses from the range the hub gave, the network they live in, what the engine can do.
 * The network is made when the first pod needs it and looked at again whenever the engine was away.
 */
export class Node implements NodeServices {
  readonly nodeName: string;
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly dns: DnsChoice | undefined;
  bootId = '';
  lowestOomScore = 0;
  readonly #options: NodeOptions;
  readonly #runtime: Runtime;
  readonly #log: Logger;
  /** Addresses given to pods, by uid, beside those found on containers. */
  readonly #given = new Map<string, string>();
  readonly #avoided = new Set<string>();
  readonly #used: () => ReadonlySet<string>;
  #item: NodeItem | undefined;
  #network: Promise<void> | undefined;
  #engine: Promise<EngineInfo> | undefined;
  #sandbox: Promise<string> | undefined;

  /** `used`: addresses of the containers the engine knows. */
  constructor(options: NodeOptions, runtime: Runtime, log: Logger, used: () => ReadonlySet<string>) {
    this.nodeName = options.nodeName;
    this.cpuMilli = options.cpuMilli;
    this.memoryBytes = options.memoryBytes;
    this.dns = options.dns;
    this.#options = options;
    this.#runtime = runtime;
    this.#log = log;
    this.#used = used;
  }

  hostIp(): string {
    return this.#options.hostIp();
  }

  hubApi(): readonly string[] {
    return this.#options.hubApi?.() ?? [];
  }

  containerLimits(): ReturnType<NodeServices['containerLimits']> {
    return this.#options.containerLimits?.() ?? {};
  }

  platform(): NodePlatform | undefined {
    return this.#options.platform?.();
  }

  /** The node's own item of the desired state. */
  setItem(item: NodeItem | undefined): void {
    if (item?.podCIDR !== this.#item?.podCIDR) this.#network = undefined;
    this.#item = item;
  }

  /** The engine was away: what it was asked for may be gone. */
  engineReturned(): void {
    this.#network = undefined;
    this.#engine = undefined;
    this.#sandbox = undefined;
  }

  async address(podUid: string): Promise<{ readonly ip: string } | { readonly why: string }> {
    const cidr = this.#item?.podCIDR;
    const range = cidr === undefined ? undefined : parseRange(cidr);
    if (cidr === undefined || range === undefined)
      return { why: 'the hub has not given this node a pod range yet' };
    try {
      this.#network ??= this.#ensureNetwork(cidr, gatewayOf(range));
      await this.#network;
    } catch (error) {
      this.#network = undefined;
      if (!isRuntimeError(error) || error.reason === 'EngineUnreachable') throw error;
      this.#log.warn('pod network could not be made', { err: error, cidr });
      return { why: `pod network could not be made: ${error.message}` };
    }
    const own = this.#given.get(podUid);
    const keeps = own !== undefined && contains(range, own) && !this.#avoided.has(own);
    if (keeps) return { ip: own };
    const taken = new Set([...this.#used(), ...this.#given.values(), ...this.#avoided]);
    const ip = allocateAddress(range, taken);
    if (ip === undefined) return { why: `no free address in ${cidr}` };
    this.#given.set(podUid, ip);
    return { ip };
  }

  /** The pod's address may be given to another. */
  freeAddress(podUid: string): void {
    this.#given.delete(podUid);
  }

  /** An address found on a pod's containers belongs to it. */
  keepAddress(podUid: string, ip: string): void {
    this.#given.set(podUid, ip);
  }

  networkLost(): void {
    this.#network = undefined;
  }

  avoidAddress(ip: string): void {
    this.#avoided.add(ip);
    for (const [uid, given] of this.#given) if (given === ip) this.#given.delete(uid);
  }

  engine(): Promise<EngineInfo> {
    this.#engine ??= this.#runtime.info().catch((error: unknown) => {
      this.#engine = undefined;
      throw error;
    });
    return this.#engine;
  }

  sandboxImage(): Promise<string> {
    this.#sandbox ??= this.#runtime.ensureSandboxImage().catch((error: unknown) => {
      this.#sandbox = undefined;
      throw error;
    });
    return this.#sandbox;
  }

  async #ensureNetwork(cidr: string, gateway: string): Promise<void> {
    await this.#runtime.ensureNetwork({ ...this.#options.network, cidr, gateway });
  }
}
