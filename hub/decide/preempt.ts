/** A pod that might make room. */
export interface PossibleVictim {
  readonly uid: string;
  readonly priority: number;
  /** Epoch ms since when it runs; later ones go first. */
  readonly startedAtMs: number;
  /** Its removal would overstep a disruption budget. */
  readonly guarded: boolean;
}

/** One node as it would be without some of its pods. Every pod is there at first. */
export interface NodeTrial {
  remove(uid: string): void;
  putBack(uid: string): void;
  /** True when the newcomer fits as things are in the trial. */
  fits(): boolean;
}

/** Who has to leave a node for the newcomer. */
export interface VictimPlan {
  readonly node: string;
  /** The most important first. */
  readonly victims: readonly PossibleVictim[];
  /** How many of them are guarded. */
  readonly violations: number;
}

/** The more important first: higher priority, then longer running; at last by uid, so that the order of the input does not matter. */
export function byImportance(a: PossibleVictim, b: PossibleVictim): number {
  return b.priority - a.priority || a.startedAtMs - b.startedAtMs || (a.uid < b.uid ? -1 : 1);
}

/**
 * Chooses who has to leave `node`: thinks all of `lower` away, and if the newcomer fits then, puts back as many as it can, guarded
 * ones first, then the more important. Undefined when it does not fit even so. `lower` must be of lower priority than the
 * newcomer. Leaves the trial in the state of its answer.
 */
export function planVictims(
  node: string,
  lower: readonly PossibleVictim[],
  trial: NodeTrial,
): VictimPlan | undefined {
  for (const { uid } of lower) trial.remove(uid);
  if (!trial.fits()) return undefined;
  const sorted = lower.toSorted(byImportance);
  const victims: PossibleVictim[] = [];
  for (const pod of [...sorted.filter((p) => p.guarded), ...sorted.filter((p) => !p.guarded)]) {
    trial.putBack(pod.uid);
    if (trial.fits()) continue;
    trial.remove(pod.uid);
    victims.push(pod);
  }
  return { node, victims: victims.sort(byImportance), violations: victims.filter((v) => v.guarded).length };
}

/**
 * The least harmful plan, in Kubernetes' order: fewest budgets overstepped, least important most important victim, smallest sum
 * of priorities, fewest victims, latest start of the most important; then by name.
 */
export function leastHarm(plans: readonly VictimPlan[]): VictimPlan | undefined {
  return plans.toSorted(byHarm)[0];
}

function byHarm(a: VictimPlan, b: VictimPlan): number {
  return (
    a.violations - b.violations ||
    highest(a) - highest(b) ||
    prioritySum(a) - prioritySum(b) ||
    a.victims.length - b.victims.length ||
    startOfHighest(b) - startOfHighest(a) ||
    (a.node < b.node ? -1 : 1)
  );
}

function highest({ victims }: VictimPlan): number {
  return victims[0]?.priority ?? -(2 ** 31);
}

/** Priorities shifted above zero, so that a victim more is always worse. */
function prioritySum({ victims }: VictimPlan): number {
  return victims.reduce((sum, v) => sum + v.priority + 2 ** 31, 0);
}

/** The earliest start among the victims of the highest priority. */
function startOfHighest({ victims }: VictimPlan): number {
  return victims[0]?.startedAtMs ?? Number.MAX_SAFE_INTEGER;
}
