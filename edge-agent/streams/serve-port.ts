import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { StreamEndpoint } from '../../kit/stream-endpoint.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import { StreamRefusal } from './refusal.ts';
import { pump, type StreamPipe } from './stream-pipe.ts';

const DIAL_MS = 5000;

/** `kubectl port-forward`: one TCP connection to the pod, both ways, each way ended on its own. */
export async function servePort(
  address: string,
  port: number,
  endpoint: StreamEndpoint,
  pipe: StreamPipe,
): Promise<StreamEnd> {
  if (port < 1 || port > 65_535) throw new StreamRefusal('BadRequest', `port ${port} is none`);
  const socket = await dial(address, port);
  pipe.attach({ input: socket, close: () => socket.destroy() });
  // The failure of a socket ends its reader, and so the pump, with the same error.
  socket.on('error', () => socket.destroy());
  try {
    await pump(socket, endpoint, 'data');
  } catch (error) {
    if (!endpoint.closed) throw error;
  }
  endpoint.end('data');
  if (!socket.writableEnded && !socket.destroyed && !endpoint.closed) await once(socket, 'close');
  return {};
}

function dial(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
    const fail = (cause?: Error): void => {
      socket.destroy();
      const why = cause?.message ?? `no answer within ${DIAL_MS} ms`;
      reject(new StreamRefusal('ServiceUnavailable', `port ${port} of the pod: ${why}`, { cause }));
    };
    socket.setTimeout(DIAL_MS, () => fail());
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      socket.removeListener('error', fail);
      resolve(socket);
    });
  });
}
