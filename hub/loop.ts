import { type Clock, toTime } from '../kit/clock.ts';
import { KeyedQueue } from '../kit/keyed-queue.ts';
import type { Logger } from '../kit/logger.ts';
import type { KubeObject, ObjectReference } from '../protocol/kinds/meta.ts';
import { ApiError } from '../protocol/status.ts';
import type { ClusterClient, ClusterView } from './cluster.ts';
import type { Moment } from './decide/moment.ts';

/** What every loop of the hub is built from. */
export interface LoopDeps {
  readonly view: ClusterView;
  readonly client: ClusterClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventSink;
}

/** A thing with a life: `start` once, `stop` resolves when nothing of it runs any more. */
export interface Loop {
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

/** Something people should see in `kubectl describe`. */
export interface EventNote {
  readonly involved: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  /** True when a new message replaces the last one of the same reason instead of standing beside it. */
  readonly replaces?: boolean;
}

/** Takes events; never blocks and never fails: events are hints, state lives in conditions. */
export interface EventSink {
  record(note: EventNote): void;
}

/** The instant now, for decisions. */
export function momentOf(clock: Clock): Moment {
  const atMs = clock.nowMs();
  return { atMs, time: toTime(atMs) };
}

/** `namespace/name`, the key of a namespaced object in queues and logs; `name` alone for cluster-wide ones. */
export function keyOf(object: Pick<KubeObject, 'metadata'>): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** Takes a key apart; the namespace is empty for cluster-wide objects. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: '', name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Reference for events. Nodes are referred to by name as uid, as kubelets do and `kubectl describe node` expects. */
export function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  const base = { apiVersion: object.apiVersion, kind: object.kind, name, resourceVersion };
  if (object.kind === 'Node') return { ...base, uid: name };
  return { ...base, uid, ...(namespace === undefined ? {} : { namespace }) };
}

/** True for an ApiError with one of the reasons. */
export function isApiError(error: unknown, ...reasons: ApiError['reason'][]): boolean {
  return error instanceof ApiError && reasons.includes(error.reason);
}

/**
 * Waits for a write whose object may have gone or changed meanwhile: NotFound and Conflict settle quietly, because the
 * change that caused them calls the loop again.
 */
export async function tolerant(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isApiError(error, 'NotFound', 'Conflict')) throw error;
  }
}

/** A loop's queue: errors are logged once each, at `debug` while they are the usual races, else at `warn`. */
export function loopQueue(
  run: (key: string) => Promise<void>,
  deps: Pick<LoopDeps, 'clock' | 'log'>,
  concurrency: number,
): KeyedQueue {
  return new KeyedQueue(run, {
    clock: deps.clock,
    concurrency,
    backoff: { baseMs: 50, maxMs: 30_000 },
    onError: (key, err, failures, retryMs) => {
      const usual = isApiError(err, 'Conflict', 'NotFound', 'AlreadyExists') && failures < 5;
      const fields = { key, err, failures, retryMs };
      if (usual) deps.log.debug('retrying', fields);
      else deps.log.warn('retrying', fields);
    },
  });
}
