import { TAINT_UNSCHEDULABLE, tolerates, untolerated } from '../../../protocol/taints.ts';
import { type Filter, NO_REFUSAL } from './filter.ts';

/** A cordoned node takes only pods that tolerate being unschedulable. */
export const schedulable: Filter = (pod, node) => {
  const taint = { key: TAINT_UNSCHEDULABLE, effect: 'NoSchedule' } as const;
  if (!node.unschedulable || pod.tolerations.some((t) => tolerates(t, taint))) return NO_REFUSAL;
  return [{ reason: 'node(s) were unschedulable', detail: 'cordoned' }];
};

/** Only a node whose device is heard and whose engine works can start anything. */
export const ready: Filter = (_pod, node) =>
  node.ready ? NO_REFUSAL : [{ reason: 'node(s) were not ready', detail: 'not ready' }];

/** Taints NoSchedule and NoExecute keep pods away that do not tolerate them. The first one is named, as in Kubernetes. */
export const taints: Filter = (pod, node) => {
  const [first] = untolerated(node.taints, pod.tolerations, ['NoSchedule', 'NoExecute']);
  if (first === undefined || (first.key === TAINT_UNSCHEDULABLE && node.unschedulable)) return NO_REFUSAL;
  return [{ reason: `node(s) had untolerated taint {${first.key}: ${first.value ?? ''}}` }];
};
