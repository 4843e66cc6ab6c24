import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const LINES: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** A client that does not even take its refusal is given this long. */
const LAST_WORDS_MS = 1_000;

/**
 * Refuses what never became a request: garbage, a head too large, one that never came to its end. Closes the socket, at once when no
 * connection came about: what is written before the handshake is done would wait for it for ever.
 */
export function refuseRaw(error: Error & { code?: string }, socket: Duplex): void {
  const { code: why = '' } = error;
  const isHttp = why.startsWith('HPE_') || why.startsWith('ERR_HTTP_');
  if (!socket.writable || !isHttp) {
    socket.destroy();
    return;
  }
  const line = LINES[why] ?? '400 Bad Request';
  const code = Number(line.slice(0, 3));
  const message = line.slice(4);
  const head = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' };
  const body = `${JSON.stringify({ ...head, message, reason: 'BadRequest', code })}\n`;
  const headers = `Connection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
  if (socket instanceof Socket) socket.setTimeout(LAST_WORDS_MS, () => socket.destroy());
  // The client may keep its half of the connection open as long as it likes.
  socket.end(`HTTP/1.1 ${line}\r\n${headers}\r\n${body}`, () => socket.destroy());
}
