import { defaultDeployment, defaultReplicaSet } from '../defaults/workloads.ts';
import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { templateColumns } from '../print/workload-columns.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import {
  validateDeployment,
  validateReplicaCounts,
  validateReplicaSet,
  validateSelectorUpdate,
} from '../validate/workloads.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { Deployment, ReplicaSet } from './workloads.ts';

/** apps/v1 Deployment. */
export const deploymentKind = defineKind<Deployment>(
  {
    kind: 'Deployment',
    group: 'apps',
    plural: 'deployments',
    shortNames: ['deploy'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec = {} } = object as Loose<Deployment>;
      return templateWarnings(isNew ? metadata.name : undefined, spec.template);
    },
    columns: [
      nameColumn(),
      text(
        'Ready',
        'Ready pods, of those asked for.',
        (d) => `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 0}`,
      ),
      integer('Up-to-date', 'Pods of the present template.', (d) => d.status?.updatedReplicas ?? 0),
      integer(
        'Available',
        'Pods ready for at least minReadySeconds.',
        (d) => d.status?.availableReplicas ?? 0,
      ),
      ageColumn(),
      ...templateColumns<Deployment>((d) => d.spec),
    ],
    prepareCreate: (deployment) => {
      deployment.status = {};
    },
  },
  {
    setDefaults: defaultDeployment,
    validate: validateDeployment,
    validateUpdate: validateSelectorUpdate,
    validateStatusUpdate: ({ status = {} }) =>
      validateReplicaCounts(status, [
        'updatedReplicas',
        'readyReplicas',
        'availableReplicas',
        'unavailableReplicas',
      ]),
  },
);

/** apps/v1 ReplicaSet. */
export const replicaSetKind = defineKind<ReplicaSet>(
  {
    kind: 'ReplicaSet',
    group: 'apps',
    plural: 'replicasets',
    shortNames: ['rs'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec = {} } = object as Loose<ReplicaSet>;
      return templateWarnings(isNew ? metadata.name : undefined, spec.template);
    },
    columns: [
      nameColumn(),
      integer('Desired', 'Pods asked for.', (rs) => rs.spec?.replicas ?? 0),
      integer('Current', 'Pods that exist.', (rs) => rs.status?.replicas ?? 0),
      integer('Ready', 'Pods that are ready.', (rs) => rs.status?.readyReplicas ?? 0),
      ageColumn(),
      ...templateColumns<ReplicaSet>((rs) => rs.spec),
    ],
    fieldSelectors: { 'status.replicas': (rs) => String(rs.status?.replicas ?? 0) },
    prepareCreate: (rs) => {
      rs.status = { replicas: 0 };
    },
  },
  {
    setDefaults: defaultReplicaSet,
    validate: validateReplicaSet,
    validateUpdate: validateSelectorUpdate,
    validateStatusUpdate: ({ status = {} }) =>
      validateReplicaCounts(status, ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas']),
  },
);
