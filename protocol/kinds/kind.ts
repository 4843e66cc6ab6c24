import type { KubeObject } from './meta.ts';

/** Why a field was refused; the values of Kubernetes' `details.causes[].reason`. */
export type FieldErrorReason =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotFound'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid';

/** One refused field: `field` is a path such as `spec.containers[1].name`, `message` Kubernetes' own wording. */
export interface FieldError {
  readonly reason: FieldErrorReason;
  readonly field: string;
  readonly message: string;
}

/** What a printer column may look at beside the object itself; `nowMs` is the hub's wall clock. */
export interface PrintContext {
  readonly nowMs: number;
}

/** One column of `kubectl get`: priority 0 is always shown, above 0 only with `-o wide`. */
export interface Column<T> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'date';
  readonly format?: string;
  readonly description: string;
  readonly priority: number;
  readonly cell: (object: T, context: PrintContext) => string | number;
}

/**
 * Everything the hub knows about one kind: REST, watch, patch, Table, discovery and OpenAPI read this table,
 * so that a new kind is one file. `setDefaults` may change its argument; all other functions are pure and never throw.
 */
export interface KindSpec<T extends KubeObject = KubeObject> {
  readonly kind: T['kind'];
  /** Name the store keeps and tells its objects by, where that is not `kind`: two groups may have kinds of one name. */
  readonly id?: string;
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** False for kinds that live in memory only (events): the card is spared, a hub restart forgets them. */
  readonly durable: boolean;
  /**
   * Of a durable kind, tells the changes that live in memory only: after a hub restart the object is as it was before them.
   * `previous` is undefined for an object that comes or goes.
   */
  readonly isFleeting?: (object: T, previous: T | undefined) => boolean;
  /** True when `/status` exists and the main resource ignores `status`. */
  readonly hasStatus: boolean;
  /** True when `metadata.generation` counts changes of everything outside metadata and status. */
  readonly hasGeneration: boolean;
  /** True when a PUT to an absent name creates the object (leases, events). */
  readonly createOnUpdate?: boolean;
  readonly columns: readonly Column<T>[];
  /** Field selector label to value; `metadata.name` and `metadata.namespace` are there for every kind. */
  readonly fieldSelectors: Readonly<Record<string, (object: T) => string>>;
  readonly setDefaults: (object: T) => void;
  readonly validate: (object: T) => FieldError[];
  readonly validateUpdate: (next: T, previous: T) => FieldError[];
  readonly validateStatusUpdate?: (next: T, previous: T) => FieldError[];
  /** Called on create before validation: clears what a client may not set (status, for most kinds). */
  readonly prepareCreate?: (object: T) => void;
  /** Called on create once it is noted whose fields are whose: adds what the hub alone gives, which is nobody's. */
  readonly completeCreate?: (object: T) => void;
  /** Called on update before defaulting: brings back what a client may leave out (addresses given once). */
  readonly prepareUpdate?: (next: T, previous: T) => void;
  /** What is refused only of new objects, beside `validate`. */
  readonly validateCreate?: (object: T) => FieldError[];
  /** What clients are told beside the answer when they create the object, or change what it asks for: what hardly is what they mean. */
  readonly warnings?: (object: T, isNew: boolean) => readonly string[];
  /** Set for a kind that is only another view of objects stored as a different kind or version. */
  readonly view?: KindView;
  /** Set where `/scale` is not `spec.replicas`, `status.replicas` and `spec.selector`. */
  readonly scale?: ScaleView;
  /** Set for kinds that are no built-in structs: finds unknown fields, takes them out, reports type errors. */
  readonly decode?: (value: Record<string, unknown>) => DecodedFields;
  /** OpenAPI schema of a kind that is no built-in struct. */
  readonly openApi?: Readonly<Record<string, unknown>>;
}

/** How objects of one kind are shown as another; both directions leave their argument alone and never throw. */
export interface KindView {
  /** `idOf` the kind that is stored. */
  readonly of: string;
  readonly toStored: (object: KubeObject) => KubeObject;
  readonly fromStored: (object: KubeObject) => KubeObject;
}

/** Reads and writes the numbers of a `/scale`. */
export interface ScaleView {
  readonly read: (object: KubeObject) => { replicas: number; current: number; selector: string };
  readonly write: (object: KubeObject, replicas: number) => KubeObject;
}

/** What decoding found, in the words of strict decoding, and the value without unknown fields. */
export interface DecodedFields {
  readonly unknown: readonly string[];
  readonly typeErrors: readonly string[];
  readonly value: Record<string, unknown>;
}

/** The name a kind's objects are stored by. */
export function idOf(spec: Pick<KindSpec, 'id' | 'kind'>): string {
  return spec.id ?? spec.kind;
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(spec: Pick<KindSpec, 'group' | 'version'>): string {
  return spec.group === '' ? spec.version : `${spec.group}/${spec.version}`;
}
