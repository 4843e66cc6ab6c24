import type { NodeSelectorTerm } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';

/**
 * Where a pod's volumes let it go. Each entry of `required` belongs to one volume and holds when any of its terms does; all entries
 * must hold. `why` is what Kubernetes says after `0/3 nodes are available: `, without a full stop.
 */
export type VolumeNodes =
  | { readonly ok: true; readonly required: readonly (readonly NodeSelectorTerm[])[] }
  | { readonly ok: false; readonly why: string };

/** What the scheduler asks about volumes. A pod is tried again when a claim, a volume or a storage class changes. */
export interface VolumeBinder {
  /** Reads the state of now; synchronous and cheap, called for each decision on a pod with claims. Never throws. */
  allowed(pod: Pod): VolumeNodes;
  /** Makes the pod's volumes real for `nodeName` before the pod is bound. A rejection puts the pod back, with backoff. */
  prepare(pod: Pod, nodeName: string): Promise<void>;
}

const ANYWHERE: VolumeNodes = { ok: true, required: [] };

/** For a hub without volumes that belong to a node: everything is allowed everywhere. */
export const anyVolume: VolumeBinder = {
  allowed: () => ANYWHERE,
  prepare: () => Promise.resolve(),
};
