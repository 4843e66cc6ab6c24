import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../kit/logger.ts';
import { ApiError } from '../../protocol/status.ts';
import { ANONYMOUS } from './authenticate.ts';
import type { Exchange, Handler, Upgrade } from './exchange.ts';
import { send, sendError } from './send.ts';

/**
 * Takes requests from the listener, has them answered and sends the answer. Whatever a handler throws ends in a Status;
 * what is no ApiError is logged. Knows all requests under way, so that they can be ended together.
 */
export class FrontDesk {
  readonly #handle: Handler;
  readonly #log: Logger;
  readonly #stallMs: number;
  readonly #open = new Set<AbortController>();
  readonly #upgraded = new Set<Duplex>();

  /** A client that takes nothing of a large answer for `stallMs` is cut off. */
  constructor(handle: Handler, log: Logger, stallMs: number) {
    this.#handle = handle;
    this.#log = log;
    this.#stallMs = stallMs;
  }

  /** Never rejects. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    return this.#serve(request, response, undefined);
  }

  /** An upgrade request gets a response object too, so that refusals are written as everywhere else. Never rejects. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.#upgraded.add(socket);
    socket.on('close', () => this.#upgraded.delete(socket));
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Parameters<typeof response.assignSocket>[0]);
    response.on('finish', () => socket.end());
    return this.#serve(request, response, { socket, head });
  }

  /** Tells every request under way to come to its end. */
  endAll(): void {
    for (const controller of this.#open) controller.abort('stopping');
  }

  /** Closes connections that have changed protocols and are no longer the listener's. */
  destroyUpgraded(): void {
    for (const socket of this.#upgraded) socket.destroy();
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: Upgrade | undefined,
  ): Promise<void> {
    const controller = new AbortController();
    this.#open.add(controller);
    (upgrade?.socket ?? response).on('close', () => {
      this.#open.delete(controller);
      // A reason of its own: the default one is an exception, stack and all, made for every request.
      controller.abort('closed');
    });
    // A write to a client that has gone; 'close' follows and ends what was under way.
    response.on('error', () => response.destroy());
    const exchange = exchangeOf(request, response, controller.signal, upgrade, this.#stallMs);
    try {
      await send(exchange, await this.#handle(exchange));
    } catch (error) {
      this.#refuse(exchange, error);
    }
  }

  #refuse(exchange: Exchange, error: unknown): void {
    if (error instanceof ApiError) {
      sendError(exchange, error);
      return;
    }
    const { method, path } = exchange;
    this.#log.error('request failed', { method, path, err: error });
    sendError(exchange, new ApiError('InternalError', 'Internal error occurred: see the log of the hub'));
  }
}

function exchangeOf(
  request: IncomingMessage,
  response: ServerResponse,
  closed: AbortSignal,
  upgrade: Upgrade | undefined,
  stallMs: number,
): Exchange {
  const { url = '/', method = 'GET' } = request;
  const at = url.indexOf('?');
  return {
    request,
    response,
    method: method === 'HEAD' ? 'GET' : method,
    path: at < 0 ? url : url.slice(0, at),
    query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)),
    user: ANONYMOUS,
    closed,
    upgrade,
    stallMs,
    warnings: [],
  };
}
