import table from './fields.json' with { type: 'json' };
import { type Schema, type TypeSource, typeSource } from './types.ts';

/** All structs of the built-in API groups, at the level of Kubernetes 1.32. */
export const builtinTypes: TypeSource = typeSource(table);

/** API group of a Go package, where the two differ. */
const GROUPS: Readonly<Record<string, string>> = {
  core: '',
  admissionregistration: 'admissionregistration.k8s.io',
  apiextensions: 'apiextensions.k8s.io',
  authentication: 'authentication.k8s.io',
  authorization: 'authorization.k8s.io',
  certificates: 'certificates.k8s.io',
  coordination: 'coordination.k8s.io',
  discovery: 'discovery.k8s.io',
  events: 'events.k8s.io',
  meta: 'meta.k8s.io',
  networking: 'networking.k8s.io',
  rbac: 'rbac.authorization.k8s.io',
  storage: 'storage.k8s.io',
  scheduling: 'scheduling.k8s.io',
};
const PACKAGES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(GROUPS).map(([name, group]) => [group, name]),
);

/** Kinds that every group has. */
const COMMON = ['DeleteOptions', 'CreateOptions', 'UpdateOptions', 'PatchOptions', 'ListOptions', 'Status'];

/** `coordination/v1` for `coordination.k8s.io/v1`, `core/v1` for `v1`: the package part of struct names. */
export function packageOfGroupVersion(apiVersion: string): string {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return `${Object.hasOwn(PACKAGES, group) ? PACKAGES[group] : group}/${version ?? ''}`;
}

/** The schema of a built-in kind, or undefined when the API version has no such kind. */
export function schemaOf(
  apiVersion: string,
  kind: string,
  types: TypeSource = builtinTypes,
): Schema | undefined {
  const root =
    types(`${packageOfGroupVersion(apiVersion)}.${kind}`) ??
    (COMMON.includes(kind) ? types(`meta/v1.${kind}`) : undefined);
  return root?.hasTypeMeta === true ? { types, root } : undefined;
}
