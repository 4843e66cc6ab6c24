/** One HTTPS request with certificates of ours, for the command line and for a device that renews. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { type CertificateProblem, certificateProblem } from './certificates.ts';

const MAX_BODY_BYTES = 32 * 1024 * 1024;

/**
 * How the server is known. `pinned`: its certificate is signed by this CA, whatever the clock says of its begin (a board may
 * think it is 1970). `any`: not at all; only for reading what is checked by a hash afterwards.
 */
export type ServerTrust = { readonly pinned: string } | { readonly any: true };

export interface HttpsRequest {
  readonly url: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly trust: ServerTrust;
  /** Client certificate and key, PEM. */
  readonly identity?: { readonly certPem: string; readonly keyPem: string };
  readonly bearer?: string;
  /** Sent as JSON, or as what `contentType` says. */
  readonly body?: string;
  readonly contentType?: string;
  /** Takes a good answer line by line as it comes, as a watch sends it; the response's body is empty then. */
  readonly onLine?: (line: string) => void;
  /** Ends the exchange from outside: it rejects as broken. */
  readonly signal?: AbortSignal;
  readonly timeoutMs: number;
  /** Wall time to judge expiry by, epoch ms; a board passes the later of its clock and its last known time. */
  readonly nowMs: number;
}

export interface HttpsResponse {
  readonly code: number;
  readonly body: string;
}

/** Why there was no answer; an answer of any status is none of these. */
export type HttpsReason = 'Unreachable' | 'Timeout' | 'Untrusted' | 'Broken';

/** No answer came. `certificate` says what was wrong with an untrusted server; nothing was sent to it. */
export class HttpsError extends Error {
  readonly reason: HttpsReason;
  readonly certificate: CertificateProblem | undefined;
  constructor(
    reason: HttpsReason,
    message: string,
    options?: ErrorOptions & { certificate?: CertificateProblem },
  ) {
    super(message, options);
    this.name = 'HttpsError';
    this.reason = reason;
    this.certificate = options?.certificate;
  }
}

/** Sends one request over a connection of its own; the server is checked before the first byte goes out. Rejects with HttpsError. */
export async function sendHttps(options: HttpsRequest): Promise<HttpsResponse> {
  const url = new URL(options.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  let socket: TLSSocket | undefined;
  const deadline = new Promise<never>((_, reject) => {
    setTimeout(() => {
      socket?.destroy();
      reject(new HttpsError('Timeout', `no answer from ${url.host} within ${options.timeoutMs} ms`));
    }, options.timeoutMs).unref();
  });
  const work = async (): Promise<HttpsResponse> => {
    socket = await open(host, Number(url.port || 443), options);
    return exchange(socket, url, options);
  };
  return Promise.race([work(), deadline]);
}

function open(host: string, port: number, options: HttpsRequest): Promise<TLSSocket> {
  const { identity, trust, nowMs } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      // The check below replaces OpenSSL's, which knows no pinned clock.
      rejectUnauthorized: false,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(identity === undefined ? {} : { cert: identity.certPem, key: identity.keyPem }),
    });
    socket.once('error', (cause) => {
      reject(new HttpsError('Unreachable', `cannot reach ${host}:${port}: ${plainly(cause)}`, { cause }));
    });
    socket.once('secureConnect', () => {
      const problem = 'any' in trust ? undefined : problemOf(socket, trust.pinned, host, nowMs);
      if (problem === undefined) {
        resolve(socket);
        return;
      }
      socket.destroy();
      const message = `${host}:${port} did not prove to be the hub: ${problem}`;
      reject(new HttpsError('Untrusted', message, { certificate: problem }));
    });
  });
}

const PLAIN: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no machine of that name',
  EAI_AGAIN: 'names cannot be looked up now',
  EHOSTUNREACH: 'there is no way to that machine',
  ENETUNREACH: 'there is no way to that network',
};

/** What people understand of a socket's error. */
function plainly(error: NodeJS.ErrnoException): string {
  return PLAIN[error.code ?? ''] ?? error.message;
}

function problemOf(
  socket: TLSSocket,
  ca: string,
  host: string,
  nowMs: number,
): CertificateProblem | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) return 'Unreadable';
  return certificateProblem(leaf.raw, ca, { purpose: 'server', host, nowMs });
}

function exchange(socket: TLSSocket, url: URL, options: HttpsRequest): Promise<HttpsResponse> {
  const { method, bearer, body } = options;
  const headers = {
    host: url.host,
    accept: 'application/json',
    connection: 'close',
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(body === undefined
      ? {}
      : {
          'content-type': options.contentType ?? 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
  };
  return new Promise((resolve, reject) => {
    const broken = (cause: Error): void =>
      reject(new HttpsError('Broken', `the answer of ${url.host} broke off`, { cause }));
    const request = httpRequest({
      method,
      path: `${url.pathname}${url.search}`,
      headers,
      createConnection: () => socket,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    request.once('error', broken);
    request.once('response', (response) => {
      const code = response.statusCode ?? 0;
      const { onLine } = options;
      const read =
        onLine === undefined || code >= 300 ? readBody(response) : readLines(response, onLine).then(() => '');
      read.then((text) => resolve({ code, body: text }), broken);
    });
    request.end(body);
  });
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`the answer exceeds ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function readLines(response: IncomingMessage, onLine: (line: string) => void): Promise<void> {
  let rest = '';
  response.setEncoding('utf8');
  for await (const chunk of response as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_BODY_BYTES) throw new Error(`a line of the answer exceeds ${MAX_BODY_BYTES} bytes`);
    for (const line of lines) onLine(line);
  }
}
