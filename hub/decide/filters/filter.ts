import type { NodeState, PodToPlace } from '../node-state.ts';

/** Why a node cannot take a pod: `reason` counts equal for equal causes, `detail` says what exactly, for people. */
export interface Refusal {
  readonly reason: string;
  readonly detail?: string;
}

/** Says why not; empty when the node can take the pod. Pure; never throws. */
export type Filter = (pod: PodToPlace, node: NodeState) => readonly Refusal[];

/** Shared by filters that have nothing to object. */
export const NO_REFUSAL: readonly Refusal[] = [];
