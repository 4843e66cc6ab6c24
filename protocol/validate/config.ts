import { jsonEqual } from '../json.ts';
import type { ConfigMap, Secret } from '../kinds/core.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import { forbidden, invalidEach, invalidValue, required, tooLong, unless } from './field-errors.ts';
import { byteLength } from './metadata.ts';
import { configKeyErrors } from './names.ts';

/** Largest ConfigMap or Secret: 1 MiB of values. */
const MAX_BYTES = 1_048_576;

type Values = Loose<Record<string, string>> | undefined;

const base64Bytes = (text: string): number => Math.floor((text.replace(/=+$/, '').length * 3) / 4);

function sumOf(values: Values, bytes: (text: string) => number): number {
  return Object.values(values ?? {}).reduce((sum: number, value) => sum + bytes(value ?? ''), 0);
}

function keysErrors(values: Values, path: string): FieldError[] {
  return Object.keys(values ?? {}).flatMap((key) =>
    invalidEach(`${path}[${key}]`, key, configKeyErrors(key)),
  );
}

/** Checks keys, doubles between data and binaryData, and the size of a ConfigMap. */
export function validateConfigMap(map: Loose<ConfigMap>): FieldError[] {
  const bytes = sumOf(map.data, byteLength) + sumOf(map.binaryData, base64Bytes);
  const twice = Object.keys(map.data ?? {}).filter((key) => Object.hasOwn(map.binaryData ?? {}, key));
  return [
    ...keysErrors(map.data, 'data'),
    ...twice.map((key) => invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData')),
    ...keysErrors(map.binaryData, 'binaryData'),
    // The object as a whole has this path in Kubernetes' message.
    ...unless(bytes <= MAX_BYTES, () => tooLong('[]', MAX_BYTES)),
  ];
}

/** Checks keys, size, and the keys a Secret's type demands. */
export function validateSecret(secret: Loose<Secret>): FieldError[] {
  return [
    ...keysErrors(secret.data, 'data'),
    ...unless(sumOf(secret.data, base64Bytes) <= MAX_BYTES, () => tooLong('data', MAX_BYTES)),
    ...secretTypeErrors(secret),
  ];
}

function secretTypeErrors(secret: Loose<Secret>): FieldError[] {
  const has = (key: string): boolean => Object.hasOwn(secret.data ?? {}, key);
  const need = (...keys: string[]): FieldError[] =>
    keys.flatMap((key) => unless(has(key), () => required(`data[${key}]`)));
  const account = 'kubernetes.io/service-account.name';
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      return unless(!!secret.metadata?.annotations?.[account], () =>
        required(`metadata.annotations[${account}]`),
      );
    case 'kubernetes.io/dockercfg':
      return need('.dockercfg');
    case 'kubernetes.io/dockerconfigjson':
      return need('.dockerconfigjson');
    case 'kubernetes.io/basic-auth':
      return has('username') || has('password') ? [] : need('username', 'password');
    case 'kubernetes.io/ssh-auth':
      return unless(!!secret.data?.['ssh-privatekey'], () => required('data[ssh-privatekey]'));
    case 'kubernetes.io/tls':
      return need('tls.crt', 'tls.key');
    default:
      return [];
  }
}

const FROZEN = 'field is immutable when `immutable` is set';

function frozenErrors(
  next: Loose<ConfigMap> | Loose<Secret>,
  previous: Loose<ConfigMap> | Loose<Secret>,
): FieldError[] {
  if (previous.immutable !== true) return [];
  return [
    ...unless(next.immutable === true, () => forbidden('immutable', FROZEN)),
    ...unless(jsonEqual(next.data ?? {}, previous.data ?? {}), () => forbidden('data', FROZEN)),
  ];
}

/** An immutable ConfigMap stays as it is. */
export function validateConfigMapUpdate(next: Loose<ConfigMap>, previous: Loose<ConfigMap>): FieldError[] {
  const same = jsonEqual(next.binaryData ?? {}, previous.binaryData ?? {});
  return [
    ...frozenErrors(next, previous),
    ...unless(previous.immutable !== true || same, () => forbidden('binaryData', FROZEN)),
  ];
}

/** The type of a Secret never changes, and an immutable one stays as it is. */
export function validateSecretUpdate(next: Loose<Secret>, previous: Loose<Secret>): FieldError[] {
  return [
    ...unless(next.type === previous.type, () => invalidValue('type', next.type, 'field is immutable')),
    ...frozenErrors(next, previous),
  ];
}
