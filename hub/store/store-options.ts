import type { Clock } from '../../kit/clock.ts';
import type { DurableMap } from '../../kit/durable-map.ts';
import type { Logger } from '../../kit/logger.ts';
import type { FieldError, KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change, DeleteOptions } from '../cluster.ts';
import type { HistoryLimits } from './history.ts';
import type { IdSource } from './ids.ts';

/** How a write is to be done. */
export interface WriteOptions {
  /** Plan and validate, store nothing, tell nobody; resolves to what would come of it. */
  readonly dryRun?: boolean;
  /** Nobody waits at a screen for it: when much is to be written, what others ask for goes first. */
  readonly canWait?: boolean;
  /** Who asks, for the debug log. */
  readonly user?: string;
  /**
   * Whose fields the write makes them. `given`: the object brings its `managedFields`, and they count. Absent: managers stay as
   * they are, and an object that is created has none.
   */
  readonly writer?: FieldWriter | 'given';
}

/** Who writes, as `metadata.managedFields` names it; `subresource` when it writes through one. */
export interface FieldWriter {
  readonly manager: string;
  readonly subresource?: string;
}

/** Options of `updateObject`. */
export interface UpdateOptions extends WriteOptions {
  /** `finalize`: `spec.finalizers` of a namespace may change; the main resource keeps them. */
  readonly subresource?: 'finalize';
}

/** Options of `modifyObject`. */
export interface ModifyOptions extends UpdateOptions {
  /** Which part the new state replaces. Default `spec`: everything but status. */
  readonly part?: 'spec' | 'status';
}

/** Options of `deleteObject` and `deleteCollection`. */
export type RemoveOptions = DeleteOptions & WriteOptions;

/** What a deletion came to: `removed` false when the object stays for its grace period or finalizers. */
export interface Removal {
  readonly object: KubeObject;
  readonly removed: boolean;
}

/** Looks up the newest state, what is not visible yet included. */
export type NewestObject = (kind: string, namespace: string, name: string) => KubeObject | undefined;

/** The newest state as admission sees it, what is not visible yet included. */
export interface AdmissionLook {
  get: NewestObject;
  /** All objects of a kind in a namespace; of cluster-wide kinds with the namespace empty. */
  list(kind: string, namespace: string): Iterable<KubeObject>;
}

/** Has a say in every creation and in changes of what people ask for; no step may throw. */
export interface Admission {
  /** Completes the mutable draft, after defaulting and before validation; returns why it is refused. */
  admit(spec: KindSpec, object: KubeObject, look: AdmissionLook): string | undefined;
  /** Gives a valid draft, new or with a new state, what only one object can have; what it asks for and cannot have is an error. */
  assign(spec: KindSpec, object: KubeObject, look: AdmissionLook): readonly FieldError[];
  /**
   * Has the last word on an object that is valid and new, or on its new state when there is a `previous` one; not on changes of
   * status. What it allows is there for the next to see.
   */
  approve(spec: KindSpec, object: KubeObject, look: AdmissionLook, previous?: KubeObject): string | undefined;
  /** Hears of each change at the moment it becomes part of the newest state, in order, of dry runs never. */
  planned?(spec: KindSpec, change: Change): void;
  /** The disk did not take the changes on their way: the newest state is what is visible. */
  refused?(): void;
}

export interface StoreOptions {
  readonly kinds: readonly KindSpec[];
  /** An open durable map and what it held. The store closes it. */
  readonly map: Pick<DurableMap, 'commit' | 'close'>;
  readonly entries: ReadonlyMap<string, unknown>;
  readonly clock: Clock;
  readonly ids?: IdSource;
  readonly log?: Logger;
  /** What is added to objects that are being created, whoever creates them, and what is refused. */
  readonly admission?: Admission;
  /** Past kept per kind for watches. Default 10,000 changes and 8 MiB. */
  readonly history?: HistoryLimits;
}
