import type { Readable } from 'node:stream';
import type { StreamEndpoint } from '../../kit/stream-endpoint.ts';
import type { StreamEnd } from '../../protocol/wire/frames.ts';
import type { LogRequest } from '../../protocol/wire/messages.ts';
import type { StreamContainer, StreamRuntime } from './ports.ts';
import { StreamRefusal } from './refusal.ts';
import { StreamBatch } from './stream-batch.ts';
import type { StreamPipe } from './stream-pipe.ts';

/**
 * `kubectl logs`: both outputs on the channel stdout, whole lines each, as one file would hold them. Resolves at the end of the log, at
 * `limitBytes`, or when the peer closes.
 */
export async function serveLog(
  runtime: StreamRuntime,
  container: StreamContainer,
  request: LogRequest,
  endpoint: StreamEndpoint,
  pipe: StreamPipe,
): Promise<StreamEnd> {
  const isPrevious = request.previous === true;
  const id = isPrevious ? container.previousId : container.id;
  if (id === undefined) {
    throw new StreamRefusal('BadRequest', `previous terminated container "${container.name}" not found`);
  }
  const flow = await runtime.logs(id, {
    follow: request.follow === true && !isPrevious,
    tty: container.tty,
    timestamps: request.timestamps === true,
    ...(request.tailLines === undefined ? {} : { tailLines: request.tailLines }),
    ...(request.sinceMs === undefined ? {} : { sinceMs: request.sinceMs }),
  });
  pipe.attach({ close: () => flow.close() });
  let leftBytes = request.limitBytes ?? Number.POSITIVE_INFINITY;
  const batch = new StreamBatch(endpoint, 'stdout');
  const copy = async (source: Readable): Promise<void> => {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (endpoint.closed || leftBytes <= 0) return;
      const piece = chunk.length > leftBytes ? chunk.subarray(0, leftBytes) : chunk;
      leftBytes -= piece.length;
      await batch.add(piece);
      if (leftBytes <= 0) flow.close();
    }
  };
  const results = await Promise.allSettled([copy(flow.stdout), copy(flow.stderr)]);
  await batch.flush();
  flow.close();
  const failed = results.find((r) => r.status === 'rejected');
  // Closing the flow ends its readers with an error of their own: no news once we are done.
  if (failed !== undefined && leftBytes > 0 && !endpoint.closed) throw failed.reason;
  return {};
}
