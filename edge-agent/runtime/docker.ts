import Docker from 'dockerode';
import { type ContainerView, LABELS } from '../decide/container.ts';
import type { ContainerSpec } from '../decide/container-spec.ts';
import { isRuntimeError } from '../decide/runtime-error.ts';
import { isNotModified, type Operation, toRuntimeError } from './docker-errors.ts';
import { containerEvents } from './docker-events.ts';
import {
  findImage,
  imagesInUse,
  listImages,
  loadSandboxImage,
  pullImage,
  removeImage,
  writtenBytes,
} from './docker-images.ts';
import { ensurePodNetwork, type PodNetwork } from './docker-network.ts';
import { dockerCreate } from './docker-spec.ts';
import { attachSession, execSession, logSession, runCommand, tailLog } from './docker-streams.ts';
import { type ContainerEvent, placeOf, viewOf } from './docker-view.ts';
import type {
  EngineFacts,
  ExecOutcome,
  ImageFacts,
  LayerPlace,
  RegistryLogin,
  StoredImage,
} from './engine.ts';
import type { LogOptions, LogSession, Session, SessionOptions } from './streams.ts';

/** The oldest API asked for: that of Engine 20.10. Engines that have dropped it are spoken to in their oldest. */
const API_VERSION = '1.41';
const INSPECT_WIDTH = 8;

export interface DockerOptions {
  readonly socketPath: string;
  /** Name of the pod network. */
  readonly networkName: string;
}

/**
 * Docker Engine 20.10 and newer. Sees only containers with the agent's labels. Every method rejects with RuntimeError;
 * none has a time limit of its own. Holds no connection but the event stream's.
 */
export class DockerRuntime {
  readonly #socketPath: string;
  readonly #network: string;
  /** A client that speaks a version the engine knows; asked for anew with every subscription, as engines are upgraded. */
  #client: Promise<Docker> | undefined;

  constructor(options: DockerOptions) {
    this.#socketPath = options.socketPath;
    this.#network = options.networkName;
  }

  /** What the engine is and can do. */
  async info(signal?: AbortSignal): Promise<EngineFacts> {
    const info = await this.#call(
      'info',
      (docker): Promise<Record<string, unknown>> => docker.info(),
      signal,
    );
    return {
      version: String(info['ServerVersion'] ?? ''),
      memoryLimits: info['MemoryLimit'] !== false,
      cpuLimits: info['CpuCfsQuota'] !== false && info['CPUCfsQuota'] !== false,
      architecture: String(info['Architecture'] ?? ''),
    };
  }

  /** Every container of the agent with its details, running or not. */
  async list(signal?: AbortSignal): Promise<ContainerView[]> {
    const found = await this.#call('list', (docker) =>
      docker.listContainers({ all: true, filters: { label: [LABELS.podUid] }, ...abortable(signal) }),
    );
    const ids = found.map((c) => c.Id);
    const views: ContainerView[] = [];
    const next = async (): Promise<void> => {
      for (let id = ids.shift(); id !== undefined; id = ids.shift()) {
        const view = await this.inspect(id, signal);
        if (view !== undefined) views.push(view);
      }
    };
    await Promise.all(Array.from({ length: INSPECT_WIDTH }, next));
    return views;
  }

  /** One container; undefined when it is gone or not the agent's. */
  async inspect(id: string, signal?: AbortSignal): Promise<ContainerView | undefined> {
    const info = await this.#absentIsFine('inspect', (docker) =>
      docker.getContainer(id).inspect(abortable(signal)),
    );
    return info === undefined ? undefined : viewOf(info);
  }

  async create(spec: ContainerSpec, signal?: AbortSignal): Promise<string> {
    const request = { ...dockerCreate(spec, this.#network), ...abortable(signal) };
    const container = await this.#call('create', (docker) => docker.createContainer(request));
    return container.id;
  }

  async start(id: string, signal?: AbortSignal): Promise<void> {
    await this.#call('start', (docker) => docker.getContainer(id).start(abortable(signal)));
  }

  async kill(id: string, signalName: string, signal?: AbortSignal): Promise<void> {
    await this.#absentIsFine('kill', (docker) =>
      docker.getContainer(id).kill({ signal: signalName, ...abortable(signal) }),
    );
  }

  async remove(id: string, signal?: AbortSignal): Promise<void> {
    await this.#absentIsFine('remove', (docker) =>
      docker.getContainer(id).remove({ force: true, v: true, ...abortable(signal) }),
    );
  }

  async exec(
    id: string,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly maxBytes: number },
    signal?: AbortSignal,
  ): Promise<ExecOutcome> {
    return this.#call('exec', (docker) => runCommand(docker, id, command, options, signal));
  }

  async tail(id: string, maxBytes: number, signal?: AbortSignal): Promise<string> {
    return this.#call('logs', (docker) => tailLog(docker, id, maxBytes, signal));
  }

  async image(ref: string, signal?: AbortSignal): Promise<ImageFacts | undefined> {
    return this.#call('image', (docker) => findImage(docker, ref), signal);
  }

  /** Every image of the engine. */
  async images(): Promise<StoredImage[]> {
    return this.#call('image', listImages);
  }

  /** Ids of images that any container was made from, whoever made it. */
  async imagesInUse(): Promise<Set<string>> {
    return this.#call('list', imagesInUse);
  }

  /** Removes an image under all its names; false when something uses it. */
  async removeImage(image: StoredImage): Promise<boolean> {
    return this.#call('image', (docker) => removeImage(docker, image));
  }

  /** Bytes the agent's containers have written into their own layers, by id. Takes the engine long. */
  async writtenBytes(signal?: AbortSignal): Promise<Map<string, number>> {
    return this.#call('list', (docker) => writtenBytes(docker, LABELS.podUid), signal);
  }

  /** Where a container writes; undefined when it is gone. */
  async layerOf(id: string): Promise<LayerPlace | undefined> {
    const info = await this.#absentIsFine('inspect', (docker) => docker.getContainer(id).inspect());
    return info === undefined ? undefined : placeOf(info);
  }

  /** Bytes a container has written into its own layer; 0 when it is gone. The engine may walk its files. */
  async layerBytes(id: string, signal?: AbortSignal): Promise<number> {
    const asked = { size: true, ...abortable(signal) };
    const info = await this.#absentIsFine('inspect', (docker) => docker.getContainer(id).inspect(asked));
    return (info as { SizeRw?: number } | undefined)?.SizeRw ?? 0;
  }

  async pull(ref: string, auth: RegistryLogin | undefined, signal?: AbortSignal): Promise<void> {
    await this.#call('pull', (docker) => pullImage(docker, ref, auth, signal));
  }

  async ensureSandboxImage(signal?: AbortSignal): Promise<string> {
    const { architecture } = await this.info(signal);
    return this.#call('image', (docker) => loadSandboxImage(docker, architecture, signal));
  }

  async ensureNetwork(network: PodNetwork, signal?: AbortSignal): Promise<void> {
    await this.#call('network', (docker) => ensurePodNetwork(docker, network, signal));
  }

  /** Subscribed once the promise resolves. The iteration ends, or throws EngineUnreachable, when the engine goes away. */
  async events(signal: AbortSignal): Promise<AsyncIterable<ContainerEvent>> {
    this.#client = undefined;
    return this.#call('events', (docker) => containerEvents(docker, signal));
  }

  async logs(id: string, options: LogOptions, signal?: AbortSignal): Promise<LogSession> {
    return this.#call('logs', (docker) => logSession(docker, id, options, signal));
  }

  /** Starts a command in the container with its streams connected. */
  async openExec(id: string, command: readonly string[], options: SessionOptions): Promise<Session> {
    return this.#call('exec', (docker) => execSession(docker, id, command, options));
  }

  /** Connects to the main process of the container. */
  async openAttach(id: string, options: SessionOptions): Promise<Session> {
    return this.#call('exec', (docker) => attachSession(docker, id, options));
  }

  /** `signal` only for requests of dockerode that take none themselves: the wait for them then ends. */
  async #call<T>(
    operation: Operation,
    run: (docker: Docker) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    try {
      this.#client ??= this.#negotiate();
      const result = run(await this.#client);
      return await (signal === undefined ? result : abandonable(result, signal));
    } catch (error) {
      // Already started or stopped: what was asked for holds. Only calls without a result answer so.
      if (isNotModified(error)) return undefined as T;
      throw toRuntimeError(error, operation);
    }
  }

  async #absentIsFine<T>(operation: Operation, run: (docker: Docker) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#call(operation, run);
    } catch (error) {
      if (isRuntimeError(error, 'ContainerNotFound')) return undefined;
      throw error;
    }
  }

  async #negotiate(): Promise<Docker> {
    try {
      const plain = new Docker({ socketPath: this.#socketPath });
      const version = (await plain.version()) as { MinAPIVersion?: string };
      const chosen = newerOf(API_VERSION, version.MinAPIVersion ?? API_VERSION);
      return new Docker({ socketPath: this.#socketPath, version: `v${chosen}` });
    } catch (error) {
      this.#client = undefined;
      throw error;
    }
  }
}

async function abandonable<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort);
  });
  try {
    return await Promise.race([result, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function newerOf(a: string, b: string): string {
  const minor = (text: string): number => Number(text.split('.')[1] ?? 0);
  return minor(b) > minor(a) ? b : a;
}

/** dockerode takes the signal among the options; absent ones must not be there. */
function abortable(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}
