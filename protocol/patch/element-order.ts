import { isRecord, own } from '../json.ts';

/** A list split into what the patch orders, in its order, and what only the server has, in the server's order. */
export interface Partition {
  readonly ordered: readonly unknown[];
  readonly rest: readonly unknown[];
}

/** Identity of a list item: its merge key's value, or the scalar itself when the list has no key. */
export function mergeKeyOf(item: unknown, key: string | undefined): unknown {
  if (key === undefined) return item;
  return isRecord(item) ? own(item, key) : undefined;
}

/** Splits `list` by whether `order` names the item; duplicates of an identity stay together. */
export function partition(
  list: readonly unknown[],
  order: readonly unknown[],
  key: string | undefined,
): Partition {
  const wanted = [...new Set(order.map((item) => mergeKeyOf(item, key)))];
  const ordered = wanted.flatMap((id) => list.filter((item) => mergeKeyOf(item, key) === id));
  const chosen = new Set(wanted);
  return { ordered, rest: list.filter((item) => !chosen.has(mergeKeyOf(item, key))) };
}

/**
 * Joins both parts again: an item that only the server has stays before those it preceded in `present`; items the
 * server did not know come as early as the order of the patch allows.
 */
export function inPatchOrder(
  { ordered, rest }: Partition,
  present: readonly unknown[],
  key: string | undefined,
): unknown[] {
  const places = new Map<unknown, number>();
  present.forEach((item, i) => {
    if (!places.has(mergeKeyOf(item, key))) places.set(mergeKeyOf(item, key), i);
  });
  const placeOf = (item: unknown): number | undefined => places.get(mergeKeyOf(item, key));
  const joined: unknown[] = [];
  let i = 0;
  for (const item of ordered) {
    const place = placeOf(item);
    for (; place !== undefined && i < rest.length; i++) {
      const other = placeOf(rest[i]);
      if (other === undefined || other >= place) break;
      joined.push(rest[i]);
    }
    joined.push(item);
  }
  return [...joined, ...rest.slice(i)];
}
