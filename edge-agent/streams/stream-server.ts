import type { Logger } from '../../kit/logger.ts';
import { StreamEndpoint } from '../../kit/stream-endpoint.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { OpenMessage } from '../../protocol/wire/messages.ts';
import { EarlyFrames } from './early-frames.ts';
import type { StreamContainer, StreamPods, StreamRuntime } from './ports.ts';
import { StreamRefusal } from './refusal.ts';
import { serveLog } from './serve-log.ts';
import { servePort } from './serve-port.ts';
import { serveAttach, serveExec } from './serve-session.ts';
import { StreamPipe } from './stream-pipe.ts';

export interface StreamServerOptions {
  readonly pods: StreamPods;
  readonly runtime: StreamRuntime;
  readonly log: Logger;
  /** Puts a frame on the wire; throws while there is no connection. */
  send(stream: string, frame: Uint8Array): void;
  /** Streams at a time; each may hold WINDOW_BYTES. Default 32. */
  readonly maxStreams?: number;
}

/**
 * Serves logs, exec, attach and port-forward that the hub opens. A stream lives on one connection: when that is lost, all end
 * and their engine connections are dropped. Errors end their own stream with a reason and nothing else.
 */
export class StreamServer {
  readonly #options: StreamServerOptions;
  readonly #streams = new Map<string, { endpoint: StreamEndpoint; pipe: StreamPipe }>();
  readonly #early = new EarlyFrames();

  constructor(options: StreamServerOptions) {
    this.#options = options;
  }

  /** Streams that are open now. */
  get open(): number {
    return this.#streams.size;
  }

  /** The hub opens a stream; a second message with the same id is the same one delivered again. */
  accept(message: OpenMessage): void {
    const id = message.stream;
    if (this.#streams.has(id)) return;
    const pipe = new StreamPipe();
    const endpoint = new StreamEndpoint({
      send: (frame) => this.#options.send(id, frame),
      onData: (_channel, payload) => pipe.write(payload),
      onEnd: () => pipe.end(),
      onResize: (width, height) => pipe.resize(width, height),
      onClose: (end) => {
        this.#streams.delete(id);
        this.#early.ended(id);
        pipe.close();
        this.#options.log.debug('stream ended', { stream: id, kind: message.kind, ...end });
      },
    });
    const isFull = this.#streams.size >= (this.#options.maxStreams ?? 32);
    this.#streams.set(id, { endpoint, pipe });
    if (isFull) {
      endpoint.close({ reason: 'TooManyRequests', message: 'the device serves too many streams already' });
      return;
    }
    for (const frame of this.#early.take(id)) endpoint.receive(frame);
    void this.#serve(message, endpoint, pipe);
  }

  /** A frame of the hub; one that comes before its stream is opened waits for it. */
  receive(stream: string, frame: Uint8Array): void {
    const open = this.#streams.get(stream);
    if (open === undefined) this.#early.keep(stream, frame);
    else open.endpoint.receive(frame);
  }

  /** The connection is gone: so is every stream on it. */
  connectionLost(): void {
    for (const { endpoint } of [...this.#streams.values()]) {
      endpoint.close({ reason: 'ServiceUnavailable', message: 'connection to the hub lost' });
    }
    this.#early.clear();
  }

  /** Never rejects: what goes wrong ends the stream. */
  async #serve(message: OpenMessage, endpoint: StreamEndpoint, pipe: StreamPipe): Promise<void> {
    try {
      endpoint.close(await this.#run(message, endpoint, pipe));
    } catch (error) {
      endpoint.close(endOf(error));
    }
  }

  #run(message: OpenMessage, endpoint: StreamEndpoint, pipe: StreamPipe): Promise<StreamEnd> {
    const { runtime } = this.#options;
    switch (message.kind) {
      case 'log':
        return serveLog(runtime, this.#container(message), message.log ?? {}, endpoint, pipe);
      case 'exec':
        return serveExec(runtime, this.#running(message), message.exec, endpoint, pipe);
      case 'attach':
        return serveAttach(runtime, this.#running(message), message.exec, endpoint, pipe);
      case 'port':
        return servePort(this.#address(message), message.port ?? 0, endpoint, pipe);
    }
  }

  #container(message: OpenMessage): StreamContainer {
    const containers = this.#options.pods.containersOf(message.podUid);
    if (containers === undefined) throw new StreamRefusal('NotFound', 'the pod is not on this device');
    const name = message.container ?? containers[0]?.name;
    const found = containers.find((c) => c.name === name);
    if (found === undefined) {
      throw new StreamRefusal('BadRequest', `container "${name ?? ''}" has not been started yet`);
    }
    return found;
  }

  #running(message: OpenMessage): StreamContainer {
    const found = this.#container(message);
    if (!found.running) throw new StreamRefusal('BadRequest', `container "${found.name}" is not running`);
    return found;
  }

  #address(message: OpenMessage): string {
    const address = this.#options.pods.addressOf(message.podUid);
    if (address === undefined) throw new StreamRefusal('NotFound', 'the pod is not running on this device');
    return address;
  }
}

function endOf(error: unknown): StreamEnd {
  if (error instanceof StreamRefusal) return { reason: error.reason, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  const reason = (error as { reason?: unknown } | undefined)?.reason;
  return { reason: reason === 'ContainerNotFound' ? 'NotFound' : 'InternalError', message };
}
