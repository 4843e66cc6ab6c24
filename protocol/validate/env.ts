import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Container, EnvFromSource, EnvVar, KeySelector } from '../kinds/pod.ts';
import { at, invalidEach, invalidValue, notSupported, required, unless } from './field-errors.ts';
import { configKeyErrors, envNameErrors, qualifiedNameErrors } from './names.ts';

/** Pod fields that the environment can read. */
const ENV_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
];
/** Pod fields that a volume can read. */
const VOLUME_FIELDS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

/** Checks `env` and `envFrom` of one container. */
export function validateEnv(container: Loose<Container>, path: string): FieldError[] {
  return [
    ...(container.env ?? []).flatMap((v, i) => variableErrors(v, at(`${path}.env`, i))),
    ...(container.envFrom ?? []).flatMap((s, i) => fromErrors(s, at(`${path}.envFrom`, i))),
  ];
}

function variableErrors(variable: Loose<EnvVar>, path: string): FieldError[] {
  const name = variable.name ?? '';
  const errors =
    name === '' ? [required(`${path}.name`)] : invalidEach(`${path}.name`, name, envNameErrors(name));
  return [...errors, ...valueFromErrors(variable, `${path}.valueFrom`)];
}

function valueFromErrors(variable: Loose<EnvVar>, path: string): FieldError[] {
  const from = variable.valueFrom;
  if (from === undefined) return [];
  const sources = [from.fieldRef, from.resourceFieldRef, from.configMapKeyRef, from.secretKeyRef];
  const count = sources.filter((s) => s !== undefined).length;
  const errors = [
    ...fieldRefErrors(from.fieldRef, `${path}.fieldRef`, ENV_FIELDS),
    ...resourceRefErrors(from.resourceFieldRef, `${path}.resourceFieldRef`, false),
    ...keyErrors(from.configMapKeyRef, `${path}.configMapKeyRef`),
    ...keyErrors(from.secretKeyRef, `${path}.secretKeyRef`),
  ];
  if (count === 0) {
    const why = 'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
    errors.push(invalidValue(path, '', why));
  } else if (variable.value)
    errors.push(invalidValue(path, '', 'may not be specified when `value` is not empty'));
  else if (count > 1)
    errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  return errors;
}

/** Checks a reference to a pod field; labels and annotations may carry one key in brackets. */
export function fieldRefErrors(
  ref: { fieldPath?: string | undefined } | undefined,
  path: string,
  allowed: readonly string[] = VOLUME_FIELDS,
): FieldError[] {
  if (ref === undefined) return [];
  const field = `${path}.fieldPath`;
  const fieldPath = ref.fieldPath ?? '';
  if (fieldPath === '') return [required(field)];
  const subscript = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath);
  if (subscript !== null) {
    const [, , key = ''] = subscript;
    return invalidEach(field, key, qualifiedNameErrors(key));
  }
  return unless(allowed.includes(fieldPath), () => notSupported(field, fieldPath, allowed));
}

/** Checks a reference to a container's request or limit; volumes must name the container. */
export function resourceRefErrors(
  ref: { resource?: string | undefined; containerName?: string | undefined } | undefined,
  path: string,
  inVolume: boolean,
): FieldError[] {
  if (ref === undefined) return [];
  if (inVolume && !ref.containerName) return [required(`${path}.containerName`)];
  const resource = ref.resource ?? '';
  if (resource === '') return [required(`${path}.resource`)];
  const known = RESOURCES.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource);
  return unless(known, () => notSupported(`${path}.resource`, resource, RESOURCES));
}

function keyErrors(ref: Loose<KeySelector> | undefined, path: string): FieldError[] {
  if (ref === undefined) return [];
  return [
    ...unless(!!ref.name, () => required(`${path}.name`)),
    ...(ref.key ? invalidEach(`${path}.key`, ref.key, configKeyErrors(ref.key)) : [required(`${path}.key`)]),
  ];
}

function fromErrors(source: Loose<EnvFromSource>, path: string): FieldError[] {
  const errors = source.prefix
    ? invalidEach(`${path}.prefix`, source.prefix, envNameErrors(source.prefix))
    : [];
  const { configMapRef, secretRef } = source;
  if (configMapRef === undefined && secretRef === undefined)
    errors.push(invalidValue(path, '', 'must specify one of: `configMapRef` or `secretRef`'));
  else if (configMapRef !== undefined && secretRef !== undefined)
    errors.push(invalidValue(path, '', 'may not have more than one field specified at a time'));
  if (configMapRef !== undefined && !configMapRef.name) errors.push(required(`${path}.configMapRef.name`));
  if (secretRef !== undefined && !secretRef.name) errors.push(required(`${path}.secretRef.name`));
  return errors;
}
