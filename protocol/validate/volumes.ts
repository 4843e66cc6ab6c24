import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { DownwardAPIItem, KeyToPath, Volume, VolumeProjection } from '../kinds/pod.ts';
import { fieldRefErrors, resourceRefErrors } from './env.ts';
import {
  at,
  duplicate,
  forbidden,
  invalidEach,
  invalidValue,
  notSupported,
  required,
  unless,
} from './field-errors.ts';
import { labelNameErrors, localPathErrors } from './names.ts';
import { quantityErrors } from './resources.ts';

type TokenSource = NonNullable<VolumeProjection['serviceAccountToken']>;

const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

/** Checks the volumes of a pod: names, one source each, and the sources Coxswain itself materialises. */
export function validateVolumes(volumes: readonly Loose<Volume>[], path: string): FieldError[] {
  const seen = new Set<string>();
  return volumes.flatMap((volume, i) => {
    const field = at(path, i);
    const name = volume.name ?? '';
    const errors =
      name === '' ? [required(`${field}.name`)] : invalidEach(`${field}.name`, name, labelNameErrors(name));
    if (seen.has(name)) errors.push(duplicate(`${field}.name`, name));
    seen.add(name);
    return [...errors, ...sourceCountErrors(volume, field), ...sourceErrors(volume, field)];
  });
}

/** Sources Coxswain does not know count as well: they are part of the schema. */
function sourceCountErrors(volume: Loose<Volume>, field: string): FieldError[] {
  const sources = Object.entries(volume).flatMap(([key, value]) =>
    key === 'name' || value === undefined ? [] : [key],
  );
  if (sources.length === 0) return [required(field, 'must specify a volume type')];
  return sources
    .slice(1)
    .map((source) => forbidden(`${field}.${source}`, 'may not specify more than 1 volume type'));
}

function sourceErrors(volume: Loose<Volume>, field: string): FieldError[] {
  return [
    ...hostPathErrors(volume.hostPath, `${field}.hostPath`),
    ...(volume.emptyDir?.sizeLimit === undefined
      ? []
      : quantityErrors(volume.emptyDir.sizeLimit, `${field}.emptyDir.sizeLimit`)),
    ...(volume.configMap === undefined
      ? []
      : filesErrors(volume.configMap, volume.configMap.name, `${field}.configMap`, 'name')),
    ...(volume.secret === undefined
      ? []
      : filesErrors(volume.secret, volume.secret.secretName, `${field}.secret`, 'secretName')),
    ...downwardErrors(volume.downwardAPI, `${field}.downwardAPI`),
    ...projectedErrors(volume.projected, `${field}.projected`),
    ...unless(volume.persistentVolumeClaim === undefined || !!volume.persistentVolumeClaim.claimName, () =>
      required(`${field}.persistentVolumeClaim.claimName`),
    ),
  ];
}

function hostPathErrors(source: Loose<Volume['hostPath']>, field: string): FieldError[] {
  if (source === undefined) return [];
  const path = source.path ?? '';
  if (path === '') return [required(`${field}.path`)];
  return [
    ...unless(!path.split('/').includes('..'), () =>
      invalidValue(`${field}.path`, path, "must not contain '..'"),
    ),
    ...unless(HOST_PATH_TYPES.includes(source.type ?? ''), () =>
      notSupported(`${field}.type`, source.type, HOST_PATH_TYPES),
    ),
  ];
}

function modeErrors(mode: number | undefined, field: string): FieldError[] {
  return unless(mode === undefined || (mode >= 0 && mode <= 0o777), () =>
    invalidValue(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive'),
  );
}

function filesErrors(
  source: { items?: Loose<KeyToPath>[] | undefined; defaultMode?: number | undefined },
  name: string | undefined,
  field: string,
  nameField: string,
): FieldError[] {
  return [
    ...unless(!!name, () => required(`${field}.${nameField}`)),
    ...modeErrors(source.defaultMode, `${field}.defaultMode`),
    ...(source.items ?? []).flatMap((item, i) => itemErrors(item, at(`${field}.items`, i))),
  ];
}

function itemErrors(item: Loose<KeyToPath>, field: string): FieldError[] {
  return [
    ...unless(!!item.key, () => required(`${field}.key`)),
    ...pathErrors(item.path ?? '', `${field}.path`),
    ...modeErrors(item.mode, `${field}.mode`),
  ];
}

function pathErrors(path: string, field: string): FieldError[] {
  if (path === '') return [required(field)];
  const errors = invalidEach(field, path, localPathErrors(path));
  if (errors.length === 0 && path.startsWith('..'))
    errors.push(invalidValue(field, path, "must not start with '..'"));
  return errors;
}

function downwardErrors(
  source: { items?: Loose<DownwardAPIItem>[] | undefined; defaultMode?: number | undefined } | undefined,
  field: string,
): FieldError[] {
  if (source === undefined) return [];
  return [
    ...modeErrors(source.defaultMode, `${field}.defaultMode`),
    ...(source.items ?? []).flatMap((item, i) => downwardItemErrors(item, at(`${field}.items`, i))),
  ];
}

function downwardItemErrors(item: Loose<DownwardAPIItem>, field: string): FieldError[] {
  const { fieldRef, resourceFieldRef } = item;
  const errors = pathErrors(item.path ?? '', `${field}.path`);
  if (fieldRef === undefined && resourceFieldRef === undefined)
    errors.push(required(field, 'one of fieldRef and resourceFieldRef is required'));
  if (fieldRef !== undefined && resourceFieldRef !== undefined)
    errors.push(
      invalidValue(field, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
    );
  return [
    ...errors,
    ...fieldRefErrors(fieldRef, `${field}.fieldRef`),
    ...resourceRefErrors(resourceFieldRef, `${field}.resourceFieldRef`, true),
    ...modeErrors(item.mode, `${field}.mode`),
  ];
}

function projectedErrors(source: Loose<Volume['projected']>, field: string): FieldError[] {
  if (source === undefined) return [];
  return [
    ...modeErrors(source.defaultMode, `${field}.defaultMode`),
    ...(source.sources ?? []).flatMap((s, i) => projectionErrors(s, at(`${field}.sources`, i))),
  ];
}

function projectionErrors(source: Loose<VolumeProjection>, field: string): FieldError[] {
  const given = Object.entries(source).flatMap(([key, value]) => (value === undefined ? [] : [key]));
  const { configMap, secret, downwardAPI, serviceAccountToken: token } = source;
  return [
    ...given
      .slice(1)
      .map((key) => forbidden(`${field}.${key}`, 'may not specify more than 1 volume type per source')),
    ...(configMap === undefined ? [] : filesErrors(configMap, configMap.name, `${field}.configMap`, 'name')),
    ...(secret === undefined ? [] : filesErrors(secret, secret.name, `${field}.secret`, 'name')),
    ...downwardErrors(downwardAPI, `${field}.downwardAPI`),
    ...(token === undefined ? [] : tokenErrors(token, `${field}.serviceAccountToken`)),
  ];
}

function tokenErrors(source: Loose<TokenSource>, field: string): FieldError[] {
  const { expirationSeconds: seconds = MIN_TOKEN_SECONDS } = source;
  const refused = (why: string): FieldError => invalidValue(`${field}.expirationSeconds`, seconds, why);
  return [
    ...pathErrors(source.path ?? '', `${field}.path`),
    ...unless(seconds >= MIN_TOKEN_SECONDS, () => refused('may not specify a duration less than 10 minutes')),
    ...unless(seconds <= MAX_TOKEN_SECONDS, () =>
      refused('may not specify a duration larger than 2^32 seconds'),
    ),
  ];
}
