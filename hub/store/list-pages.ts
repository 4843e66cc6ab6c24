import type { Clock, Timer } from '../../kit/clock.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError, type Status } from '../../protocol/status.ts';
import { lowerBound, objectKey } from './collection.ts';

/** A list as it was at a revision. */
export interface ObjectList {
  readonly items: readonly KubeObject[];
  readonly revision: number;
}

/** What part of a list a caller wants. */
export interface PageRequest {
  /** Absent or empty: all namespaces. */
  readonly namespace?: string;
  /** Most items of a page; absent or 0: all. */
  readonly limit?: number;
  /** `continueToken` of the page before. */
  readonly continueToken?: string;
  /** The state to read, one of the past; absent: the newest. */
  readonly revision?: number;
  /** Items that count; absent: all. */
  readonly matches?: (object: KubeObject) => boolean;
}

/** Part of a list; later pages come from the same state and carry the same revision. */
export interface ListPage extends ObjectList {
  /** Present when there is more. */
  readonly continueToken?: string;
  /** How many items follow; only without `matches`. */
  readonly remaining?: number;
}

/** 410 of a page token whose list is gone; `continueToken` goes on from there in the newest state. */
export class PageExpired extends ApiError {
  readonly continueToken: string;

  constructor(continueToken: string) {
    super(
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    );
    this.name = 'PageExpired';
    this.continueToken = continueToken;
  }

  override toStatus(): Status {
    return { ...super.toStatus(), metadata: { continue: this.continueToken } };
  }
}

/** A list as it was at a revision of the past; throws ApiError Expired when that is forgotten. */
export type ListAt = (kind: string, namespace: string, revision: number) => ObjectList;

const KEEP_MS = 5 * 60_000;
const KEEP_LISTS = 64;
/** Revision in a token that goes on in the newest state. */
const NEWEST = -1;

interface Held {
  readonly items: readonly KubeObject[];
  readonly expiry: Timer;
}

/**
 * Lists that are being read page by page. Objects never change, so holding on to the first page's array is a snapshot; at most
 * 64 are held, 5 minutes each, the least recently read goes first.
 */
export class ListPages {
  readonly #clock: Clock;
  readonly #listAt: ListAt;
  readonly #held = new Map<string, Held>();

  constructor(clock: Clock, listAt: ListAt) {
    this.#clock = clock;
    this.#listAt = listAt;
  }

  /** A page of `newest`, of a list of the past, or of the list the token stands for. Throws ApiError BadRequest or Expired. */
  page(kind: string, newest: ObjectList, request: PageRequest): ListPage {
    const { namespace = '', limit = 0, matches } = request;
    const token = request.continueToken ? decodeToken(request.continueToken) : undefined;
    const first =
      request.revision === undefined ? newest : this.#past(kind, namespace, newest, request.revision);
    const list = token === undefined ? first : this.#listOf(kind, namespace, newest, token);
    const { items } = list;
    const start = token === undefined ? 0 : lowerBound(items, `${token.after}\0`, objectKey);
    const picked: KubeObject[] = [];
    let at = start;
    for (; at < items.length; at += 1) {
      const item = items[at];
      if (item === undefined || matches?.(item) === false) continue;
      if (limit > 0 && picked.length === limit) break;
      picked.push(item);
    }
    const last = picked.at(-1);
    if (at >= items.length || last === undefined) return { items: picked, revision: list.revision };
    this.#hold(`${kind}/${namespace}/${list.revision}`, items);
    const continueToken = encodeToken({ revision: list.revision, after: objectKey(last) });
    const remaining = matches === undefined ? { remaining: items.length - at } : {};
    return { items: picked, revision: list.revision, continueToken, ...remaining };
  }

  /** Lets go of every list and its timer. */
  close(): void {
    for (const { expiry } of this.#held.values()) expiry.cancel();
    this.#held.clear();
  }

  #listOf(kind: string, namespace: string, newest: ObjectList, token: Token): ObjectList {
    if (token.revision === NEWEST || token.revision === newest.revision) return newest;
    const key = `${kind}/${namespace}/${token.revision}`;
    const held = this.#held.get(key);
    if (held === undefined) return this.#again(kind, namespace, token);
    this.#held.delete(key);
    this.#held.set(key, held);
    return { items: held.items, revision: token.revision };
  }

  #past(kind: string, namespace: string, newest: ObjectList, revision: number): ObjectList {
    if (revision === newest.revision) return newest;
    const held = this.#held.get(`${kind}/${namespace}/${revision}`);
    return held === undefined ? this.#listAt(kind, namespace, revision) : { items: held.items, revision };
  }

  /** A list that is no longer held, made anew from what is remembered of its kind's past. */
  #again(kind: string, namespace: string, token: Token): ObjectList {
    try {
      return this.#listAt(kind, namespace, token.revision);
    } catch (error) {
      if (!(error instanceof ApiError) || error.reason !== 'Expired') throw error;
      throw new PageExpired(encodeToken({ revision: NEWEST, after: token.after }));
    }
  }

  #hold(key: string, items: readonly KubeObject[]): void {
    if (this.#held.has(key)) return;
    const expiry = this.#clock.after(KEEP_MS, () => this.#held.delete(key));
    this.#held.set(key, { items, expiry });
    const [oldest] = this.#held.keys();
    if (this.#held.size <= KEEP_LISTS || oldest === undefined) return;
    this.#held.get(oldest)?.expiry.cancel();
    this.#held.delete(oldest);
  }
}

interface Token {
  readonly revision: number;
  /** Key of the last item handed out. */
  readonly after: string;
}

function encodeToken(token: Token): string {
  return Buffer.from(JSON.stringify({ v: 1, rv: token.revision, after: token.after })).toString('base64url');
}

function decodeToken(text: string): Token {
  const refusal = new ApiError('BadRequest', 'continue key is not valid');
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (cause) {
    throw new ApiError('BadRequest', refusal.message, undefined, { cause });
  }
  if (typeof value !== 'object' || value === null) throw refusal;
  if (!('v' in value && value.v === 1 && 'rv' in value && 'after' in value)) throw refusal;
  if (typeof value.rv !== 'number' || typeof value.after !== 'string') throw refusal;
  return { revision: value.rv, after: value.after };
}
