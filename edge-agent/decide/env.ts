import type { Container, EnvFromSource, EnvVar } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';
import { decodeBase64Text } from './base64.ts';
import { fieldValue, type NodeContext, resourceValue } from './field-ref.ts';

/** ConfigMaps and Secrets of the pod's namespace by name, the pod's own tokens by tokenKey; a missing one is undefined. */
export interface ConfigSource {
  configMap(
    name: string,
  ): { readonly data?: Record<string, string>; readonly binaryData?: Record<string, string> } | undefined;
  secret(name: string): { readonly data?: Record<string, string> } | undefined;
  /** In base64. */
  token(key: string): string | undefined;
}

/** Either a value, or the text Kubernetes shows as the message of CreateContainerConfigError. */
export type Resolved<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string };

const fine = <T>(value: T): Resolved<T> => ({ ok: true, value });
const bad = (message: string): Resolved<never> => ({ ok: false, message });

const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/**
 * The container's environment in order: what is `given`, then `envFrom`, then `env`, later names winning, `$(VAR)` expanded from what
 * was defined before. Fails when a ConfigMap, Secret or key that is not optional is missing.
 */
export function resolveEnv(
  pod: DesiredPod,
  container: Container,
  config: ConfigSource,
  node: NodeContext,
  given: ReadonlyMap<string, string> = new Map(),
): Resolved<ReadonlyMap<string, string>> {
  const env = new Map(given);
  for (const source of container.envFrom ?? []) {
    const values = envFrom(source, config);
    if (!values.ok) return values;
    for (const [key, value] of Object.entries(values.value)) {
      const name = `${source.prefix ?? ''}${key}`;
      if (ENV_NAME.test(name)) env.set(name, value);
    }
  }
  for (const entry of container.env ?? []) {
    const value = envValue(pod, container, entry, config, node, env);
    if (!value.ok) return value;
    if (value.value !== undefined) env.set(entry.name, value.value);
  }
  return fine(env);
}

function envFrom(source: EnvFromSource, config: ConfigSource): Resolved<Record<string, string>> {
  if (source.configMapRef !== undefined) {
    const { name, optional } = source.configMapRef;
    const found = config.configMap(name);
    if (found === undefined) return optional ? fine({}) : bad(`configmap "${name}" not found`);
    return fine(found.data ?? {});
  }
  if (source.secretRef !== undefined) {
    const { name, optional } = source.secretRef;
    const found = config.secret(name);
    if (found === undefined) return optional ? fine({}) : bad(`secret "${name}" not found`);
    const entries = Object.entries(found.data ?? {}).map(([k, v]) => [k, decodeBase64Text(v)] as const);
    return fine(Object.fromEntries(entries));
  }
  return fine({});
}

function envValue(
  pod: DesiredPod,
  container: Container,
  entry: EnvVar,
  config: ConfigSource,
  node: NodeContext,
  before: ReadonlyMap<string, string>,
): Resolved<string | undefined> {
  const from = entry.valueFrom;
  if (from === undefined) return fine(expand(entry.value ?? '', before));
  const where = `${pod.metadata.namespace ?? 'default'}/`;
  if (from.configMapKeyRef !== undefined) {
    const { name, key, optional } = from.configMapKeyRef;
    const found = config.configMap(name);
    const value = found?.data?.[key];
    if (value !== undefined || optional) return fine(value);
    return bad(
      found === undefined
        ? `configmap "${name}" not found`
        : `couldn't find key ${key} in ConfigMap ${where}${name}`,
    );
  }
  if (from.secretKeyRef !== undefined) {
    const { name, key, optional } = from.secretKeyRef;
    const found = config.secret(name);
    const value = found?.data?.[key];
    if (value !== undefined) return fine(decodeBase64Text(value));
    if (optional) return fine(undefined);
    return bad(
      found === undefined
        ? `secret "${name}" not found`
        : `couldn't find key ${key} in Secret ${where}${name}`,
    );
  }
  return referredValue(pod, container, from, node);
}

function referredValue(
  pod: DesiredPod,
  container: Container,
  from: NonNullable<EnvVar['valueFrom']>,
  node: NodeContext,
): Resolved<string | undefined> {
  if (from.fieldRef !== undefined) {
    const value = fieldValue(pod, node, from.fieldRef.fieldPath);
    return value === undefined ? bad(`unsupported fieldPath: ${from.fieldRef.fieldPath}`) : fine(value);
  }
  if (from.resourceFieldRef !== undefined) {
    const value = resourceValue(pod.spec, node, from.resourceFieldRef, container.name);
    return value === undefined
      ? bad(`unsupported container resource: ${from.resourceFieldRef.resource}`)
      : fine(value);
  }
  return fine('');
}

/** `$(NAME)` becomes its value, `$$(NAME)` the literal `$(NAME)`, an unknown name stays as written; as Kubernetes does. */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) => {
    if (whole === '$$') return '$';
    return env.get(name ?? '') ?? whole;
  });
}
