import { constants, gzip } from 'node:zlib';
import { toYaml } from '../../kit/yaml.ts';
import type { ApiError, Status } from '../../protocol/status.ts';
import type { Answer, Exchange, ListDocument } from './exchange.ts';
import { negotiate, type Projection } from './media.ts';
import { gathered, listText, stream } from './send-list.ts';

const ANY: readonly Projection[] = ['object', 'Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'];

const LARGE_BYTES = 64 * 1024;
/** From here on an answer is worth compressing; the same bound as in Kubernetes. */
const GZIP_BYTES = 128 * 1024;
const MAX_DRAINED_BYTES = 32 * 1024 * 1024;

/**
 * Writes an answer in the form the client accepts. Handlers have projected objects already (Table and so on). Resolves when the
 * answer is handed over, of a long list when it is out; rejects when an item of a list cannot be made.
 */
export async function send(exchange: Exchange, answer: Answer): Promise<void> {
  if ('streamed' in answer) return;
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  for (const text of exchange.warnings) response.appendHeader('Warning', `299 - ${quoted(text)}`);
  const { code = 200, headers = {} } = answer;
  if ('text' in answer) {
    shortest(exchange, code, answer.type, answer.text, headers);
    return;
  }
  const format = negotiate(exchange.request.headers.accept, ANY)?.format ?? 'json';
  const type = `application/${format}`;
  if ('list' in answer && format === 'json') {
    await writeList(exchange, code, type, listText(answer.list), headers);
    return;
  }
  const object = 'list' in answer ? whole(answer.list) : answer.object;
  const text = format === 'yaml' ? toYaml(object) : `${JSON.stringify(object)}\n`;
  shortest(exchange, code, type, text, headers);
}

type Body = string | Uint8Array;
type Headers = Readonly<Record<string, string>>;

/** Writes a large body compressed for those who read that, everything else as it is. */
function shortest(exchange: Exchange, code: number, type: string, body: Body, headers: Headers): void {
  if (body.length > GZIP_BYTES && takesGzip(exchange)) compressed(exchange, code, type, body, headers);
  else write(exchange, code, type, body, headers);
}

const whole = ({ head, field, items }: ListDocument): object => ({ ...head, [field]: [...items] });

/** The headers of a compressed answer, beside its own. */
function zipped({ Vary }: Headers): Headers {
  return {
    'Content-Encoding': 'gzip',
    Vary: Vary === undefined ? 'Accept-Encoding' : `${Vary}, Accept-Encoding`,
  };
}

/** A short list goes out as any other answer, a long one while it is made. */
async function writeList(
  exchange: Exchange,
  code: number,
  type: string,
  parts: Generator<string, void>,
  headers: Headers,
): Promise<void> {
  const { text, whole: isWhole } = gathered(parts, GZIP_BYTES);
  if (isWhole) {
    write(exchange, code, type, text, headers);
    return;
  }
  const isZipped = takesGzip(exchange);
  exchange.response.setTimeout(exchange.stallMs);
  exchange.response.writeHead(code, {
    'Cache-Control': 'no-cache, private',
    'Content-Type': type,
    ...headers,
    ...(isZipped ? zipped(headers) : {}),
  });
  await stream(exchange, followedBy(text, parts), isZipped);
}

function* followedBy(first: string, rest: Iterable<string>): Generator<string, void> {
  yield first;
  yield* rest;
}

/** True when the client reads gzip, does not rule it out, and the answer is one of those that Kubernetes compresses. */
function takesGzip({ method, request }: Exchange): boolean {
  if (method !== 'GET') return false;
  const codings = String(request.headers['accept-encoding'] ?? '').split(',');
  return codings.some((coding) => {
    const [name = '', ...parameters] = coding.split(';').map((part) => part.trim().toLowerCase());
    return name === 'gzip' && !parameters.some((p) => /^q=0(\.0*)?$/.test(p));
  });
}

/** Compresses off the main thread, quickly rather than well, and writes then; sends it plainly should that fail. */
function compressed(exchange: Exchange, code: number, type: string, text: Body, headers: Headers): void {
  gzip(text, { level: constants.Z_BEST_SPEED }, (error, bytes) => {
    if (exchange.response.destroyed || exchange.response.headersSent) return;
    if (error !== null) write(exchange, code, type, text, headers);
    else write(exchange, code, type, bytes, { ...headers, ...zipped(headers) });
  });
}

/** Writes a refusal as a Status, or ends the connection when an answer is already under way. */
export function sendError(exchange: Exchange, error: ApiError): void {
  const { response } = exchange;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const retry = error.details?.retryAfterSeconds;
  if (error.reason === 'RequestEntityTooLarge' && !isWorthDraining(exchange))
    response.setHeader('Connection', 'close');
  const headers: Record<string, string> = retry === undefined ? {} : { 'Retry-After': String(retry) };
  // Made of a few texts: nothing of it can fail.
  void send(exchange, { object: error.toStatus(), code: error.code, headers });
}

/**
 * A client that is still writing when the connection is closed under it loses the answer. Node reads and drops the rest of a body
 * when the connection stays; beyond this it is not worth the line.
 */
function isWorthDraining({ request }: Exchange): boolean {
  return Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) <= MAX_DRAINED_BYTES;
}

/** The Status of a success, as deletions answer. */
export function successStatus(details?: Status['details']): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details === undefined ? {} : { details }),
  };
}

function write(exchange: Exchange, code: number, type: string, body: Body, headers: Headers): void {
  const { response } = exchange;
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  // Node forgets this again once the answer is out.
  if (length > LARGE_BYTES) response.setTimeout(exchange.stallMs);
  response.writeHead(code, {
    'Cache-Control': 'no-cache, private',
    'Content-Type': type,
    ...(code === 304 ? {} : { 'Content-Length': length }),
    ...headers,
  });
  // A text goes out together with the head, in one record.
  response.end(code === 304 ? undefined : body);
}

/** A header must hold visible ASCII: everything else is escaped. */
function quoted(text: string): string {
  const escaped = text.replace(/["\\]/g, (c) => `\\${c}`);
  return `"${escaped.replace(/[^\x20-\x7e]/g, '?')}"`;
}
