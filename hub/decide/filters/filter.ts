import type { NodeState } from '../node-state.ts';
import type { PodToPlace } from '../pod-to-place.ts';

/** What has to change before the node can take the pod: decides which changes of the cluster are worth another try. */
export type RefusalKind =
  | 'node'
  | 'volume'
  | 'resources'
  | 'ports'
  | 'live'
  | 'affinity'
  | 'antiAffinity'
  | 'spread';

/** Why a node cannot take a pod: `reason` counts equal for equal causes, `detail` says what exactly, for people. */
export interface Refusal {
  readonly kind: RefusalKind;
  readonly reason: string;
  /** True when the removal of pods from the node cannot help. */
  readonly final?: boolean;
  readonly detail?: () => string;
}

/** Says why not; empty when the node can take the pod. Pure; never throws. */
export type Filter = (pod: PodToPlace, node: NodeState) => readonly Refusal[];

/** Shared by filters that have nothing to object. */
export const NO_REFUSAL: readonly Refusal[] = [];
