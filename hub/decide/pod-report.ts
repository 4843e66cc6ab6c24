import type { Pod, PodStatus } from '../../protocol/kinds/pod.ts';
import type { PodReport } from '../../protocol/wire/messages.ts';
import { sameJson } from './content-hash.ts';

/** What a device's word on a pod means for the pod's object. */
export type PodReportVerdict =
  | { readonly do: 'nothing' }
  /** The device confirms that a pod which is being deleted is gone: the object goes. */
  | { readonly do: 'remove' }
  /** The device dropped a pod it should hold: send it the whole index again. */
  | { readonly do: 'send-again' }
  | { readonly do: 'write'; readonly status: PodStatus };

/**
 * Judges a report of `node` on the pod with the report's uid; `pod` is undefined when the hub knows no such pod.
 * A report of a node that the pod is not bound to means nothing. Pure; never throws.
 */
export function judgePodReport(node: string, report: PodReport, pod: Pod | undefined): PodReportVerdict {
  if (pod === undefined || pod.spec.nodeName !== node || pod.metadata.uid !== report.uid)
    return { do: 'nothing' };
  if (report.gone === true)
    return pod.metadata.deletionTimestamp === undefined ? { do: 'send-again' } : { do: 'remove' };
  const status = mergeStatus(pod.status, report.status);
  return sameJson(status, pod.status ?? {}) ? { do: 'nothing' } : { do: 'write', status };
}

/** Conditions that the hub writes; a device may add DisruptionTarget itself, for a pod it has evicted. */
const HUB_CONDITIONS = ['PodScheduled', 'DisruptionTarget'];

/** The device's status verbatim, but for what it does not write: the hub's conditions and the quality-of-service class. */
function mergeStatus(before: PodStatus | undefined, reported: PodStatus): PodStatus {
  const kept = before?.conditions?.filter((c) => HUB_CONDITIONS.includes(c.type)) ?? [];
  const isOwn = (type: string): boolean =>
    type !== 'PodScheduled' && !kept.some((condition) => condition.type === type);
  const own = (reported.conditions ?? []).filter((c) => isOwn(c.type));
  const qosClass = before?.qosClass ?? reported.qosClass;
  return {
    ...reported,
    conditions: [...own, ...kept],
    ...(qosClass === undefined ? {} : { qosClass }),
  };
}
