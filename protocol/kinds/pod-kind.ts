import { defaultPodOnly, defaultPodSpec } from '../defaults/pod-spec.ts';
import { ageColumn, nameColumn, orNone, text, wide } from '../print/cells.ts';
import { podCells } from '../print/pod-cells.ts';
import { qosClass } from '../qos.ts';
import { validatePodSpec } from '../validate/pod-spec.ts';
import { validatePodUpdate } from '../validate/pod-update.ts';
import { nameWarnings, podSpecWarnings } from '../validate/pod-warnings.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { Pod } from './pod.ts';

const readinessGates = (pod: Loose<Pod>): string => {
  const gates = pod.spec?.readinessGates ?? [];
  const met = gates.filter((gate) =>
    (pod.status?.conditions ?? []).some((c) => c.type === gate.conditionType && c.status === 'True'),
  );
  return gates.length === 0 ? '<none>' : `${met.length}/${gates.length}`;
};

/** v1 Pod. */
export const podKind = defineKind<Pod>(
  {
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    hasStatus: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec } = object as Loose<Pod>;
      const about =
        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior";
      return [...(isNew ? nameWarnings(metadata.name, about) : []), ...podSpecWarnings(spec)];
    },
    columns: [
      nameColumn(),
      text(
        'Ready',
        'Containers that are ready, of all that should run.',
        (pod, { nowMs }) => podCells(pod, nowMs).ready,
      ),
      text(
        'Status',
        'What the pod is doing or why it does not run.',
        (pod, { nowMs }) => podCells(pod, nowMs).status,
      ),
      text(
        'Restarts',
        'Restarts of its containers, and when the last one was.',
        (pod, { nowMs }) => podCells(pod, nowMs).restarts,
      ),
      ageColumn(),
      wide('IP', 'Address of the pod.', (pod) => orNone(pod.status?.podIP)),
      wide('Node', 'Node the pod is bound to.', (pod) => orNone(pod.spec?.nodeName)),
      wide('Nominated Node', 'Node the pod may get once others have left it.', (pod) =>
        orNone(pod.status?.nominatedNodeName),
      ),
      wide('Readiness Gates', 'Met readiness gates, of all.', readinessGates),
    ],
    fieldSelectors: {
      'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
      'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
      'spec.schedulerName': (pod) => pod.spec.schedulerName ?? '',
      'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
      'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
      'status.phase': (pod) => pod.status?.phase ?? '',
      'status.podIP': (pod) => pod.status?.podIP ?? '',
      'status.podIPs': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
      'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
    },
    prepareCreate: (pod) => {
      pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec ?? {}) };
    },
  },
  {
    setDefaults: (pod) => {
      pod.spec ??= {};
      defaultPodSpec(pod.spec);
      defaultPodOnly(pod.spec);
    },
    validate: (pod) => validatePodSpec(pod.spec ?? {}, 'spec'),
    validateUpdate: validatePodUpdate,
  },
);
