import type { DurableMap } from '../kit/durable-map.ts';
import type { Node } from '../protocol/kinds/node.ts';
import type { Telemetry } from '../protocol/wire/messages.ts';
import type { Metric } from './api/ports.ts';
import type { Refusals } from './broker/refusals.ts';
import type { NodeTelemetry } from './telemetry/telemetry-view.ts';

/** What the broker and the link turned away, by device and reason. */
export function refusedMetrics(refusals: Refusals): Metric[] {
  return [
    {
      name: 'coxswain_refused_messages_total',
      help: 'Messages and connections of devices that were refused.',
      type: 'counter',
      values: refusals
        .counts()
        .map(({ node, reason, count }) => ({ labels: { node, reason }, value: count })),
    },
  ];
}

/** What the store has written since the start. */
export function storeMetrics(map: DurableMap): Metric[] {
  const { bytesWritten, fsyncs, journalBytes } = map.counters;
  const one = (name: string, help: string, type: Metric['type'], value: number): Metric => ({
    name,
    help,
    type,
    values: [{ value }],
  });
  return [
    one(
      'coxswain_store_written_bytes_total',
      'Bytes written to the disk by the store.',
      'counter',
      bytesWritten,
    ),
    one('coxswain_store_syncs_total', 'Times the store waited for the disk.', 'counter', fsyncs),
    one('coxswain_store_journal_bytes', 'Journal not yet folded.', 'gauge', journalBytes),
  ];
}

/** What telemetry tells of a device, by the name of the metric; a figure that the board does not have is left out. */
const OF_A_NODE: readonly { name: string; help: string; read: (sample: Telemetry) => number | undefined }[] =
  [
    { name: 'cpu_ratio', help: 'Busy share of all cores, 0 to 1.', read: (s) => s.cpuRatio },
    { name: 'memory_used_bytes', help: 'Memory in use.', read: (s) => s.memoryUsedBytes },
    { name: 'memory_size_bytes', help: 'Memory of the board.', read: (s) => s.memoryTotalBytes },
    {
      name: 'disk_used_ratio',
      help: 'Used share of the file system of images and pods, 0 to 1.',
      read: (s) => s.diskRatio,
    },
    { name: 'temperature_celsius', help: 'Temperature of the board.', read: (s) => s.temperatureCelsius },
    {
      name: 'throttled',
      help: '1 while the board is slowed down for heat or low voltage.',
      read: (s) => (s.throttled === undefined ? undefined : Number(s.throttled)),
    },
  ];

/**
 * One series a device: whether it is Ready, when it was last heard, and its newest telemetry. Of a device whose telemetry is stale only
 * the first two are told: its load is unknown, not what it was.
 */
export function nodeMetrics(
  nodes: readonly Node[],
  telemetry: {
    node(name: string): Pick<NodeTelemetry, 'confirmedWallMs'> | undefined;
    fresh(name: string): Pick<NodeTelemetry, 'sample'> | undefined;
  },
): Metric[] {
  const gauge = (name: string, help: string, read: (node: Node) => number | undefined): Metric => ({
    name: `coxswain_node_${name}`,
    help,
    type: 'gauge',
    values: nodes.flatMap((node) => {
      const value = read(node);
      return value === undefined ? [] : [{ labels: { node: node.metadata.name }, value }];
    }),
  });
  const heardMs = (node: Node): number | undefined => telemetry.node(node.metadata.name)?.confirmedWallMs;
  const isReady = ({ status }: Node): boolean =>
    status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true;
  return [
    gauge('ready', '1 while the node is Ready.', (node) => Number(isReady(node))),
    gauge('heartbeat_timestamp_seconds', 'When the device was last heard, Unix time by the hub.', (node) => {
      const ms = heardMs(node);
      return ms === undefined ? undefined : ms / 1000;
    }),
    ...OF_A_NODE.map(({ name, help, read }) =>
      gauge(name, help, (node) => {
        const known = telemetry.fresh(node.metadata.name);
        return known === undefined ? undefined : read(known.sample);
      }),
    ),
  ];
}
