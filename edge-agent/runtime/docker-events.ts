import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { LABELS } from '../decide/container.ts';
import { RuntimeError } from '../decide/runtime-error.ts';
import { type ContainerEvent, type DockerEvent, eventOf } from './docker-view.ts';

/** Only what changes a pod; exec probes alone would otherwise wake the agent three times each. */
const ACTIONS = ['start', 'die', 'oom', 'destroy'];

/** Events of the agent's containers from now on. Aborting ends the iteration quietly. */
export async function containerEvents(
  docker: Docker,
  signal: AbortSignal,
): Promise<AsyncIterable<ContainerEvent>> {
  const stream = (await docker.getEvents({
    filters: { type: ['container'], event: ACTIONS, label: [LABELS.podUid] },
    abortSignal: signal,
  })) as Readable;
  return readEvents(stream, signal);
}

async function* readEvents(stream: Readable, signal: AbortSignal): AsyncGenerator<ContainerEvent> {
  const lines = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY });
  const broken = new Promise<never>((_, reject) => {
    stream.on('error', (error) =>
      reject(new RuntimeError('EngineUnreachable', 'event stream broke', { cause: error })),
    );
  });
  // Whoever stops iterating no longer waits for it; the rejection has then been dealt with by leaving.
  broken.catch(() => undefined);
  const iterator = lines[Symbol.asyncIterator]();
  try {
    while (!signal.aborted) {
      const line = await Promise.race([iterator.next(), broken]);
      if (line.done) return;
      const event = parseEvent(line.value);
      if (event !== undefined) yield event;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    lines.close();
    stream.destroy();
  }
}

function parseEvent(line: string): ContainerEvent | undefined {
  try {
    return eventOf(JSON.parse(line) as DockerEvent);
  } catch (error) {
    // A line cut off by the engine's end; the list that follows every reconnect tells the rest.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
