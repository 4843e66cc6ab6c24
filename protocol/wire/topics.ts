/**
 * MQTT topics of wire version 1. All of a device's topics lie under `cox/1/<node>/`, so that a broker can confine it
 * by its name alone. Names are short because the heartbeat's topic is sent every few seconds over metered links.
 *
 * | topic              | way          | QoS | content |
 * |--------------------|--------------|-----|---------|
 * | cox/1/N/h          | device → hub | 0   | heartbeat: empty, or one telemetry sample |
 * | cox/1/N/r          | device → hub | 1   | Report, JSON |
 * | cox/1/N/d          | hub → device | 1   | Control, JSON |
 * | cox/1/N/x/S/u      | device → hub | 0   | stream S, binary frames (see frames.ts) |
 * | cox/1/N/x/S/d      | hub → device | 0   | the same, other way |
 */
const PREFIX = 'cox/1';

/** What a parsed topic means. */
export type Topic =
  | { readonly what: 'heartbeat' | 'report' | 'control'; readonly node: string }
  | { readonly what: 'stream'; readonly node: string; readonly stream: string; readonly way: 'up' | 'down' };

export const topics = {
  heartbeat: (node: string): string => `${PREFIX}/${node}/h`,
  report: (node: string): string => `${PREFIX}/${node}/r`,
  control: (node: string): string => `${PREFIX}/${node}/d`,
  streamUp: (node: string, stream: string): string => `${PREFIX}/${node}/x/${stream}/u`,
  streamDown: (node: string, stream: string): string => `${PREFIX}/${node}/x/${stream}/d`,
  /** What a device subscribes to. */
  deviceFilters: (node: string): string[] => [`${PREFIX}/${node}/d`, `${PREFIX}/${node}/x/+/d`],
  /** What the hub subscribes to. */
  hubFilters: (): string[] => [`${PREFIX}/+/h`, `${PREFIX}/+/r`, `${PREFIX}/+/x/+/u`],
} as const;

/** Takes a topic apart; undefined when it is none of ours. */
export function parseTopic(topic: string): Topic | undefined {
  const [p1, p2, node, kind, stream, way, ...rest] = topic.split('/');
  if (`${p1}/${p2}` !== PREFIX || !node || rest.length > 0) return undefined;
  if (stream === undefined) {
    if (kind === 'h') return { what: 'heartbeat', node };
    if (kind === 'r') return { what: 'report', node };
    if (kind === 'd') return { what: 'control', node };
    return undefined;
  }
  if (kind !== 'x' || stream === '' || (way !== 'u' && way !== 'd')) return undefined;
  return { what: 'stream', node, stream, way: way === 'u' ? 'up' : 'down' };
}

/** True when the device named `node` may publish to `topic`: only upwards, only under its own name. */
export function devicePublishAllowed(node: string, topic: string): boolean {
  const t = parseTopic(topic);
  if (t === undefined || t.node !== node) return false;
  return t.what === 'heartbeat' || t.what === 'report' || (t.what === 'stream' && t.way === 'up');
}

/** True when the device named `node` may subscribe to `filter`: exactly its own filters, no other wildcard. */
export function deviceSubscribeAllowed(node: string, filter: string): boolean {
  return topics.deviceFilters(node).includes(filter);
}
