import type { Candidates } from '../candidates.ts';
import type { Topology } from '../topology.ts';
import type { Feasible } from './pod-rules.ts';

/** A zone counts twice as much as a node: losing a zone costs more. */
const ZONE_SHARE = 2 / 3;

/** Pods of one owner by zone; undefined when no node has a zone. */
export function ownerPodsByZone(
  { ownerPods, size }: Candidates,
  zones: Topology | undefined,
): Int32Array | undefined {
  if (zones === undefined || zones.values === 0) return undefined;
  const sums = new Int32Array(zones.values);
  for (let slot = 0; slot < size; slot++) {
    const zone = zones.domainOf[slot] ?? -1;
    if (zone >= 0) sums[zone] = (sums[zone] ?? 0) + (ownerPods[slot] ?? 0);
  }
  return sums;
}

/**
 * Pods of one owner keep away from each other without being asked: the node with most of them gets 0, one with none 100, and the
 * same for zones where nodes have them. Undefined when there is none of them on any node that is asked about or in its zone.
 */
export function ownerSpread(
  candidates: Candidates,
  zones: Topology | undefined,
  feasible: Feasible,
): ((slot: number) => number) | undefined {
  const { ownerPods } = candidates;
  const byZone = ownerPodsByZone(candidates, zones);
  const most = mostOn(ownerPods, feasible);
  const mostInZone = byZone === undefined ? 0 : mostIn(byZone, zones, feasible);
  if (most + mostInZone === 0) return undefined;
  return (slot) => {
    const onNode = most === 0 ? 100 : (100 * (most - (ownerPods[slot] ?? 0))) / most;
    const zone = zones?.domainOf[slot] ?? -1;
    if (byZone === undefined || zone < 0) return onNode;
    const inZone = mostInZone === 0 ? 100 : (100 * (mostInZone - (byZone[zone] ?? 0))) / mostInZone;
    return (1 - ZONE_SHARE) * onNode + ZONE_SHARE * inZone;
  };
}

function mostOn(ownerPods: Int32Array, { slots, count }: Feasible): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const n = ownerPods[slots[i] ?? 0] ?? 0;
    if (n > most) most = n;
  }
  return most;
}

function mostIn(byZone: Int32Array, zones: Topology | undefined, { slots, count }: Feasible): number {
  let most = 0;
  for (let i = 0; i < count; i++) {
    const n = byZone[zones?.domainOf[slots[i] ?? 0] ?? -1] ?? 0;
    if (n > most) most = n;
  }
  return most;
}
