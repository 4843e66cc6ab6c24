import type { Candidates } from '../candidates.ts';
import type { Feasible } from './pod-rules.ts';

/** Label of a node that says what it costs: a decimal number from 0 in any unit, the same unit in the whole fleet. */
export const PRICE_LABEL = 'coxswain.dev/price';

/** Decimal digits with an optional fraction: no sign, no exponent, no `Infinity`. */
const DECIMAL = /^\d{1,15}(\.\d{1,15})?$/;

/** The price that a node's labels name; undefined when there is none or it cannot be read. */
export function priceOf(labels: Readonly<Record<string, string>>): number | undefined {
  const text = labels[PRICE_LABEL];
  return text !== undefined && DECIMAL.test(text) ? Number(text) : undefined;
}

/**
 * Cheap nodes first: a node that costs nothing gets 100, the dearest of those to choose from 0. A node without a price counts as the
 * mean of the others. Undefined where
 * no price tells nodes apart.
 */
export function cheapness(
  { prices }: Candidates,
  { slots, count }: Feasible,
): ((slot: number) => number) | undefined {
  let dearest = 0;
  let sum = 0;
  let priced = 0;
  for (let i = 0; i < count; i++) {
    const price = prices[slots[i] ?? 0] ?? Number.NaN;
    if (Number.isNaN(price)) continue;
    priced++;
    sum += price;
    if (price > dearest) dearest = price;
  }
  if (dearest === 0) return undefined;
  const mean = 100 * (1 - sum / priced / dearest);
  return (slot) => {
    const price = prices[slot] ?? Number.NaN;
    return Number.isNaN(price) ? mean : 100 * (1 - price / dearest);
  };
}
