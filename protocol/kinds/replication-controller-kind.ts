import { defaultTemplate } from '../defaults/workloads.ts';
import { ageColumn, integer, nameColumn } from '../print/cells.ts';
import { templateColumns } from '../print/workload-columns.ts';
import { required, unless } from '../validate/field-errors.ts';
import { nonNegative } from '../validate/numbers.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import { validateOwnedTemplate, validateReplicaCounts } from '../validate/workloads.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { ReplicationController } from './workloads.ts';

/** Selector and labels come from the template where the user left them out. */
function setDefaults(controller: Loose<ReplicationController>): void {
  controller.spec ??= {};
  const { spec } = controller;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels !== undefined && Object.keys(labels).length > 0) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (controller.metadata !== undefined && Object.keys(controller.metadata.labels ?? {}).length === 0)
      controller.metadata.labels = { ...labels };
  }
  if (spec.template !== undefined) defaultTemplate(spec.template);
}

/** v1 ReplicationController. */
export const replicationControllerKind = defineKind<ReplicationController>(
  {
    kind: 'ReplicationController',
    plural: 'replicationcontrollers',
    shortNames: ['rc'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec = {} } = object as Loose<ReplicationController>;
      return templateWarnings(isNew ? metadata.name : undefined, spec.template);
    },
    columns: [
      nameColumn(),
      integer('Desired', 'Pods asked for.', (rc) => rc.spec?.replicas ?? 0),
      integer('Current', 'Pods that exist.', (rc) => rc.status?.replicas ?? 0),
      integer('Ready', 'Pods that are ready.', (rc) => rc.status?.readyReplicas ?? 0),
      ageColumn(),
      ...templateColumns<ReplicationController>((rc) => ({
        template: rc.spec?.template,
        selector: { matchLabels: rc.spec?.selector },
      })),
    ],
    fieldSelectors: { 'status.replicas': (rc) => String(rc.status?.replicas ?? 0) },
    prepareCreate: (rc) => {
      rc.status = { replicas: 0 };
    },
  },
  {
    setDefaults,
    validate: ({ spec = {} }) => [
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...unless(Object.keys(spec.selector ?? {}).length > 0, () => required('spec.selector')),
      ...nonNegative('spec.replicas', spec.replicas),
      ...(spec.template === undefined
        ? [required('spec.template')]
        : validateOwnedTemplate(
            spec.template,
            { matchLabels: spec.selector },
            'spec.template',
            'ReplicationController',
          )),
    ],
    validateStatusUpdate: ({ status = {} }) =>
      validateReplicaCounts(status, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
  },
);
