/**
 * The agent's pods and runtime as a process of their own, driven by JSON lines: desired states come in on stdin, reports
 * go out on stdout. Tests kill and restart it as they would the agent.
 */
import { createInterface } from 'node:readline';
import { PodManager } from '../../edge-agent/pods/pod-manager.ts';
import type { DesiredState } from '../../edge-agent/pods/ports.ts';
import { DockerRuntime } from '../../edge-agent/runtime/docker.ts';
import { systemClock } from '../../kit/clock.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { DesiredPod, NodeItem } from '../../protocol/wire/messages.ts';

/** A desired state as it travels to this process; ConfigMaps and Secrets by `namespace/name`. */
export interface DesiredLine {
  readonly pods: readonly DesiredPod[];
  readonly configMaps?: Readonly<Record<string, Record<string, string>>>;
  readonly secrets?: Readonly<Record<string, Record<string, string>>>;
  readonly node?: NodeItem;
}

function toState(line: DesiredLine): DesiredState {
  const objects = (map: DesiredLine['secrets']) =>
    new Map(
      Object.entries(map ?? {}).map(([key, data]) => {
        const [namespace = '', name = ''] = key.split('/');
        const metadata = { name, namespace, uid: key, resourceVersion: '1', creationTimestamp: '' };
        return [key, { metadata, data }] as const;
      }),
    );
  return {
    pods: new Map(line.pods.map((pod) => [pod.metadata.uid, pod])),
    configMaps: objects(line.configMaps),
    secrets: objects(line.secrets),
    node: line.node,
  };
}

const [socketPath = '', dataDir = '', runDir = ''] = process.argv.slice(2);
const write = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const network = { name: 'coxswain', bridge: 'cox0', masquerade: true };
const manager = new PodManager({
  runtime: new DockerRuntime({ socketPath, networkName: network.name }),
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
});
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => manager.setDesired(toState(JSON.parse(line) as DesiredLine)));
lines.on('close', () => process.exit(0));
await manager.start(new AbortController().signal);
