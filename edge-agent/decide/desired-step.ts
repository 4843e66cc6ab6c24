import type { DesiredMessage, Item, ItemKey, ItemRevision } from '../../protocol/wire/messages.ts';

/** The desired state a device holds: whose it is, which generation, and every item with its content. */
export interface HeldState {
  /** Cluster id of the hub that gave it; empty when no hub has. */
  readonly cluster: string;
  /** Generation of the index; 0 when none. */
  readonly gen: number;
  readonly items: ReadonlyMap<ItemKey, Item>;
}

/** What a device holds that has never been told anything. */
export const NOTHING_HELD: HeldState = { cluster: '', gen: 0, items: new Map() };

/** Why a device will not follow a step. */
export type RefusalReason = 'OtherCluster' | 'OlderGeneration';

/** What to do with a desired message. */
export type DesiredStep =
  /** Keep the content beside the held state; the index comes in a later message. */
  | { readonly do: 'stage'; readonly items: readonly Item[] }
  /** Follow: write `put` and `del`, then act on `next`. Both empty means that only the generation moved. */
  | {
      readonly do: 'accept';
      readonly next: HeldState;
      readonly put: readonly Item[];
      readonly del: readonly ItemKey[];
    }
  /** The step does not fit what is held: ask for the difference. */
  | { readonly do: 'sync'; readonly why: 'OtherBase' | 'MissingContent' }
  | { readonly do: 'refuse'; readonly reason: RefusalReason };

/**
 * Decides what a desired message does to what is held, by the rules of docs/wire.md. An item leaves only when the index
 * of an accepted step no longer names it; no other message, and no absence of messages, takes anything away.
 * `staged` is content received ahead of its index. Pure; never throws; changes neither argument.
 */
export function applyDesired(
  held: HeldState,
  message: DesiredMessage,
  staged: readonly Item[] = [],
): DesiredStep {
  if (held.cluster !== '' && message.cluster !== held.cluster)
    return { do: 'refuse', reason: 'OtherCluster' };
  if (message.more === true) return { do: 'stage', items: message.items };
  if (message.base === null) {
    if (message.gen < held.gen) return { do: 'refuse', reason: 'OlderGeneration' };
    return follow(held, message, staged, new Map(Object.entries(message.set)));
  }
  if (message.base !== held.gen || message.gen < message.base) return { do: 'sync', why: 'OtherBase' };
  const index = new Map(Object.entries(indexOf(held)));
  for (const key of message.del) index.delete(key);
  for (const [key, rev] of Object.entries(message.set)) index.set(key, rev);
  return follow(held, message, staged, index);
}

/** The index of a held state: every key with its revision, as hello and sync carry it. */
export function indexOf(held: HeldState): Record<ItemKey, ItemRevision> {
  return Object.fromEntries([...held.items].map(([key, item]) => [key, item.rev]));
}

function follow(
  held: HeldState,
  message: DesiredMessage,
  staged: readonly Item[],
  index: ReadonlyMap<ItemKey, ItemRevision>,
): DesiredStep {
  const brought = new Map<ItemKey, Item>();
  for (const item of [...staged, ...message.items]) {
    if (index.get(item.key) === item.rev) brought.set(item.key, item);
  }
  const items = new Map<ItemKey, Item>();
  const put: Item[] = [];
  for (const [key, rev] of index) {
    const kept = held.items.get(key);
    if (kept?.rev === rev) {
      items.set(key, kept);
      continue;
    }
    const item = brought.get(key);
    if (item === undefined) return { do: 'sync', why: 'MissingContent' };
    items.set(key, item);
    put.push(item);
  }
  const del = [...held.items.keys()].filter((key) => !index.has(key));
  return { do: 'accept', next: { cluster: message.cluster, gen: message.gen, items }, put, del };
}
