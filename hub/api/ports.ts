import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PolicyRule } from '../../protocol/kinds/rbac.ts';
import type { Channel, StreamEnd } from '../../protocol/wire/frames.ts';
import type { ExecRequest, LogRequest, PodUsage, Telemetry } from '../../protocol/wire/messages.ts';
import type { Change, DeleteOptions } from '../cluster.ts';

/** Who asks. `uid` and `extra` are there for those whose credentials tell them, service accounts above all. */
export interface User {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Finds the owner of a bearer token; undefined when it is nobody's. Compares in constant time. */
export type TokenLookup = (token: string) => User | undefined | Promise<User | undefined>;

/** What somebody wants to do, as Kubernetes' authorizers see it; `path` instead of the rest for non-resource paths. */
export type Attributes =
  | {
      readonly verb: string;
      readonly group: string;
      readonly version: string;
      readonly resource: string;
      readonly subresource?: string;
      readonly namespace?: string;
      readonly name?: string;
      /** What a list or watch is narrowed to: field label to the one value that passes. */
      readonly fields?: Readonly<Record<string, string>>;
    }
  | { readonly verb: string; readonly path: string };

/** True when `user` may. Pure and quick: asked for every request. */
export type Authorize = (user: User, attributes: Attributes) => boolean;

/** Which part of an object a write is about. */
export type WrittenPart = 'spec' | 'status' | 'approval';

/**
 * Looks at writes of some kinds before the store does, whatever way they come: returns the object as it may be written, or throws
 * ApiError. `namespace` is the path's.
 */
export interface WriteRule {
  create(user: User, object: KubeObject, namespace: string): KubeObject | Promise<KubeObject>;
  update(user: User, object: KubeObject, previous: KubeObject, part: WrittenPart): KubeObject;
}

/** Rights beyond yes and no. */
export interface AccessPort {
  /** What allows it, in words; undefined when nothing does. */
  reason(user: User, attributes: Attributes): string | undefined;
  /** All rules of a user in a namespace; `gap` says why the list is not the whole truth, when it is not. */
  rulesFor(user: User, namespace: string): { readonly rules: readonly PolicyRule[]; readonly gap?: string };
  /** By kind; other kinds are written by whoever has the verb. */
  readonly writeRules: ReadonlyMap<string, WriteRule>;
}

/** What a token is asked for, as TokenRequest has it. */
export interface TokenWish {
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly bound?: { readonly kind: string; readonly name: string; readonly uid?: string };
}

/** Tokens of service accounts. */
export interface AccountTokensPort {
  /** A new token; rejects with ApiError NotFound, Conflict or BadRequest. */
  issue(
    namespace: string,
    account: string,
    wish: TokenWish,
  ): Promise<{ readonly token: string; readonly audiences: readonly string[]; readonly expiresAtMs: number }>;
  /** Whose token it is, and for which of `audiences` (default: this API) it counts; undefined when for none. */
  review(
    token: string,
    audiences: readonly string[],
  ): { readonly user: User; readonly audiences: readonly string[] } | undefined;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  /** Whose fields the write makes them; `given`: the object brings its `managedFields`. Absent: managers stay as they are. */
  readonly writer?: FieldWriter | 'given';
}

/** Who writes, as `metadata.managedFields` names it; `subresource` when it writes through one. */
export interface FieldWriter {
  readonly manager: string;
  readonly subresource?: string;
}

/** One page of a list. */
export interface ListPage {
  readonly items: readonly KubeObject[];
  /** The instant the page shows; the same on every page of one walk. */
  readonly revision: number;
  /** Present when there is more. */
  readonly continueToken?: string;
  /** How many items follow; only without `matches`. */
  readonly remaining?: number;
}

/** What part of a list is wanted; everything absent means all. */
export interface PageRequest {
  readonly namespace?: string;
  /** 0: no limit. */
  readonly limit?: number;
  /** The state to read, one of the past: Expired when it is forgotten. Absent: the newest. */
  readonly revision?: number;
  /** Of the page before; BadRequest when it is none, Expired when its list is gone. */
  readonly continueToken?: string;
  readonly matches?: (object: KubeObject) => boolean;
}

/** Which part of an object a modification replaces. */
export interface ModifyOptions extends WriteOptions {
  readonly part?: 'spec' | 'status';
}

/** What a deletion came to: `removed` is false while a grace period or a finalizer keeps the object. */
export interface Removal {
  readonly object: KubeObject;
  readonly removed: boolean;
}

/**
 * The store as the API needs it; all objects are frozen. Writes settle once durable and visible and reject with ApiError.
 * Defaults and validation of the kind are the store's; field strictness, patches and selectors are the API's.
 */
export interface StorePort {
  readonly revision: number;
  getObject(kind: string, namespace: string, name: string): KubeObject | undefined;
  /** Everything, of one namespace when it is given and not empty, by namespace and name. */
  listObjects(
    kind: string,
    namespace?: string,
  ): { readonly items: readonly KubeObject[]; readonly revision: number };
  listPage(kind: string, request: PageRequest): ListPage;
  /** Tells each change after `fromRevision`, in order, past ones at once. Throws ApiError `Expired` when it is too old. */
  watch(kind: string, fromRevision: number, listener: (change: Change) => void): () => void;
  createObject(kind: string, object: KubeObject, options: WriteOptions): Promise<KubeObject>;
  /** Replaces everything but status; no resourceVersion in the object means any. */
  updateObject(kind: string, object: KubeObject, options: WriteOptions): Promise<KubeObject>;
  updateStatusObject(kind: string, object: KubeObject, options: WriteOptions): Promise<KubeObject>;
  /** Writes what `change` makes of the newest state, with nothing in between; rejects with what it throws. */
  modifyObject(
    kind: string,
    namespace: string,
    name: string,
    change: (current: KubeObject) => KubeObject,
    options: ModifyOptions,
  ): Promise<KubeObject>;
  deleteObject(
    kind: string,
    namespace: string,
    name: string,
    options: DeleteOptions & WriteOptions,
  ): Promise<Removal>;
  /** Deletes what matches, of one namespace when given; one that is gone meanwhile is fine. */
  deleteCollection(
    kind: string,
    namespace: string | undefined,
    options: DeleteOptions & WriteOptions,
    matches?: (object: KubeObject) => boolean,
  ): Promise<Removal[]>;
  /** Sets spec.nodeName of a pod once. */
  bind(namespace: string, podName: string, podUid: string, nodeName: string): Promise<void>;
}

/** The patched value, or why not: `malformed` in form, or an operation that `failed` on this object. */
export type JsonPatched =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly reason: 'malformed' | 'failed'; readonly why: string };

/** What reads and changes request bodies, from the neighbouring rooms. */
export interface CodecPort {
  /** Reads a protobuf body; the object has its apiVersion and kind. Throws an Error whose text is for the client. */
  decodeProtobuf(bytes: Uint8Array): { readonly object: Record<string, unknown> };
  /** RFC 6902; leaves its arguments alone and never throws. */
  applyJsonPatch(target: unknown, patch: unknown): JsonPatched;
}

/** OpenAPI documents: of version 3, one for each API version (`v1`, `apps/v1`); of version 2, one for all. */
export interface OpenApiPort {
  groupVersions(): readonly string[];
  /** Changes exactly when the document does; undefined when there is none. */
  hash(apiVersion: string): string | undefined;
  file(apiVersion: string): { readonly hash: string; readonly json: string } | undefined;
  v2(format: 'json' | 'protobuf'): { readonly hash: string; readonly bytes: Uint8Array };
  /** Frees the documents until they are asked for again. */
  drop(): void;
}

export interface StreamRequest {
  readonly kind: 'log' | 'exec' | 'attach' | 'port';
  readonly container?: string;
  readonly log?: LogRequest;
  readonly exec?: ExecRequest;
  readonly port?: number;
}

export interface StreamHandlers {
  /** The promise holds back the sender's credit until it settles. */
  readonly onData: (channel: Channel, payload: Uint8Array) => void | Promise<void>;
  readonly onEnd?: (channel: Channel) => void;
  /** Called once, also when the link was lost. */
  readonly onClose: (end: StreamEnd) => void;
}

/** An open stream to a pod. After `close`, or once closed by the other side, calls do nothing. */
export interface PodStream {
  /** Settles when the device's window has room again. */
  write(channel: 'stdin' | 'data', payload: Uint8Array): Promise<void>;
  end(channel: 'stdin' | 'data'): void;
  resize(width: number, height: number): void;
  close(): void;
}

/** Streams to pods over the devices' links. `open` rejects with ApiError, `ServiceUnavailable` when the node is away. */
export interface StreamsPort {
  open(pod: Pod, request: StreamRequest, handlers: StreamHandlers): Promise<PodStream>;
}

/** Newest telemetry in memory; `atMs` is the hub's wall time of arrival. */
export interface TelemetryPort {
  node(name: string): { readonly sample: Telemetry; readonly atMs: number } | undefined;
  pod(uid: string): { readonly sample: PodUsage; readonly atMs: number } | undefined;
}

/** A request for a route of another room. `peerCertificateDer` is what the TLS peer proved to hold, not yet verified. */
export interface ExtraRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly bearer?: string;
  readonly peerCertificateDer?: Buffer;
  readonly remoteAddress: string;
}

/** `body` goes out as JSON, or as it is when `type` names its media type. */
export interface ExtraReply {
  readonly code: number;
  readonly body: unknown;
  readonly type?: string;
}

/** A path served by another room through the API's listener, such as joining. Rejections become Status answers. */
export interface ExtraRoute {
  readonly method: string;
  /** Exact path. */
  readonly path: string;
  /** True lets everybody in, unauthenticated; otherwise `authorize` is asked for the path. */
  readonly anonymous: boolean;
  /** Largest body in bytes; default 64 KiB. */
  readonly maxBodyBytes?: number;
  handle(request: ExtraRequest): Promise<ExtraReply>;
}

/** One metric for `/metrics`. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly {
    /** Which series of a histogram; buckets have the label `le`. */
    readonly suffix?: '_bucket' | '_sum' | '_count';
    readonly labels?: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}
