import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PriorityClass } from '../../protocol/kinds/policy.ts';

/** Classes that are there from the first start and for ever. */
export const SYSTEM_CLASSES: readonly {
  readonly name: string;
  readonly value: number;
  readonly description: string;
}[] = [
  {
    name: 'system-cluster-critical',
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
  {
    name: 'system-node-critical',
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
];

type Policy = 'PreemptLowerPriority' | 'Never';

/**
 * Gives a pod that is being created the priority of its class, or of the default class when it names none. Changes `pod`, which must
 * be the mutable draft. Returns why the pod is refused, in Kubernetes' words, or undefined. Never throws.
 */
export function resolvePriority(
  pod: Pick<Pod, 'spec'>,
  find: (name: string) => PriorityClass | undefined,
  all: () => Iterable<PriorityClass>,
): string | undefined {
  const { spec } = pod;
  const name = spec.priorityClassName || undefined;
  const found = name === undefined ? defaultClass(all()) : find(name);
  const system = name === undefined ? undefined : SYSTEM_CLASSES.find((c) => c.name === name);
  if (name !== undefined && found === undefined && system === undefined)
    return `no PriorityClass with name ${name} was found`;
  const priority = found?.value ?? system?.value ?? 0;
  const policy: Policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
  if (spec.priority !== undefined && spec.priority !== priority)
    return `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`;
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
    return `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`;
  if (found !== undefined) spec.priorityClassName = found.metadata.name;
  spec.priority = priority;
  spec.preemptionPolicy = policy;
  return undefined;
}

/** Of several defaults, which only stores of before can hold, the least. */
function defaultClass(all: Iterable<PriorityClass>): PriorityClass | undefined {
  let least: PriorityClass | undefined;
  for (const found of all)
    if (found.globalDefault === true && (least === undefined || found.value < least.value)) least = found;
  return least;
}

/** Why a class is refused that is to be the default, now or from its creation: there is another already. Undefined when it is not. */
export function refuseSecondDefault(
  written: PriorityClass,
  all: Iterable<PriorityClass>,
): string | undefined {
  if (written.globalDefault !== true) return undefined;
  const present = defaultClass([...all].filter((c) => c.metadata.name !== written.metadata.name));
  if (present === undefined) return undefined;
  return `PriorityClass ${present.metadata.name} is already marked as default. Only one default can exist`;
}
