import type { ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';

/** Where a watch writes its events: the body of a response, or a WebSocket. */
export interface WatchSink {
  /**
   * Takes events, each a line of JSON with its end, and calls `taken` when the system has them and more may come; never before
   * it returns, and not at all once the client is gone.
   */
  write(lines: readonly string[], taken: () => void): void;
  /** Ends it cleanly after what was written. */
  end(): void;
  /** Cuts it off. */
  destroy(): void;
}

/** A response's body, one line for each event; its head goes out at once. `joined` makes bytes of lines. */
export function bodySink(
  response: ServerResponse,
  joined: (lines: readonly string[]) => Uint8Array,
): WatchSink {
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  return {
    write: (lines, taken) => void response.write(joined(lines), whenSent(taken)),
    end: () => void response.end(),
    destroy: () => void response.destroy(),
  };
}

/** A WebSocket, one text message for each event, as browsers want it. */
export function socketSink(socket: WebSocket): WatchSink {
  return {
    write: (lines, taken) => {
      // After its end there is nobody to wait for.
      if (socket.readyState !== socket.OPEN) return;
      const last = lines.length - 1;
      for (const [i, line] of lines.entries())
        socket.send(line.trimEnd(), i === last ? whenSent(taken) : undefined);
    },
    end: () => socket.close(1000),
    destroy: () => socket.terminate(),
  };
}

/** An error means that the client is gone; its 'close' ends the watch. */
const whenSent =
  (taken: () => void) =>
  (error?: Error | null): void => {
    if (error === undefined || error === null) taken();
  };
