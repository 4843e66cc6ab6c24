import { isRecord, own } from '../json.ts';
import { keyElement } from './field-set.ts';
import type { Shape } from './shape.ts';

/** An item of a list and the path element that names it. */
export interface Item {
  readonly element: string;
  readonly value: unknown;
}

/** The path element of a list item; undefined when the item has no identity. */
export function elementOf(shape: Shape, item: unknown): string | undefined {
  if (shape.is === 'set')
    return typeof item === 'object' || item === undefined ? undefined : `v:${JSON.stringify(item)}`;
  if (shape.is !== 'items' || !isRecord(item)) return undefined;
  const found = shape.keys.flatMap((key): [string, unknown][] => {
    const value = own(item, key) ?? own(shape.defaults, key);
    return value === undefined ? [] : [[key, value]];
  });
  // A default alone names nothing.
  return found.some(([key]) => own(item, key) !== undefined) ? keyElement(found) : undefined;
}

/** The items of a list with their elements; one without identity goes by its place. */
export function itemsOf(shape: Shape, list: unknown): Item[] {
  if (!Array.isArray(list)) return [];
  return list.map((value, i) => ({ element: elementOf(shape, value) ?? `i:${i}`, value }));
}

/** The shape of a list's items. */
export function itemShape(shape: Shape): Shape {
  return shape.is === 'items' ? shape.of : { is: 'leaf' };
}

/** Items by element; of several with the same one, all. */
export function byElement(items: readonly Item[]): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const { element, value } of items) {
    const same = found.get(element);
    if (same === undefined) found.set(element, [value]);
    else same.push(value);
  }
  return found;
}
