/**
 * The agent's pods on an engine that never notices a process killed for its memory, as Docker 20.10 now and then with cgroup v2.
 * Driven by JSON lines like pod-agent.ts.
 */
import { createInterface } from 'node:readline';
import type { ContainerView } from '../../edge-agent/decide/container.ts';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import type { ContainerEvent } from '../../edge-agent/runtime/docker-view.ts';
import { OomLog } from '../../edge-agent/sensors/oom-log.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { type DesiredLine, toState } from './desired-line.ts';

/** Forgets every word of the engine on memory. */
class DeafRuntime extends DockerRuntime {
  override async list(signal?: AbortSignal): Promise<ContainerView[]> {
    return (await super.list(signal)).map(unaware);
  }

  override async inspect(id: string, signal?: AbortSignal): Promise<ContainerView | undefined> {
    const view = await super.inspect(id, signal);
    return view && unaware(view);
  }

  override async events(signal: AbortSignal): Promise<AsyncIterable<ContainerEvent>> {
    return withoutOom(await super.events(signal));
  }
}

function unaware({ oomKilled, ...view }: ContainerView): ContainerView {
  return oomKilled === undefined ? view : { ...view, oomKilled: false };
}

async function* withoutOom(events: AsyncIterable<ContainerEvent>): AsyncGenerator<ContainerEvent> {
  for await (const event of events) if (event.type !== 'oom') yield event;
}

const [socketPath = '', dataDir = '', runDir = ''] = process.argv.slice(2);
const write = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const network = { name: 'coxswain', bridge: 'cox0', masquerade: true };
const oomLog = new OomLog(silentLogger);
const manager = new PodManager({
  runtime: new DeafRuntime({ socketPath, networkName: network.name }),
  clock: systemClock,
  log: silentLogger,
  sinks: { onStatus: (status) => write({ status }), onEvent: (event) => write({ event }) },
  node: {
    nodeName: 'worker-1',
    hostIp: () => '127.0.0.1',
    cpuMilli: 2000,
    memoryBytes: 2 ** 30,
    network,
  },
  dataDir,
  runDir,
  concurrency: 8,
  oomKilled: (id) => oomLog.names(id),
});
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => manager.setDesired(toState(JSON.parse(line) as DesiredLine)));
lines.on('close', () => process.exit(0));
await manager.start(new AbortController().signal);
