import { constants, gzip } from 'node:zlib';
import { toYaml } from '../../kit/yaml.ts';
import type { ApiError, Status } from '../../protocol/status.ts';
import type { Answer, Exchange } from './exchange.ts';
import { negotiate, type Projection } from './media.ts';

const ANY: readonly Projection[] = ['object', 'Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'];

const LARGE_BYTES = 64 * 1024;
/** From here on an answer is worth compressing; the same bound as in Kubernetes. */
const GZIP_BYTES = 128 * 1024;
const MAX_DRAINED_BYTES = 32 * 1024 * 1024;

/** Writes an answer in the form the client accepts. Handlers have projected objects already (Table and so on). */
export function send(exchange: Exchange, answer: Answer): void {
  if ('streamed' in answer) return;
  const { response } = exchange;
  if (response.headersSent || response.destroyed) return;
  for (const text of exchange.warnings) response.appendHeader('Warning', `299 - ${quoted(text)}`);
  const headers = answer.headers ?? {};
  if ('text' in answer) {
    shortest(exchange, answer.code ?? 200, answer.type, answer.text, headers);
    return;
  }
  const format = negotiate(exchange.request.headers.accept, ANY)?.format ?? 'json';
  const text = format === 'yaml' ? toYaml(answer.object) : `${JSON.stringify(answer.object)}\n`;
  shortest(exchange, answer.code ?? 200, `application/${format}`, text, headers);
}

type Body = string | Uint8Array;
type Headers = Readonly<Record<string, string>>;

/** Writes a large body compressed for those who read that, everything else as it is. */
function shortest(exchange: Exchange, code: number, type: string, body: Body, headers: Headers): void {
  if (body.length > GZIP_BYTES && exchange.method === 'GET' && takesGzip(exchange))
    compressed(exchange, code, type, body, headers);
  else write(exchange, code, type, body, headers);
}

/** True when the client reads gzip and does not rule it out. */
function takesGzip({ request }: Exchange): boolean {
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
    else {
      const Vary = headers['Vary'] === undefined ? 'Accept-Encoding' : `${headers['Vary']}, Accept-Encoding`;
      write(exchange, code, type, bytes, { ...headers, 'Content-Encoding': 'gzip', Vary });
    }
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
  send(exchange, { object: error.toStatus(), code: error.code, headers });
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
