import type { ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';

/** Where a watch writes its events: the body of a response, or a WebSocket. */
export interface WatchSink {
  /** Takes one event, a line of JSON with its end; false asks to wait for `onDrain`. */
  write(line: string): boolean;
  /** Who wants to know that there is room again. */
  onDrain(listener: () => void): void;
  /** Ends it cleanly after what was written. */
  end(): void;
  /** Cuts it off. */
  destroy(): void;
}

/** A response's body, one line for each event; its head goes out at once. */
export function bodySink(response: ServerResponse): WatchSink {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  return {
    write: (line) => response.write(line),
    onDrain: (listener) => void response.on('drain', listener),
    end: () => void response.end(),
    destroy: () => void response.destroy(),
  };
}

/** Bytes that may wait for the client of a WebSocket before the watch is told to wait. */
const WAITING_BYTES = 64 * 1024;

/** A WebSocket, one text message for each event, as browsers want it. */
export function socketSink(socket: WebSocket): WatchSink {
  const listeners: (() => void)[] = [];
  let isFull = false;
  const sent = (): void => {
    if (!isFull || socket.bufferedAmount > WAITING_BYTES) return;
    isFull = false;
    for (const listener of listeners) listener();
  };
  return {
    write: (line) => {
      // After its end there is nobody to wait for.
      if (socket.readyState !== socket.OPEN) return true;
      socket.send(line.trimEnd(), sent);
      isFull ||= socket.bufferedAmount > WAITING_BYTES;
      return !isFull;
    },
    onDrain: (listener) => void listeners.push(listener),
    end: () => socket.close(1000),
    destroy: () => socket.terminate(),
  };
}
