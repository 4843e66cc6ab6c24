import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { User } from './ports.ts';

/** The raw connection of a request that asks to change protocols (WebSocket). */
export interface Upgrade {
  readonly socket: Duplex;
  /** Bytes the client sent after the request's head. */
  readonly head: Buffer;
}

/** One request on its way through the rooms of the API; the response is written by `send` or by a streaming handler. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Upper case; HEAD is already told as GET. */
  readonly method: string;
  /** Still percent-encoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly user: User;
  /** Aborted when the client has gone or the server stops. */
  readonly closed: AbortSignal;
  readonly upgrade: Upgrade | undefined;
  /** How long the client may take nothing of a large answer. */
  readonly stallMs: number;
  /** Texts of `Warning` headers, sent with the answer. */
  readonly warnings: string[];
}

/** A list that is written item by item: what stands before the items, the field that holds them, and each of them, once. */
export interface ListDocument {
  readonly head: object;
  readonly field: 'items' | 'rows';
  readonly items: Iterable<object>;
}

/** What a handler wants sent. `object` and `list` go through content negotiation, `text` as it is. */
export type Answer =
  | {
      readonly list: ListDocument;
      readonly code?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly object: object; readonly code?: number; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly text: string | Uint8Array;
      readonly type: string;
      readonly code?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** The handler has written, or will write, the response itself. */
  | { readonly streamed: true };

/** Answers one exchange; a rejection with ApiError becomes that Status, any other becomes a logged 500. */
export type Handler = (exchange: Exchange) => Promise<Answer> | Answer;

/** The handler took the response over. */
export const STREAMED: Answer = { streamed: true };
