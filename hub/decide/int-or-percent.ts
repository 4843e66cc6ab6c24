import type { IntOrString } from '../../protocol/kinds/meta.ts';

/** A count given as a number or as a percentage of `total`; a text that is neither counts as 0 (validation refuses it). */
export function resolveCount(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return Math.max(0, Math.floor(value));
  const percent = /^(\d+)%$/.exec(value);
  if (percent === null) return /^\d+$/.test(value) ? Number(value) : 0;
  const exact = (Number(percent[1]) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
