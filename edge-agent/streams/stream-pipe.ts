import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { DataChannel, StreamEndpoint } from '../../kit/stream-endpoint.ts';
import { StreamBatch } from './stream-batch.ts';

/** Where what the peer sends goes, once it is there. */
export interface PipeTarget {
  readonly input?: Writable;
  resize?(width: number, height: number): void;
  /** Drops the engine's connection or the socket. */
  close(): void;
}

/**
 * Joins an endpoint to something that takes a moment to open. What the peer sends meanwhile waits, in order and within the
 * window; a close meanwhile closes the target as soon as it is there.
 */
export class StreamPipe {
  readonly #target: Promise<PipeTarget>;
  #open: (target: PipeTarget) => void = () => undefined;
  #attached: PipeTarget | undefined;
  #closed = false;

  constructor() {
    this.#target = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** True once the endpoint is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The target is there. */
  attach(target: PipeTarget): void {
    this.#attached = target;
    if (this.#closed) target.close();
    this.#open(target);
  }

  /** Resolves when the target has taken the payload, or takes nothing any more. */
  async write(payload: Uint8Array): Promise<void> {
    const { input } = await this.#target;
    if (input === undefined || input.destroyed || input.writableEnded) return;
    if (input.write(payload)) return;
    await Promise.race([once(input, 'drain'), once(input, 'close')]);
  }

  end(): void {
    void this.#target.then(({ input }) => {
      if (input !== undefined && !input.destroyed) input.end();
    });
  }

  resize(width: number, height: number): void {
    void this.#target.then((target) => target.resize?.(width, height));
  }

  /** The endpoint is closed. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#attached?.close();
  }
}

/**
 * Sends all of `source` on a channel, as fast as credit allows and in pieces as large as have gathered. Resolves at its end, or
 * when the stream has been closed; rejects when the source fails.
 */
export async function pump(source: Readable, endpoint: StreamEndpoint, channel: DataChannel): Promise<void> {
  const batch = new StreamBatch(endpoint, channel);
  // A socket whose peer has ended its way may still be written to: the end of reading must not destroy it.
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (endpoint.closed) return;
    await batch.add(chunk);
  }
  await batch.flush();
}
