import { type ClientHttp2Session, connect } from 'node:http2';

const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type GrpcHealth = (typeof STATUSES)[number];

/**
 * Asks a server for its health by grpc.health.v1.Health/Check without TLS, as Kubernetes' gRPC probes do. The two
 * messages have one field each, so they are written and read by hand. Rejects when there is no proper answer.
 */
export async function grpcHealth(
  host: string,
  port: number,
  service: string,
  signal: AbortSignal,
): Promise<GrpcHealth> {
  const session = connect(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
  const onAbort = (): void => session.destroy(new Error('timeout: health rpc did not complete in time'));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await check(session, service);
  } finally {
    signal.removeEventListener('abort', onAbort);
    session.destroy();
  }
}

function check(session: ClientHttp2Session, service: string): Promise<GrpcHealth> {
  return new Promise((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const chunks: Buffer[] = [];
    let status: string | undefined;
    const readStatus = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined) status = String(headers['grpc-status']);
    };
    stream.on('response', readStatus);
    stream.on('trailers', readStatus);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      if (status === '0') resolve(readAnswer(Buffer.concat(chunks)));
      else if (status === '5') resolve('SERVICE_UNKNOWN');
      else reject(new Error(`health rpc failed: status ${status ?? 'missing'}`));
    });
    stream.end(encodeRequest(service));
  });
}

/** `message HealthCheckRequest { string service = 1; }` in a gRPC frame. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

/** `message HealthCheckResponse { ServingStatus status = 1; }` from a gRPC frame; an absent field is UNKNOWN. */
export function readAnswer(frame: Buffer): GrpcHealth {
  const message = frame.subarray(5);
  const value = message[0] === 0x08 ? (message[1] ?? 0) : 0;
  return STATUSES[value] ?? 'UNKNOWN';
}
