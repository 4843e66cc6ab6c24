import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '../../kit/clock.ts';
import { type ContainerView, readLabels } from '../decide/container.ts';
import type { ContainerSpec } from '../decide/container-spec.ts';
import { RuntimeError } from '../decide/runtime-error.ts';
import type { PodNetwork } from './docker-network.ts';
import type { ContainerEvent } from './docker-view.ts';
import type {
  EngineFacts,
  ExecOutcome,
  ImageFacts,
  LayerPlace,
  RegistryLogin,
  StoredImage,
} from './engine.ts';
import { EventFan } from './memory-events.ts';
import { type Program, readProgram } from './memory-program.ts';

interface MemoryContainer {
  readonly spec: ContainerSpec;
  view: ContainerView;
  log: string;
  writtenBytes?: number;
  program: Program | undefined;
  timer: Timer | undefined;
}

export interface MemoryOptions {
  readonly clock: Clock;
  /** Images on the node by reference, with the command of their own. */
  readonly images: Readonly<Record<string, readonly string[]>>;
  /** Images that can be pulled; absent: the registry cannot be reached. */
  readonly registry?: Readonly<Record<string, readonly string[]>>;
  /** Platform that images say they are for; absent: they do not say. */
  readonly platform?: string;
  /** What a start costs, in ms of the clock. */
  readonly startMs?: number;
}

const SANDBOX = 'coxswain.dev/sandbox:1';
const KILLED = 137;

/**
 * A container engine in memory for simulations: the same answers, errors and events as Docker, by the same contract test.
 * Commands are those of `readProgram`. `crash`, `down` and `up` are what happens to engines and boards.
 */
export class MemoryRuntime {
  readonly #options: MemoryOptions;
  readonly #containers = new Map<string, MemoryContainer>();
  readonly #images: Map<string, readonly string[]>;
  readonly #fan = new EventFan<ContainerEvent>();
  #network: PodNetwork | undefined;
  #isUp = true;

  constructor(options: MemoryOptions) {
    this.#options = options;
    this.#images = new Map(Object.entries(options.images));
  }

  async info(): Promise<EngineFacts> {
    this.#reach();
    return { version: 'memory', memoryLimits: true, cpuLimits: true, architecture: 'x86_64' };
  }

  async list(): Promise<ContainerView[]> {
    this.#reach();
    return [...this.#containers.values()].map((c) => c.view);
  }

  async inspect(id: string): Promise<ContainerView | undefined> {
    this.#reach();
    return this.#containers.get(id)?.view;
  }

  async create(spec: ContainerSpec): Promise<string> {
    this.#reach();
    if (!this.#images.has(spec.image))
      throw new RuntimeError('ImageNotFound', `no such image: ${spec.image}`);
    if (this.#all().some((c) => c.spec.name === spec.name))
      throw new RuntimeError('NameInUse', `name ${spec.name} is already in use by container`);
    if (spec.network.kind === 'pod' && this.#network === undefined)
      throw new RuntimeError('NetworkMissing', 'network not found');
    const identity = readLabels(spec.labels);
    if (identity === undefined)
      throw new RuntimeError('BadSpec', 'the memory engine holds only containers of the agent');
    const id = randomBytes(32).toString('hex');
    const view: ContainerView = {
      id,
      ...identity,
      state: 'created',
      image: spec.image,
      imageId: imageId(spec.image),
      stopSignal: 'SIGTERM',
    };
    this.#containers.set(id, { spec, view, log: '', program: undefined, timer: undefined });
    return id;
  }

  async start(id: string): Promise<void> {
    this.#reach();
    const container = this.#need(id);
    if (container.view.state === 'running') return;
    const { clock, startMs = 0 } = this.#options;
    if (startMs > 0) await new Promise<void>((resolve) => void clock.after(startMs, resolve));
    this.#reach();
    this.#refuseConflicts(container);
    const program = readProgram(this.#commandOf(container.spec));
    if (program === undefined) this.#failStart(container);
    container.program = program;
    const atMs = clock.nowMs();
    const { exitCode: _, finishedAtMs: __, exitedMs: ___, message: ____, ...rest } = container.view;
    container.view = { ...rest, state: 'running', startedAtMs: atMs };
    container.log += program.output;
    this.#emit(container, 'start', 0);
    if (program.livesMs !== undefined)
      container.timer = clock.after(program.livesMs, () => this.#exit(container, program.exitCode));
  }

  async kill(id: string, signalName: string): Promise<void> {
    this.#reach();
    const container = this.#containers.get(id);
    if (container?.view.state !== 'running') return;
    if (signalName === 'SIGKILL') this.#exit(container, KILLED);
    else if (container.program?.onTerm !== undefined) this.#exit(container, container.program.onTerm);
  }

  async remove(id: string): Promise<void> {
    this.#reach();
    const container = this.#containers.get(id);
    if (container === undefined) return;
    if (container.view.state === 'running') this.#exit(container, KILLED);
    this.#containers.delete(id);
    this.#emit(container, 'destroy', 0);
  }

  async exec(
    id: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<ExecOutcome> {
    this.#reach();
    if (this.#need(id).view.state !== 'running')
      throw new RuntimeError('ContainerNotFound', 'container is not running');
    const program = readProgram(command);
    if (program === undefined)
      return { exitCode: 126, output: `exec: ${command[0]}: executable file not found` };
    const livesMs = program.livesMs ?? Infinity;
    const waitMs = Math.min(livesMs, options.timeoutMs);
    if (waitMs > 0) await new Promise<void>((resolve) => void this.#options.clock.after(waitMs, resolve));
    if (livesMs > options.timeoutMs)
      throw new RuntimeError('TimedOut', `not done within ${options.timeoutMs} ms`);
    return { exitCode: program.exitCode, output: program.output.slice(0, options.maxBytes) };
  }

  async tail(id: string, maxBytes: number): Promise<string> {
    this.#reach();
    return this.#need(id).log.slice(-maxBytes);
  }

  async image(ref: string): Promise<ImageFacts | undefined> {
    this.#reach();
    if (!this.#images.has(ref)) return undefined;
    return {
      id: imageId(ref),
      user: '',
      stopSignal: '',
      sizeBytes: 1,
      platform: this.#options.platform ?? '',
    };
  }

  async images(): Promise<StoredImage[]> {
    this.#reach();
    return [...this.#images.keys()].map((ref) => ({
      id: imageId(ref),
      tags: [ref],
      digests: [],
      sizeBytes: 1,
    }));
  }

  async imagesInUse(): Promise<Set<string>> {
    this.#reach();
    return new Set(this.#all().map((c) => c.view.imageId));
  }

  async removeImage(image: StoredImage): Promise<boolean> {
    this.#reach();
    if (this.#all().some((c) => c.view.imageId === image.id)) return false;
    for (const ref of image.tags) this.#images.delete(ref);
    return true;
  }

  async writtenBytes(): Promise<Map<string, number>> {
    this.#reach();
    return new Map(this.#all().map((c) => [c.view.id, c.writtenBytes ?? 0]));
  }

  async layerOf(id: string): Promise<LayerPlace | undefined> {
    this.#reach();
    return this.#containers.has(id) ? {} : undefined;
  }

  async layerBytes(id: string): Promise<number> {
    this.#reach();
    return this.#containers.get(id)?.writtenBytes ?? 0;
  }

  async pull(ref: string, _auth: RegistryLogin | undefined): Promise<void> {
    this.#reach();
    const { registry } = this.#options;
    if (registry === undefined) throw new RuntimeError('RegistryUnreachable', 'dial tcp: no route to host');
    const command = registry[ref];
    if (command === undefined) throw new RuntimeError('ImageNotFound', `manifest for ${ref} not found`);
    this.#images.set(ref, command);
  }

  async ensureSandboxImage(): Promise<string> {
    this.#reach();
    this.#images.set(SANDBOX, ['/pause']);
    return SANDBOX;
  }

  async ensureNetwork(network: PodNetwork): Promise<void> {
    this.#reach();
    const attached = this.#all().some((c) => c.view.state === 'running' && c.spec.network.kind === 'pod');
    if (this.#network !== undefined && this.#network.cidr !== network.cidr && attached)
      throw new RuntimeError('NetworkConflict', `network ${network.name} is in use`);
    this.#network = network;
  }

  async events(signal: AbortSignal): Promise<AsyncIterable<ContainerEvent>> {
    this.#reach();
    return this.#fan.subscribe(signal);
  }

  /** The main process ends by itself, as after a crash or a kill from outside. */
  crash(id: string, exitCode: number): void {
    const container = this.#need(id);
    if (container.view.state === 'running') this.#exit(container, exitCode);
  }

  /** The container has written this many bytes beside its image. */
  wrote(id: string, bytes: number): void {
    this.#need(id).writtenBytes = bytes;
  }

  /** The engine goes away; with `containersDie` everything it ran ends, as in a restart of dockerd or a power cut. */
  down(containersDie: boolean): void {
    this.#fan.end();
    this.#isUp = false;
    if (!containersDie) return;
    for (const container of this.#all())
      if (container.view.state === 'running') this.#exit(container, KILLED);
  }

  /** The engine answers again. */
  up(): void {
    this.#isUp = true;
  }

  /** Containers that run now, for assertions. */
  running(): ContainerView[] {
    return this.#all().flatMap((c) => (c.view.state === 'running' ? [c.view] : []));
  }

  #all(): MemoryContainer[] {
    return [...this.#containers.values()];
  }

  #reach(): void {
    if (!this.#isUp) throw new RuntimeError('EngineUnreachable', 'the memory engine is down');
  }

  #need(id: string): MemoryContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new RuntimeError('ContainerNotFound', `no such container: ${id}`);
    return container;
  }

  #commandOf(spec: ContainerSpec): readonly string[] {
    const own = this.#images.get(spec.image) ?? [];
    if (spec.entrypoint !== undefined) return [...spec.entrypoint, ...(spec.args ?? [])];
    return spec.args ?? own;
  }

  #refuseConflicts(container: MemoryContainer): void {
    const { network, ports } = container.spec;
    const others = this.#all().filter((c) => c !== container && c.view.state === 'running');
    if (network.kind === 'pod') {
      const taken = others.some((c) => c.spec.network.kind === 'pod' && c.spec.network.ip === network.ip);
      if (taken) throw new RuntimeError('AddressInUse', `Address already in use: ${network.ip}`);
    }
    if (network.kind === 'join' && !others.some((c) => c.view.id === network.containerId))
      throw new RuntimeError('ContainerNotFound', 'cannot join network of a non running container');
    const busy = ports.some((p) => others.some((c) => c.spec.ports.some((q) => q.hostPort === p.hostPort)));
    if (busy) throw new RuntimeError('PortInUse', 'port is already allocated');
  }

  #failStart(container: MemoryContainer): never {
    const message = `exec: "${this.#commandOf(container.spec)[0] ?? ''}": executable file not found in $PATH`;
    container.view = { ...container.view, state: 'exited', exitCode: 127, oomKilled: false, message };
    throw new RuntimeError('StartFailed', message);
  }

  #exit(container: MemoryContainer, exitCode: number): void {
    container.timer?.cancel();
    const finishedAtMs = this.#options.clock.nowMs();
    container.view = { ...container.view, state: 'exited', exitCode, oomKilled: false, finishedAtMs };
    this.#emit(container, 'die', exitCode);
  }

  #emit(container: MemoryContainer, type: ContainerEvent['type'], exitCode: number): void {
    const { id, podUid } = container.view;
    this.#fan.send({ type, id, podUid, atMs: this.#options.clock.nowMs(), exitCode });
  }
}

const imageId = (ref: string): string =>
  `sha256:${Buffer.from(ref).toString('hex').padEnd(64, '0').slice(0, 64)}`;
