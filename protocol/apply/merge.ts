import { isRecord, own } from '../json.ts';
import { byElement, type Item, itemShape, itemsOf } from './items.ts';
import { formOf, innerShape, type Shape } from './shape.ts';

/** The live value with a configuration merged into it by shape; neither is changed. The configuration wins where both have a leaf. */
export function mergeFields(shape: Shape, live: unknown, config: unknown): unknown {
  if (config === undefined) return live;
  const form = formOf(shape, config);
  if (live === undefined || live === null || form === 'leaf' || formOf(shape, live) !== form) return config;
  if (form === 'list') return mergeLists(shape, itemsOf(shape, live), itemsOf(shape, config));
  if (!isRecord(live) || !isRecord(config)) return config;
  const merged = new Map(Object.entries(live));
  for (const [name, value] of Object.entries(config))
    merged.set(name, mergeFields(innerShape(shape, name).shape, own(live, name), value));
  return Object.fromEntries(merged);
}

/** Items of the configuration in its order; those only the live list has stay before what they preceded. */
function mergeLists(shape: Shape, live: readonly Item[], config: readonly Item[]): unknown[] {
  const present = byElement(live);
  const wanted = new Set(config.map((item) => item.element));
  const shared = config.filter((item) => present.has(item.element)).map((item) => item.element);
  const merged: unknown[] = [];
  const taken = new Set<string>();
  let at = 0;
  const mergeOne = ({ element, value }: Item): void => {
    taken.add(element);
    if (shared[0] === element) shared.shift();
    merged.push(mergeFields(itemShape(shape), present.get(element)?.[0], value));
  };
  for (const item of config) {
    for (let other = live[at]; other !== undefined && other.element !== item.element; other = live[at]) {
      const isWanted = wanted.has(other.element);
      // A wanted item that has its turn later holds its place, unless it has been taken already or is out of order.
      if (isWanted && !taken.has(other.element) && other.element === shared[0]) break;
      if (!isWanted) merged.push(other.value);
      at += 1;
    }
    if (live[at]?.element === item.element) at += 1;
    mergeOne(item);
  }
  for (const item of live.slice(at)) if (!wanted.has(item.element)) merged.push(item.value);
  return merged;
}
