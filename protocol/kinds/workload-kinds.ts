import { defaultDeployment, defaultReplicaSet } from '../defaults/workloads.ts';
import {
  ageColumn,
  containerImages,
  containerNames,
  integer,
  nameColumn,
  selectorText,
  text,
  wide,
} from '../print/cells.ts';
import { validateDeployment, validateReplicaSet, validateSelectorUpdate } from '../validate/workloads.ts';
import { defineKind } from './define-kind.ts';
import type { Column } from './kind.ts';
import type { Loose } from './loose.ts';
import type { Deployment, ReplicaSet } from './workloads.ts';

/** The wide columns of workloads. */
const templateColumns = <T extends Deployment | ReplicaSet>(): Column<T>[] => {
  const spec = (object: unknown): Loose<ReplicaSet['spec']> => (object as Loose<ReplicaSet>).spec ?? {};
  return [
    wide('Containers', 'Names of the containers of the template.', (object) =>
      containerNames(spec(object).template?.spec?.containers),
    ),
    wide('Images', 'Images of the containers of the template.', (object) =>
      containerImages(spec(object).template?.spec?.containers),
    ),
    wide('Selector', 'Which pods belong to it.', (object) => selectorText(spec(object).selector)),
  ];
};

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
      ...templateColumns<Deployment>(),
    ],
    prepareCreate: (deployment) => {
      deployment.status = {};
    },
  },
  {
    setDefaults: defaultDeployment,
    validate: validateDeployment,
    validateUpdate: validateSelectorUpdate,
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
    columns: [
      nameColumn(),
      integer('Desired', 'Pods asked for.', (rs) => rs.spec?.replicas ?? 0),
      integer('Current', 'Pods that exist.', (rs) => rs.status?.replicas ?? 0),
      integer('Ready', 'Pods that are ready.', (rs) => rs.status?.readyReplicas ?? 0),
      ageColumn(),
      ...templateColumns<ReplicaSet>(),
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
  },
);
