import { jsonEqual } from '../json.ts';
import { ageColumn, text } from '../print/cells.ts';
import {
  forbidden,
  invalidEach,
  invalidValue,
  notSupported,
  required,
  unless,
} from '../validate/field-errors.ts';
import { qualifiedNameErrors } from '../validate/names.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { StorageClass } from './storage.ts';

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const POLICIES = ['Delete', 'Retain'];
const BINDINGS = ['Immediate', 'WaitForFirstConsumer'];

function validate(storage: Loose<StorageClass>): FieldError[] {
  const { provisioner = '', reclaimPolicy = '', volumeBindingMode = '' } = storage;
  return [
    ...(provisioner === ''
      ? [required('provisioner')]
      : invalidEach('provisioner', provisioner, qualifiedNameErrors(provisioner.toLowerCase()))),
    ...unless(POLICIES.includes(reclaimPolicy), () => notSupported('reclaimPolicy', reclaimPolicy, POLICIES)),
    ...unless(BINDINGS.includes(volumeBindingMode), () =>
      notSupported('volumeBindingMode', volumeBindingMode, BINDINGS),
    ),
  ];
}

function validateUpdate(next: Loose<StorageClass>, previous: Loose<StorageClass>): FieldError[] {
  return [
    ...unless(jsonEqual(next.parameters ?? {}, previous.parameters ?? {}), () =>
      forbidden('parameters', 'updates to parameters are forbidden.'),
    ),
    ...unless(next.provisioner === previous.provisioner, () =>
      forbidden('provisioner', 'updates to provisioner are forbidden.'),
    ),
    ...unless(next.reclaimPolicy === previous.reclaimPolicy, () =>
      forbidden('reclaimPolicy', 'updates to reclaimPolicy are forbidden.'),
    ),
    ...unless(next.volumeBindingMode === previous.volumeBindingMode, () =>
      invalidValue('volumeBindingMode', next.volumeBindingMode, 'field is immutable'),
    ),
  ];
}

/** storage.k8s.io/v1 StorageClass. */
export const storageClassKind = defineKind<StorageClass>(
  {
    kind: 'StorageClass',
    group: 'storage.k8s.io',
    plural: 'storageclasses',
    shortNames: ['sc'],
    namespaced: false,
    columns: [
      {
        name: 'Name',
        type: 'string',
        format: 'name',
        description: 'Name must be unique within a namespace.',
        priority: 0,
        cell: ({ metadata }) =>
          metadata.annotations?.[DEFAULT_CLASS] === 'true' ? `${metadata.name} (default)` : metadata.name,
      },
      text('Provisioner', 'Who makes volumes of this class.', (storage) => storage.provisioner ?? ''),
      text('ReclaimPolicy', 'What becomes of volumes after their claim.', (s) => s.reclaimPolicy ?? ''),
      text('VolumeBindingMode', 'When volumes are made and bound.', (s) => s.volumeBindingMode ?? ''),
      text('AllowVolumeExpansion', 'Whether volumes can grow.', (s) =>
        String(s.allowVolumeExpansion ?? false),
      ),
      ageColumn(),
    ],
  },
  {
    setDefaults: (storage) => {
      storage.reclaimPolicy ??= 'Delete';
      storage.volumeBindingMode ??= 'Immediate';
    },
    validate,
    validateUpdate,
  },
);
