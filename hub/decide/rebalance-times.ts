/** How long things have to last before pods move for them, in ms. */
export interface RebalanceTimes {
  /** A node so loaded for so long has more than a peak, and what did not happen for so long is not expected. */
  readonly longMs: number;
  /** Readings closer together than this share a stretch of a history. */
  readonly stretchMs: number;
  /** A silence up to this long is a beat that was late: the node's past goes on. */
  readonly gapMs: number;
  /** A node without a past, one that just joined, must have spoken for so long. */
  readonly newcomerMs: number;
  /** A pod shows what it uses only after a while, and shall not be sent from node to node. */
  readonly minAgeMs: number;
  /** How long a wish has to stand; the short one when what it follows from is plain or was looked at for long already. */
  readonly standingMs: number;
  readonly shortStandingMs: number;
  /** How long after a node came or a price changed the reason is taken to be that. */
  readonly stirredMs: number;
  /** How long after a move the load of its nodes is not trusted: the pod is there, and what it uses is not told yet. */
  readonly settlingMs: number;
  /** Longest between two looks while somebody would like to leave. */
  readonly lookAgainMs: number;
  /** Changes come in swarms: a round gathers for so long, and rounds are so far apart at least. */
  readonly gatherMs: number;
  readonly spacingMs: number;
}

/**
 * All times of rebalancing from the one that people set: how long load has to last. The others keep their proportion to it, because
 * that is what was shown never to move anything for noise. Pure.
 */
export function rebalanceTimes(longMs: number): RebalanceTimes {
  return {
    longMs,
    stretchMs: longMs / 30,
    gapMs: longMs / 30,
    newcomerMs: longMs / 10,
    minAgeMs: (longMs * 3) / 5,
    standingMs: (longMs * 3) / 5,
    shortStandingMs: longMs / 5,
    stirredMs: longMs * 2,
    settlingMs: longMs / 5,
    lookAgainMs: longMs / 5,
    // What the hub spends is no matter of taste: a longer time makes it no lazier, a shorter one a little busier.
    gatherMs: Math.min(2_000, longMs / 30),
    spacingMs: Math.min(10_000, longMs / 30),
  };
}

/** What the hub has without being told otherwise: load of five minutes. */
export const DEFAULT_REBALANCE_TIMES: RebalanceTimes = rebalanceTimes(5 * 60_000);
