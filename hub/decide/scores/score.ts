import type { NodeState, PodToPlace } from '../node-state.ts';

/** What scores may know of all feasible nodes. */
export interface ScoreContext {
  /** Most pods of the same owner on any feasible node. */
  readonly maxOwnerPods: number;
}

/** How good a node is for a pod, 0 (worst) to 100 (best). Pure; never throws. */
export type Score = (pod: PodToPlace, node: NodeState, context: ScoreContext) => number;
