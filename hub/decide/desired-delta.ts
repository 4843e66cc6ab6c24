import type { DesiredMessage, Item, ItemKey, ItemRevision } from '../../protocol/wire/messages.ts';

/** The desired state a device is believed to hold. */
export interface HeldIndex {
  readonly gen: number;
  readonly index: ReadonlyMap<ItemKey, ItemRevision>;
}

/** What to send to bring a device from what it holds to what it should hold. */
export interface DesiredStep {
  readonly cluster: string;
  /** Generation of the new index; never below that of the held one. */
  readonly gen: number;
  /** True to send the whole index: after a hello and after a sync. */
  readonly full: boolean;
  /** Largest message in bytes; content is split over several below it. */
  readonly maxBytes: number;
}

/**
 * Plans the messages of one step: content the device lacks, then the index or its change. No messages when a delta would change
 * nothing. The node's own item is never taken away: a device without it would lose its pod network. Pure; never throws.
 */
export function planDesired(
  held: HeldIndex,
  wanted: ReadonlyMap<ItemKey, Item>,
  step: DesiredStep,
): DesiredMessage[] {
  const index = indexOf(held, wanted);
  const lacking = [...wanted.values()].filter((item) => held.index.get(item.key) !== item.rev);
  const del = [...held.index.keys()].filter((key) => !index.has(key)).sort();
  if (!step.full && lacking.length === 0 && del.length === 0) return [];
  const head = {
    t: 'desired',
    cluster: step.cluster,
    gen: step.gen,
    base: step.full ? null : held.gen,
  } as const;
  const set = step.full
    ? Object.fromEntries(index)
    : Object.fromEntries(lacking.map((item) => [item.key, item.rev]));
  const last = { ...head, set, del: step.full ? [] : del };
  const groups = split(lacking, step.maxBytes - byteLength(JSON.stringify(last)) - MARGIN_BYTES);
  const final = groups.pop() ?? [];
  return [
    ...groups.map((items) => ({ ...head, items, set: {}, del: [], more: true })),
    { ...last, items: final },
  ];
}

/** The index of `wanted`, with the node's own item kept from `held` when nothing replaces it. */
export function indexOf(held: HeldIndex, wanted: ReadonlyMap<ItemKey, Item>): Map<ItemKey, ItemRevision> {
  const index = new Map([...wanted.values()].map((item) => [item.key, item.rev]));
  const own = held.index.get('node');
  if (own !== undefined && !index.has('node')) index.set('node', own);
  return index;
}

/** Room for the packet's head and the message's fixed words. */
const MARGIN_BYTES = 1024;

/** Groups items so that each group stays below `maxBytes`; an item larger than that travels alone. */
function split(items: readonly Item[], maxBytes: number): Item[][] {
  const groups: Item[][] = [];
  let group: Item[] = [];
  let usedBytes = 0;
  for (const item of items) {
    const bytes = byteLength(JSON.stringify(item)) + 1;
    if (group.length > 0 && usedBytes + bytes > maxBytes) {
      groups.push(group);
      group = [];
      usedBytes = 0;
    }
    group.push(item);
    usedBytes += bytes;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function byteLength(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
