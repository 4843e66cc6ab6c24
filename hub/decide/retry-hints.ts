import { type NamespaceLabels, selects } from './affinity.ts';
import type { RefusalKind } from './filters/filter.ts';
import type { NodeRefusal } from './place.ts';
import type { PodToPlace } from './pod-to-place.ts';

/** A change of the cluster, as far as waiting pods care. `node` is where it happened. */
export type Relief =
  | { readonly what: 'node'; readonly node: string }
  | { readonly what: 'podLeft'; readonly node: string; readonly pod: PodToPlace }
  | { readonly what: 'podCame'; readonly pod: PodToPlace }
  | { readonly what: 'load'; readonly node: string }
  | { readonly what: 'volume' }
  | { readonly what: 'namespace' };

/** What stood in a pod's way. */
export type Blockers = ReadonlySet<RefusalKind>;

const NODE_KINDS: readonly RefusalKind[] = ['node', 'resources', 'ports', 'live', 'volume'];
const POD_KINDS: readonly RefusalKind[] = ['affinity', 'antiAffinity', 'spread'];

/** All kinds of refusal among the reasons. */
export function blockersOf(reasons: readonly NodeRefusal[]): Blockers {
  const kinds = new Set<RefusalKind>();
  for (const { refusals } of reasons) for (const { kind } of refusals) kinds.add(kind);
  return kinds;
}

/** A pod that waits, as hints look at it; `blockers` is what refused it last. */
export interface Waiter {
  readonly pod: PodToPlace;
  readonly blockers: Blockers;
}

/**
 * Whether a change can help a waiting pod: `look` when the node of the change has to be asked, `yes` when it may help wherever it
 * happened, `no` when it cannot.
 */
export function couldHelp(
  relief: Relief,
  { pod, blockers }: Waiter,
  namespaceLabels: NamespaceLabels,
): 'yes' | 'look' | 'no' {
  const rules = POD_KINDS.some((kind) => blockers.has(kind));
  switch (relief.what) {
    case 'node':
      // A new or relabelled node can add a domain or teach about an image, and so help on other nodes too.
      return rules || pod.platforms.length > 0 ? 'yes' : 'look';
    case 'podLeft':
      if (rules && concerns(relief.pod, pod, namespaceLabels)) return 'yes';
      return NODE_KINDS.some((kind) => blockers.has(kind)) ? 'look' : 'no';
    case 'podCame':
      return rules && concerns(relief.pod, pod, namespaceLabels) ? 'yes' : 'no';
    case 'load':
      return blockers.has('live') ? 'look' : 'no';
    case 'volume':
      return blockers.has('volume') ? 'yes' : 'no';
    case 'namespace':
      return rules ? 'yes' : 'no';
  }
}

/** True when one of the two has a rule that must hold and selects the other. */
function concerns(other: PodToPlace, waiting: PodToPlace, namespaceLabels: NamespaceLabels): boolean {
  const { required, requiredAnti } = waiting.affinity;
  const own = [...required, ...requiredAnti, ...waiting.spread.filter((c) => c.hard)];
  return (
    own.some(({ selector }) => selects(selector, other, namespaceLabels)) ||
    other.affinity.requiredAnti.some(({ selector }) => selects(selector, waiting, namespaceLabels))
  );
}
