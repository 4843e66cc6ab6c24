import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text, wide } from '../print/cells.ts';
import { parseQuantity } from '../quantity.ts';
import { forbidden, invalidEach, notSupported, unless } from '../validate/field-errors.ts';
import { validateLabelSelector } from '../validate/label-selector.ts';
import { subdomainErrors } from '../validate/names.ts';
import { accessModesText, validateAccessModes, validateStorage } from '../validate/volume-claims.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { PersistentVolumeClaim } from './storage.ts';

const NO_RESIZE =
  'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
const MODES = ['Block', 'Filesystem'];

/** Defaults of a claim, also of one in a StatefulSet's template. Changes its argument; never throws. */
export function defaultClaim(claim: Loose<PersistentVolumeClaim>): void {
  claim.spec ??= {};
  claim.spec.volumeMode ??= 'Filesystem';
  claim.spec.resources ??= {};
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
}

function validate({ spec = {} }: Loose<PersistentVolumeClaim>): FieldError[] {
  const { storageClassName: className = '', volumeMode = '' } = spec;
  return [
    ...validateLabelSelector(spec.selector, 'spec.selector'),
    ...validateAccessModes(spec.accessModes, 'spec.accessModes', 'at least 1 access mode is required'),
    ...validateStorage(spec.resources?.requests, 'spec.resources[storage]'),
    ...(className === '' ? [] : invalidEach('spec.storageClassName', className, subdomainErrors(className))),
    ...unless(MODES.includes(volumeMode), () => notSupported('spec.volumeMode', volumeMode, MODES)),
  ];
}

/** Only binding to a volume once may change a claim: no class of the hub can make a volume larger. */
function validateUpdate(
  next: Loose<PersistentVolumeClaim>,
  previous: Loose<PersistentVolumeClaim>,
): FieldError[] {
  const before = previous.spec ?? {};
  const after = next.spec ?? {};
  const fixed = (spec: typeof before): object => ({
    ...spec,
    resources: undefined,
    volumeAttributesClassName: undefined,
    ...(before.volumeName ? {} : { volumeName: undefined }),
    ...(before.storageClassName === undefined ? { storageClassName: undefined } : {}),
  });
  const amount = (spec: typeof before): number =>
    parseQuantity(spec.resources?.requests?.['storage'] ?? '0') ?? 0;
  return [
    ...unless(jsonEqual(fixed(after), fixed(before)), () =>
      forbidden(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    ),
    ...unless(amount(after) >= amount(before), () =>
      forbidden('spec.resources.requests.storage', 'field can not be less than previous value'),
    ),
    ...unless(amount(after) <= amount(before), () => forbidden('spec.resources.requests.storage', NO_RESIZE)),
  ];
}

/** v1 PersistentVolumeClaim. */
export const persistentVolumeClaimKind = defineKind<PersistentVolumeClaim>(
  {
    kind: 'PersistentVolumeClaim',
    plural: 'persistentvolumeclaims',
    shortNames: ['pvc'],
    hasStatus: true,
    columns: [
      nameColumn(),
      text('Status', 'Whether it is bound.', ({ metadata, status }) =>
        metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating',
      ),
      text('Volume', 'The volume it is bound to.', ({ spec }) => spec?.volumeName ?? ''),
      text('Capacity', 'How much it has.', ({ spec, status }) =>
        spec?.volumeName ? (status?.capacity?.['storage'] ?? '') : '',
      ),
      text('Access Modes', 'How it can be mounted.', ({ spec, status }) =>
        spec?.volumeName ? accessModesText(status?.accessModes) : '',
      ),
      text('StorageClass', 'Class it asks for.', ({ spec }) => spec?.storageClassName ?? ''),
      text(
        'VolumeAttributesClass',
        'Class of its attributes.',
        ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>',
      ),
      ageColumn(),
      wide('VolumeMode', 'Files or a block device.', ({ spec }) => spec?.volumeMode ?? '<unset>'),
    ],
    prepareCreate: (claim) => {
      claim.status = { phase: 'Pending' };
    },
  },
  { setDefaults: defaultClaim, validate, validateUpdate },
);
