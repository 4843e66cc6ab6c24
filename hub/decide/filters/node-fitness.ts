import { TAINT_UNSCHEDULABLE, tolerates, untolerated } from '../../../protocol/taints.ts';
import { type Filter, NO_REFUSAL } from './filter.ts';

const CORDON = { key: TAINT_UNSCHEDULABLE, effect: 'NoSchedule' } as const;
const CORDONED = [
  { kind: 'node', reason: 'node(s) were unschedulable', final: true, detail: () => 'cordoned' },
] as const;
const SILENT = [
  { kind: 'node', reason: 'node(s) were not ready', final: true, detail: () => 'not ready' },
] as const;

/** A cordoned node takes only pods that tolerate being unschedulable. */
export const schedulable: Filter = (pod, node) =>
  !node.unschedulable || pod.tolerations.some((t) => tolerates(t, CORDON)) ? NO_REFUSAL : CORDONED;

/** Only a node whose device is heard and whose engine works can start anything. */
export const ready: Filter = (_pod, node) => (node.ready ? NO_REFUSAL : SILENT);

/** Taints NoSchedule and NoExecute keep pods away that do not tolerate them. The first one is named, as in Kubernetes. */
export const taints: Filter = (pod, node) => {
  if (node.taints.length === 0) return NO_REFUSAL;
  const [first] = untolerated(node.taints, pod.tolerations, ['NoSchedule', 'NoExecute']);
  if (first === undefined || (first.key === TAINT_UNSCHEDULABLE && node.unschedulable)) return NO_REFUSAL;
  const reason = `node(s) had untolerated taint {${first.key}: ${first.value ?? ''}}`;
  return [{ kind: 'node', reason, final: true }];
};
