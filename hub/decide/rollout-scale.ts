import type { Deployment } from '../../protocol/kinds/workloads.ts';
import { DESIRED_REPLICAS, MAX_REPLICAS } from './revisions.ts';
import type { RolloutAction, RolloutBounds, RolloutMember } from './rollout.ts';

/**
 * Changes the size of a deployment while its template stays: one ReplicaSet simply follows; in the middle of a rollout all of
 * them grow or shrink by their share, so that the ratio of old to new, and with it the risk, stays what it was. Empty also when
 * growing has to wait until pods that are too many are on their way out.
 */
export function planScale(
  deployment: Deployment,
  fresh: RolloutMember | undefined,
  old: readonly RolloutMember[],
  bounds: RolloutBounds,
): RolloutAction[] {
  const members = fresh === undefined ? [...old] : [...old, fresh];
  const active = members.filter((m) => size(m) > 0);
  if (active.length <= 1) {
    const only = active[0] ?? fresh ?? old.at(-1);
    if (only === undefined) return [];
    const sizes = new Map([[only, bounds.replicas]]);
    return fits(members, sizes, bounds) ? resize(sizes, bounds) : [];
  }
  if (fresh !== undefined && isSaturated(fresh, bounds)) {
    return resize(new Map(active.filter((m) => m !== fresh).map((m) => [m, 0])), bounds);
  }
  // With Recreate only a paused deployment comes here with two sizes: it keeps what it has.
  if (deployment.spec.strategy?.type === 'Recreate') return [];
  const sizes = keepAvailable(proportional(active, bounds), bounds);
  return fits(members, sizes, bounds) ? resize(sizes, bounds) : [];
}

/**
 * False when something would grow while, with the pods that a ReplicaSet has still to remove, there would be more than the surge
 * allows: their removal calls for the next look.
 */
function fits(
  members: readonly RolloutMember[],
  sizes: ReadonlyMap<RolloutMember, number>,
  { replicas, maxSurge }: RolloutBounds,
): boolean {
  const grows = [...sizes].some(([m, next]) => next > Math.max(size(m), m.active));
  const pods = members.reduce((n, m) => n + Math.max(sizes.get(m) ?? size(m), m.active), 0);
  return !grows || pods <= replicas + maxSurge;
}

/** Moves shares from pods that are not available to those that are, as far as the bound on unavailable ones asks for it. */
function keepAvailable(
  shares: ReadonlyMap<RolloutMember, number>,
  { replicas, maxUnavailable }: RolloutBounds,
): Map<RolloutMember, number> {
  const sizes = new Map(shares);
  const kept = (m: RolloutMember, n: number): number => Math.min(m.available, n);
  const minAvailable = replicas - maxUnavailable;
  let missing = minAvailable - [...sizes].reduce((n, [m, next]) => n + kept(m, next), 0);
  for (const [gains, share] of shares) {
    for (const loses of shares.keys()) {
      const spare = (sizes.get(loses) ?? 0) - kept(loses, sizes.get(loses) ?? 0);
      const lost = Math.min(gains.available, size(gains)) - (sizes.get(gains) ?? share);
      const moved = clamp(Math.min(spare, lost), 0, Math.max(0, missing));
      sizes.set(loses, (sizes.get(loses) ?? 0) - moved);
      sizes.set(gains, (sizes.get(gains) ?? 0) + moved);
      missing -= moved;
    }
  }
  return sizes;
}

/** The new ReplicaSet already serves everything that is desired. */
function isSaturated(fresh: RolloutMember, { replicas }: RolloutBounds): boolean {
  const desired = fresh.rs.metadata.annotations?.[DESIRED_REPLICAS];
  return size(fresh) === replicas && desired === String(replicas) && fresh.available >= replicas;
}

function proportional(active: readonly RolloutMember[], bounds: RolloutBounds): Map<RolloutMember, number> {
  const allowed = bounds.replicas > 0 ? bounds.replicas + bounds.maxSurge : 0;
  const total = active.reduce((n, m) => n + size(m), 0);
  const toAdd = allowed - total;
  // Larger ones first; of equal ones the newer gains and the older loses.
  const order = active
    .map((member, age) => ({ member, age }))
    .sort((a, b) => size(b.member) - size(a.member) || (toAdd > 0 ? b.age - a.age : a.age - b.age));
  const sizes = new Map<RolloutMember, number>();
  let added = 0;
  for (const { member } of order) {
    const share = toAdd === 0 ? 0 : fraction(member, allowed, total);
    const bounded = toAdd > 0 ? clamp(share, 0, toAdd - added) : clamp(share, toAdd - added, 0);
    sizes.set(member, Math.max(0, size(member) + bounded));
    added += bounded;
  }
  // What rounding left over goes to the largest.
  for (const { member } of order) {
    const before = sizes.get(member) ?? 0;
    const after = Math.max(0, before + toAdd - added);
    sizes.set(member, after);
    added += after - before;
    if (added === toAdd) break;
  }
  return sizes;
}

/** By how much the member's share of the allowed total differs from its size. */
function fraction(member: RolloutMember, allowed: number, total: number): number {
  if (allowed === 0) return -size(member);
  const noted = Number(member.rs.metadata.annotations?.[MAX_REPLICAS]);
  const base = Number.isInteger(noted) && noted > 0 ? noted : total;
  return Math.round((size(member) * allowed) / base) - size(member);
}

function resize(sizes: ReadonlyMap<RolloutMember, number>, bounds: RolloutBounds): RolloutAction[] {
  const annotations = {
    [DESIRED_REPLICAS]: String(bounds.replicas),
    [MAX_REPLICAS]: String(bounds.replicas + bounds.maxSurge),
  };
  return [...sizes]
    .filter(
      ([m, replicas]) =>
        size(m) !== replicas ||
        (replicas > 0 &&
          Object.entries(annotations).some(([key, value]) => m.rs.metadata.annotations?.[key] !== value)),
    )
    .map(([m, replicas]) => ({ do: 'scale', name: m.rs.metadata.name, replicas, annotations }));
}

function size(member: RolloutMember): number {
  return member.rs.spec.replicas ?? 0;
}

function clamp(n: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, n));
}
