/** The hub's own histogram of the turns of its event loop, as its `/metrics` tell it. */

/** Turns up to a bound in ms that are longer than the bound before; the last bound is infinite. */
export type Turns = readonly { readonly boundMs: number; readonly count: number }[];

const BUCKET = /^coxswain_event_loop_turn_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm;

/** Reads the histogram out of the text of `/metrics`. */
export function turnsIn(metrics: string): Turns {
  let before = 0;
  return [...metrics.matchAll(BUCKET)].map(([, bound, below]) => {
    const count = Number(below) - before;
    before = Number(below);
    return { boundMs: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound) * 1000, count };
  });
}

/** The turns of `now` that were not there `before`. */
export function turnsSince(now: Turns, before: Turns): Turns {
  return now.map(({ boundMs, count }, i) => ({ boundMs, count: count - (before[i]?.count ?? 0) }));
}

/**
 * A bound in ms: at most 1 - `share` of the time that the loop was busy was in longer turns. 1 gives the bound of the longest. What
 * comes in at any instant sees turns weighed like this; counted alone, the many short ones would hide the few long ones.
 */
export function turnBound(turns: Turns, share: number): number {
  const weights = turns.map(({ boundMs, count }) => count * Math.min(boundMs, 2000));
  const total = weights.reduce((a, b) => a + b, 0);
  let sum = 0;
  for (const [i, { boundMs }] of turns.entries()) {
    sum += weights[i] ?? 0;
    if ((weights[i] ?? 0) > 0 && sum >= total * share) return boundMs;
  }
  return 0;
}
