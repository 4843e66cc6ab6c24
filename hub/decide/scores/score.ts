import type { NodeState } from '../node-state.ts';
import type { PodToPlace } from '../pod-to-place.ts';

/** How good a node by itself is for a pod, 0 (worst) to 100 (best). Pure; never throws. */
export type Score = (pod: PodToPlace, node: NodeState) => number;
