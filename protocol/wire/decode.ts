import type {
  AckMessage,
  Control,
  DesiredMessage,
  EventsReport,
  FactsReport,
  HelloReport,
  Item,
  NodeFacts,
  OpenMessage,
  RefusedReport,
  Report,
  StatusReport,
  SyncReport,
  WelcomeMessage,
} from './messages.ts';
import {
  arrayOf,
  bool,
  type Check,
  type Decoded,
  field,
  int,
  nonEmpty,
  object,
  oneOf,
  optional,
  passed,
  recordOf,
  text,
} from './shape.ts';

/** Where a message comes from untyped: JSON text as bytes. Never throws; `why` names the first field that is wrong. */
export function decodeReport(bytes: Uint8Array): Decoded<Report> {
  return decode(bytes, REPORTS) as Decoded<Report>;
}

/** The same for what the hub says to a device. */
export function decodeControl(bytes: Uint8Array): Decoded<Control> {
  return decode(bytes, CONTROLS) as Decoded<Control>;
}

/** JSON bytes of a message. */
export function encodeMessage(message: Report | Control): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

const index = recordOf(text);
const uid = nonEmpty;

const meta = object({
  name: nonEmpty,
  uid: optional(text),
  namespace: optional(text),
  labels: optional(recordOf(text)),
  annotations: optional(recordOf(text)),
  deletionTimestamp: optional(text),
  deletionGracePeriodSeconds: optional(int),
});
const container = object({ name: nonEmpty, image: text });
const claimed = object({
  volume: nonEmpty,
  path: optional(nonEmpty),
  type: optional(text),
  readOnly: optional(bool),
});
const podBody = object({
  claims: optional(recordOf(claimed)),
  metadata: object({ name: nonEmpty, uid: nonEmpty, namespace: nonEmpty }),
  spec: object({ containers: arrayOf(container), initContainers: optional(arrayOf(container)) }),
});
const dataBody = object({
  metadata: meta,
  data: optional(recordOf(text)),
  binaryData: optional(recordOf(text)),
});
const nodeBody = object({
  podCIDR: optional(text),
  clusterCIDR: optional(text),
  settings: optional(recordOf(int)),
  removeVolumes: optional(arrayOf(nonEmpty)),
});

const ITEM_BODIES: Record<Item['kind'], Check> = {
  pod: podBody,
  configmap: dataBody,
  secret: dataBody,
  node: nodeBody,
};

const item: Check = (value, path) => {
  const head = object({ key: nonEmpty, rev: nonEmpty, kind: oneOf('pod', 'configmap', 'secret', 'node') })(
    value,
    path,
  );
  if (head !== undefined) return head;
  const { kind, body } = value as { kind: Item['kind']; body: unknown };
  return ITEM_BODIES[kind](body, field(path, 'body'));
};

const condition = object({
  type: nonEmpty,
  status: oneOf('True', 'False', 'Unknown'),
  reason: optional(text),
  message: optional(text),
});
const systemInfo = object({
  machineID: text,
  systemUUID: text,
  bootID: text,
  kernelVersion: text,
  osImage: text,
  containerRuntimeVersion: text,
  kubeletVersion: text,
  kubeProxyVersion: text,
  operatingSystem: text,
  architecture: text,
});
/** `[names, sizeBytes]` or `[names, sizeBytes, platform]`; later versions may append. */
const imageFact: Check = (value, path) => {
  if (!Array.isArray(value)) return `${path}: not a list`;
  const [names, sizeBytes, platform] = value as unknown[];
  return (
    arrayOf(nonEmpty)(names, `${path}[0]`) ??
    int(sizeBytes, `${path}[1]`) ??
    optional(text)(platform, `${path}[2]`)
  );
};
const FACTS: Record<keyof NodeFacts, Check> = {
  cpuMilli: int,
  memoryBytes: int,
  diskBytes: int,
  maxPods: int,
  reservedCpuMilli: int,
  reservedMemoryBytes: int,
  profile: text,
  heartbeatMs: int,
  leaseMs: int,
  labels: recordOf(text),
  addresses: arrayOf(object({ type: nonEmpty, address: nonEmpty })),
  system: systemInfo,
  conditions: arrayOf(condition),
  dataDir: optional(text),
  removedVolumes: optional(arrayOf(nonEmpty)),
  devices: optional(recordOf(int)),
  images: optional(arrayOf(imageFact)),
};
const facts = object(FACTS);

const containerStatus = object({
  name: nonEmpty,
  ready: bool,
  restartCount: int,
  image: text,
  imageID: text,
});
const podReport = object({
  uid,
  namespace: nonEmpty,
  name: nonEmpty,
  gone: optional(bool),
  status: object({
    phase: optional(oneOf('Pending', 'Running', 'Succeeded', 'Failed', 'Unknown')),
    conditions: optional(arrayOf(condition)),
    containerStatuses: optional(arrayOf(containerStatus)),
    initContainerStatuses: optional(arrayOf(containerStatus)),
    podIP: optional(text),
  }),
});
const eventReport = object({
  id: nonEmpty,
  involved: object({
    kind: optional(text),
    namespace: optional(text),
    name: optional(text),
    uid: optional(text),
  }),
  type: oneOf('Normal', 'Warning'),
  reason: nonEmpty,
  message: text,
  count: int,
  firstTimestamp: text,
  lastTimestamp: text,
});

type Body<T> = Record<Exclude<keyof T, 't' | 'boot' | 'seq'>, Check>;
const report = (body: Record<string, Check>): Check => object({ boot: nonEmpty, seq: int, ...body });

const HELLO: Body<HelloReport> = {
  versions: arrayOf(int),
  agent: text,
  cluster: text,
  gen: int,
  have: index,
  facts,
};
const FACTS_REPORT: Body<FactsReport> = { facts };
const SYNC: Body<SyncReport> = { cluster: text, gen: int, have: index };
const REFUSED: Body<RefusedReport> = {
  reason: oneOf('OtherCluster', 'OlderGeneration'),
  cluster: text,
  gen: int,
  offeredGen: int,
  pods: arrayOf(object({ uid, namespace: nonEmpty, name: nonEmpty })),
};
const STATUS: Body<StatusReport> = { full: optional(bool), pods: arrayOf(podReport) };
const EVENTS: Body<EventsReport> = { events: arrayOf(eventReport), dropped: optional(int) };

const REPORTS: Record<Report['t'], Check> = {
  hello: report(HELLO),
  facts: report(FACTS_REPORT),
  sync: report(SYNC),
  refused: report(REFUSED),
  status: report(STATUS),
  events: report(EVENTS),
};

const DESIRED: Record<Exclude<keyof DesiredMessage, 't'>, Check> = {
  cluster: nonEmpty,
  gen: int,
  base: (value, path) => (value === null ? undefined : int(value, path)),
  items: arrayOf(item),
  set: index,
  del: arrayOf(nonEmpty),
  more: optional(bool),
};
const WELCOME: Record<Exclude<keyof WelcomeMessage, 't'>, Check> = {
  cluster: nonEmpty,
  version: int,
  hub: text,
  atMs: int,
};
const ACK: Record<Exclude<keyof AckMessage, 't'>, Check> = { boot: nonEmpty, seq: int };
const OPEN: Record<Exclude<keyof OpenMessage, 't'>, Check> = {
  stream: nonEmpty,
  kind: oneOf('log', 'exec', 'attach', 'port'),
  podUid: uid,
  container: optional(nonEmpty),
  log: optional(
    object({
      follow: optional(bool),
      tailLines: optional(int),
      sinceMs: optional(int),
      timestamps: optional(bool),
      previous: optional(bool),
      limitBytes: optional(int),
    }),
  ),
  exec: optional(
    object({ command: optional(arrayOf(text)), stdin: bool, stdout: bool, stderr: bool, tty: bool }),
  ),
  port: optional(int),
};

const CONTROLS: Record<Control['t'], Check> = {
  desired: object(DESIRED),
  welcome: object(WELCOME),
  ack: object(ACK),
  'hello?': passed,
  open: object(OPEN),
};

function decode(bytes: Uint8Array, shapes: Readonly<Record<string, Check>>): Decoded<unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own message quotes foreign bytes; the reason alone is safe to log.
    return { ok: false, why: 'not JSON in UTF-8' };
  }
  const kind = typeof value === 'object' && value !== null ? (value as { t?: unknown }).t : undefined;
  const shape = typeof kind === 'string' && Object.hasOwn(shapes, kind) ? shapes[kind] : undefined;
  if (shape === undefined) return { ok: false, why: 't: unknown message' };
  const why = shape(value, '');
  return why === undefined ? { ok: true, value } : { ok: false, why };
}
