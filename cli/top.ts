/** `cox top`: what the devices live through now. */
import type { Telemetry } from '../protocol/wire/messages.ts';
import { arrayOf, bool, int, nonEmpty, object, optional, passed, text } from '../protocol/wire/shape.ts';
import { CliError } from './cli-error.ts';
import type { HubClient } from './hub-client.ts';
import { formatAge, formatBytes, table } from './table.ts';

const PATH = '/coxswain/v1/nodes';
const MAX_NAME = 20;
const HEAD = ['NAME', 'STATUS', 'CPU', 'MEMORY', 'DISK', 'TEMP', 'PODS', 'SEEN'];

interface NodeOverview {
  readonly name: string;
  readonly ready: boolean;
  readonly address: string;
  readonly podCount: number;
  readonly telemetry?: Omit<Telemetry, 'pods'>;
  readonly ageMs?: number;
}

const shape = object({
  items: arrayOf(
    object({
      name: nonEmpty,
      ready: bool,
      address: text,
      podCount: int,
      telemetry: optional(passed),
      ageMs: optional(passed),
    }),
  ),
});

/** One line a device, at most 80 columns for names up to 20 letters. Throws CliError. */
export async function topNodes(hub: HubClient): Promise<string> {
  const answer = await hub.ask('GET', PATH);
  const why = shape(answer, '');
  if (why !== undefined)
    throw new CliError(`the hub's answer is not understood (${why}); cox and hub should be of one version.`);
  const { items } = answer as { items: readonly NodeOverview[] };
  if (items.length === 0) return 'No device has joined yet. Let one in: cox token create';
  return table(HEAD, items.map(row));
}

function row(node: NodeOverview): string[] {
  const name = node.name.length > MAX_NAME ? `${node.name.slice(0, MAX_NAME - 1)}…` : node.name;
  const t = node.telemetry;
  const live = t === undefined ? ['-', '-', '-', '-'] : usage(t);
  const seen = node.ageMs === undefined ? 'never' : formatAge(node.ageMs);
  return [name, node.ready ? 'Ready' : 'NotReady', ...live, String(node.podCount), seen];
}

function usage(t: Omit<Telemetry, 'pods'>): string[] {
  const heat = t.temperatureCelsius === undefined ? '-' : `${Math.round(t.temperatureCelsius)}°C`;
  return [
    percent(t.cpuRatio),
    `${formatBytes(t.memoryUsedBytes)}/${formatBytes(t.memoryTotalBytes)}`,
    percent(t.diskRatio),
    t.throttled === true ? `${heat}!` : heat,
  ];
}

function percent(ratio: number): string {
  return `${Math.round(ratio * 100)}%`;
}
