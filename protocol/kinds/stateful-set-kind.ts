import { defaultTemplate } from '../defaults/workloads.ts';
import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { imageColumns } from '../print/workload-columns.ts';
import {
  forbidden,
  invalidShown,
  invalidValue,
  notSupported,
  required,
  unless,
} from '../validate/field-errors.ts';
import { countOrPercent, nonNegative, shownIntOrString } from '../validate/numbers.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import { selectorErrors, validateOwnedTemplate, validateReplicaCounts } from '../validate/workloads.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import { defaultClaim } from './persistent-volume-claim-kind.ts';
import type { PersistentVolumeClaim } from './storage.ts';
import type { StatefulSet, StatefulSetSpec } from './workloads.ts';

function setDefaults(set: Loose<StatefulSet>): void {
  set.spec ??= {};
  const { spec } = set;
  spec.podManagementPolicy ??= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.template ??= {};
  defaultTemplate(spec.template);
  for (const claim of spec.volumeClaimTemplates ?? []) defaultClaimTemplate(claim);
}

/** Whether people write its kind or not, it is the same template. */
function defaultClaimTemplate(claim: Loose<PersistentVolumeClaim>): void {
  claim.apiVersion = 'v1';
  claim.kind = 'PersistentVolumeClaim';
  defaultClaim(claim);
}

function strategyErrors(strategy: Loose<StatefulSetSpec['updateStrategy']>): FieldError[] {
  const path = 'spec.updateStrategy';
  switch (strategy?.type) {
    case 'OnDelete':
      return unless(strategy.rollingUpdate === undefined, () =>
        invalidValue(
          `${path}.rollingUpdate`,
          strategy.rollingUpdate,
          "only allowed for updateStrategy 'RollingUpdate'",
        ),
      );
    case 'RollingUpdate':
      return [
        ...nonNegative(`${path}.rollingUpdate.partition`, strategy.rollingUpdate?.partition),
        ...maxUnavailableErrors(
          strategy.rollingUpdate?.maxUnavailable,
          `${path}.rollingUpdate.maxUnavailable`,
        ),
      ];
    default:
      return [invalidValue(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
}

function maxUnavailableErrors(value: number | string | undefined, path: string): FieldError[] {
  if (value === undefined) return [];
  const errors = countOrPercent(path, value);
  if (errors.length > 0) return errors;
  const percent = typeof value === 'string' ? Number.parseInt(value, 10) : undefined;
  return [
    ...unless(value !== 0 && percent !== 0, () => invalidShown(path, shownIntOrString(value), 'cannot be 0')),
    ...unless(percent === undefined || percent <= 100, () =>
      invalidShown(path, shownIntOrString(value), 'must not be greater than 100%'),
    ),
  ];
}

/** The template as its pods will be: containers may mount what only the claim templates name. */
function templateWithClaims({
  template,
  volumeClaimTemplates = [],
}: Loose<StatefulSetSpec>): Loose<StatefulSetSpec>['template'] {
  if (template?.spec === undefined || volumeClaimTemplates.length === 0) return template;
  const volumes = template.spec.volumes ?? [];
  const claims = volumeClaimTemplates.flatMap(({ metadata: { name } = {} }) =>
    name === undefined || volumes.some((volume) => volume.name === name)
      ? []
      : [{ name, persistentVolumeClaim: { claimName: name } }],
  );
  return { ...template, spec: { ...template.spec, volumes: [...volumes, ...claims] } };
}

const RETENTION = ['Delete', 'Retain'];

function validate(set: Loose<StatefulSet>): FieldError[] {
  const spec = set.spec ?? {};
  const retention = spec.persistentVolumeClaimRetentionPolicy ?? {};
  const policy = spec.podManagementPolicy ?? '';
  return [
    ...(policy === ''
      ? [required('spec.podManagementPolicy')]
      : unless(policy === 'OrderedReady' || policy === 'Parallel', () =>
          invalidValue('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'"),
        )),
    ...strategyErrors(spec.updateStrategy),
    ...(['whenDeleted', 'whenScaled'] as const).flatMap((when) =>
      unless(RETENTION.includes(retention[when] ?? ''), () =>
        notSupported(`spec.persistentVolumeClaimRetentionPolicy.${when}`, retention[when], RETENTION),
      ),
    ),
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.ordinals.start', spec.ordinals?.start),
    ...selectorErrors(spec.selector, 'spec.selector', 'statefulset'),
    ...validateOwnedTemplate(templateWithClaims(spec), spec.selector, 'spec.template', 'StatefulSet'),
  ];
}

const CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

/** Only some fields may change: the pods' names, volumes and identity hang on the rest. */
function validateUpdate(next: Loose<StatefulSet>, previous: Loose<StatefulSet>): FieldError[] {
  const fixed = ({ spec = {} }: Loose<StatefulSet>): object => {
    const kept = Object.entries(spec).filter(([name]) => !CHANGEABLE.includes(name));
    // Sets that an older hub stored lack the kind of their templates.
    const volumeClaimTemplates = (spec.volumeClaimTemplates ?? []).map(
      ({ apiVersion: _version, kind: _kind, ...claim }) => claim,
    );
    return { ...Object.fromEntries(kept), volumeClaimTemplates };
  };
  return unless(jsonEqual(fixed(next), fixed(previous)), () =>
    forbidden(
      'spec',
      "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ),
  );
}

function validateStatusUpdate({ status = {} }: Loose<StatefulSet>): FieldError[] {
  const counts = ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const;
  return validateReplicaCounts(status, counts);
}

/** apps/v1 StatefulSet. */
export const statefulSetKind = defineKind<StatefulSet>(
  {
    kind: 'StatefulSet',
    group: 'apps',
    plural: 'statefulsets',
    shortNames: ['sts'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object) => templateWarnings(undefined, (object as Loose<StatefulSet>).spec?.template),
    columns: [
      nameColumn(),
      text(
        'Ready',
        'Ready pods, of those asked for.',
        (set) => `${set.status?.readyReplicas ?? 0}/${set.spec?.replicas ?? 0}`,
      ),
      ageColumn(),
      ...imageColumns<StatefulSet>((set) => set.spec),
    ],
    prepareCreate: (set) => {
      set.status = { replicas: 0 };
    },
  },
  { setDefaults, validate, validateUpdate, validateStatusUpdate },
);
