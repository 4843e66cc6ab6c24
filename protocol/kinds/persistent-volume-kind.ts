import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text, wide } from '../print/cells.ts';
import {
  forbidden,
  invalidEach,
  invalidValue,
  notSupported,
  required,
  unless,
} from '../validate/field-errors.ts';
import { subdomainErrors } from '../validate/names.ts';
import { accessModesText, validateAccessModes, validateStorage } from '../validate/volume-claims.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { PersistentVolume } from './storage.ts';

/** Everything of a volume's spec that is not its source. */
const COMMON = [
  'capacity',
  'accessModes',
  'claimRef',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'mountOptions',
  'volumeMode',
  'nodeAffinity',
  'volumeAttributesClassName',
];
const POLICIES = ['Delete', 'Recycle', 'Retain'];
const MODES = ['Block', 'Filesystem'];

const sourcesOf = (volume: Loose<PersistentVolume>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(volume.spec ?? {}).filter(([name]) => !COMMON.includes(name)));

function setDefaults(volume: Loose<PersistentVolume>): void {
  volume.spec ??= {};
  volume.spec.persistentVolumeReclaimPolicy ||= 'Retain';
  volume.spec.volumeMode ??= 'Filesystem';
  if (volume.spec.hostPath !== undefined) volume.spec.hostPath.type ??= '';
}

function validate(volume: Loose<PersistentVolume>): FieldError[] {
  const spec = volume.spec ?? {};
  const sources = Object.keys(sourcesOf(volume));
  const {
    storageClassName: className = '',
    persistentVolumeReclaimPolicy: policy = '',
    volumeMode = '',
  } = spec;
  return [
    ...validateAccessModes(spec.accessModes, 'spec.accessModes'),
    ...validateStorage(spec.capacity, 'spec.capacity[storage]'),
    ...unless(POLICIES.includes(policy), () =>
      notSupported('spec.persistentVolumeReclaimPolicy', policy, POLICIES),
    ),
    ...unless(sources.length > 0, () => required('spec', 'must specify a volume type')),
    ...sources.slice(1).map((name) => forbidden(`spec.${name}`, 'may not specify more than 1 volume type')),
    ...(spec.hostPath === undefined
      ? []
      : unless(!!spec.hostPath.path, () => required('spec.hostPath.path'))),
    ...(spec.local === undefined
      ? []
      : [
          ...unless(!!spec.local.path, () => required('spec.local.path')),
          ...unless(spec.nodeAffinity?.required !== undefined, () =>
            required('spec.nodeAffinity', 'Local volume requires node affinity'),
          ),
        ]),
    ...(className === '' ? [] : invalidEach('spec.storageClassName', className, subdomainErrors(className))),
    ...unless(MODES.includes(volumeMode), () => notSupported('spec.volumeMode', volumeMode, MODES)),
  ];
}

function validateUpdate(next: Loose<PersistentVolume>, previous: Loose<PersistentVolume>): FieldError[] {
  return [
    ...unless(jsonEqual(sourcesOf(next), sourcesOf(previous)), () =>
      forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
    ),
    ...unless(next.spec?.volumeMode === previous.spec?.volumeMode, () =>
      invalidValue('spec.volumeMode', next.spec?.volumeMode, 'field is immutable'),
    ),
  ];
}

/** v1 PersistentVolume. */
export const persistentVolumeKind = defineKind<PersistentVolume>(
  {
    kind: 'PersistentVolume',
    plural: 'persistentvolumes',
    shortNames: ['pv'],
    namespaced: false,
    hasStatus: true,
    columns: [
      nameColumn(),
      text('Capacity', 'How much it holds.', ({ spec }) => spec?.capacity?.['storage'] ?? ''),
      text('Access Modes', 'How it can be mounted.', ({ spec }) => accessModesText(spec?.accessModes)),
      text(
        'Reclaim Policy',
        'What becomes of it after its claim.',
        ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? '',
      ),
      text('Status', 'Whether it is bound.', ({ metadata, status }) =>
        metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
      ),
      text('Claim', 'The claim it is bound to.', ({ spec }) =>
        spec?.claimRef === undefined ? '' : `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}`,
      ),
      text('StorageClass', 'Class it belongs to.', ({ spec }) => spec?.storageClassName ?? ''),
      text(
        'VolumeAttributesClass',
        'Class of its attributes.',
        ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
      ),
      text('Reason', 'Why it is in this state.', ({ status }) => status?.reason ?? ''),
      ageColumn(),
      wide('VolumeMode', 'Files or a block device.', ({ spec }) => spec?.volumeMode ?? '<unset>'),
    ],
    prepareCreate: (volume) => {
      volume.status = { phase: 'Pending' };
    },
  },
  { setDefaults, validate, validateUpdate },
);
