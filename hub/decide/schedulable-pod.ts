import type { Pod } from '../../protocol/kinds/pod.ts';
import { isTerminal } from './pod-facts.ts';

const SCHEDULER_NAME = 'default-scheduler';

/** Pods that the hub's scheduler has to place: without a node, still wanted, and not meant for another scheduler. */
export function isOurs(pod: Pod): boolean {
  const { nodeName, schedulerName } = pod.spec;
  if (nodeName !== undefined || pod.metadata.deletionTimestamp !== undefined || isTerminal(pod)) return false;
  return schedulerName === undefined || schedulerName === '' || schedulerName === SCHEDULER_NAME;
}

/** True while somebody holds the pod back with a scheduling gate. */
export function isGated(pod: Pod): boolean {
  return (pod.spec.schedulingGates?.length ?? 0) > 0;
}
