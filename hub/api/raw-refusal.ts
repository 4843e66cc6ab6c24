import type { Duplex } from 'node:stream';

const LINES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Refuses what never became a request: garbage, a head too large, one that never came to its end. Closes the socket. */
export function refuseRaw(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const line = LINES[error.code ?? ''] ?? '400 Bad Request';
  const code = Number(line.slice(0, 3));
  const message = line.slice(4);
  const head = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' };
  const body = `${JSON.stringify({ ...head, message, reason: 'BadRequest', code })}\n`;
  const headers = `Connection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  socket.end(`HTTP/1.1 ${line}\r\n${headers}\r\n${body}`);
}
