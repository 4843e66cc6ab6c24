import { createInterface } from 'node:readline';
import { PodManager, type PodManagerOptions } from '../../edge-agent/pods/pod-manager.ts';
import type { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import { type DesiredLine, toState } from './desired-line.ts';

/**
 * The agent's pods on a runtime, in a process of their own: desired states come in as JSON lines on stdin, reports go out on stdout,
 * until stdin ends. The engine's socket and the two folders are the process' arguments.
 */
export async function drivePods(
  runtimeAt: (options: ConstructorParameters<typeof DockerRuntime>[0]) => PodManagerOptions['runtime'],
  more: Pick<PodManagerOptions, 'oomKilled'> = {},
): Promise<void> {
  const [socketPath = '', dataDir = '', runDir = ''] = process.argv.slice(2);
  const write = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  const network = { name: 'coxswain', bridge: 'cox0', masquerade: true };
  const manager = new PodManager({
    runtime: runtimeAt({ socketPath, networkName: network.name }),
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
    ...more,
  });
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => manager.setDesired(toState(JSON.parse(line) as DesiredLine)));
  lines.on('close', () => process.exit(0));
  await manager.start(new AbortController().signal);
}
