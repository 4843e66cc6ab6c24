import type { PolicyRule, RoleBinding, RoleRef, Subject } from '../../protocol/kinds/rbac.ts';

/** Who asks, as far as rights depend on it. */
export interface Asker {
  readonly name: string;
  readonly groups: readonly string[];
}

/** An action on a resource. */
export interface ResourceAsk {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** Absent for all namespaces and for cluster-wide resources. */
  readonly namespace?: string;
  readonly name?: string;
  /** What a list is narrowed to: field label to the one value that passes. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** An action on a path that is no resource. */
export interface PathAsk {
  readonly verb: string;
  readonly path: string;
}

export type Ask = ResourceAsk | PathAsk;

/** Members of this group may do everything. */
export const MASTERS = 'system:masters';

const ACCOUNT_PREFIX = 'system:serviceaccount:';

/** The user name of a service account. */
export const accountUserName = (namespace: string, name: string): string =>
  `${ACCOUNT_PREFIX}${namespace}:${name}`;

/** The groups of every service account of a namespace. */
export const accountGroups = (namespace: string): string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];

/** Namespace and name of the service account whose user name this is; undefined for other users. */
export function accountOfUserName(user: string): { namespace: string; name: string } | undefined {
  if (!user.startsWith(ACCOUNT_PREFIX)) return undefined;
  const [namespace, name, ...rest] = user.slice(ACCOUNT_PREFIX.length).split(':');
  if (!namespace || !name || rest.length > 0) return undefined;
  return { namespace, name };
}

/**
 * True when one rule alone allows the action, with Kubernetes' meaning of `*`, subresources, names and paths. Where the rule
 * stands (which namespace, whose) is the caller's to check. Pure; never throws.
 */
export function ruleAllows(rule: PolicyRule, ask: Ask): boolean {
  if (!covers(rule.verbs, ask.verb)) return false;
  if ('path' in ask) return (rule.nonResourceURLs ?? []).some((url) => urlCovers(url, ask.path));
  if (!covers(rule.apiGroups, ask.group) || !resourceCovered(rule.resources, ask)) return false;
  const names = rule.resourceNames ?? [];
  return names.length === 0 || (ask.name !== undefined && names.includes(ask.name));
}

function covers(list: readonly string[] | undefined, value: string): boolean {
  return list !== undefined && (list.includes('*') || list.includes(value));
}

function resourceCovered(list: readonly string[] | undefined, ask: ResourceAsk): boolean {
  const { resource, subresource } = ask;
  if (subresource === undefined || subresource === '') return covers(list, resource);
  return covers(list, `${resource}/${subresource}`) || list?.includes(`*/${subresource}`) === true;
}

/** `*` at the end stands for every continuation; all stars at the end count as one. */
export function urlCovers(url: string, path: string): boolean {
  if (url === '*' || url === path) return true;
  return url.endsWith('*') && path.startsWith(url.replace(/\*+$/, ''));
}

/**
 * The key under which a subject's bindings are kept: user or group name, so that a service account and the user of its name
 * are one. Undefined for a subject that is nobody. `namespace` is the binding's own.
 */
export function subjectKey(subject: Subject, namespace: string | undefined): string | undefined {
  switch (subject.kind) {
    case 'User':
      return `user ${subject.name}`;
    case 'Group':
      return `group ${subject.name}`;
    case 'ServiceAccount': {
      const home = subject.namespace || namespace;
      return home ? `user ${accountUserName(home, subject.name)}` : undefined;
    }
    default:
      return undefined;
  }
}

/** All keys of `subjectKey` that the asker answers to. */
export function askerKeys(asker: Asker): string[] {
  return [`user ${asker.name}`, ...asker.groups.map((group) => `group ${group}`)];
}

/** The key of the role that a reference in `namespace` means. */
export function roleKey(ref: Pick<RoleRef, 'kind' | 'name'>, namespace: string | undefined): string {
  return ref.kind === 'ClusterRole' ? `ClusterRole ${ref.name}` : `Role ${namespace ?? ''}/${ref.name}`;
}

/** What allowed an action, as reviews and the audit log tell it: `RBAC: allowed by ...`. */
export function allowedBy(
  binding: Pick<RoleBinding, 'metadata' | 'roleRef'>,
  bindingKind: string,
  subject: Subject,
): string {
  const { namespace, name } = binding.metadata;
  const own = namespace ? `${name}/${namespace}` : name;
  const home = subject.namespace ? `${subject.name}/${subject.namespace}` : subject.name;
  const { kind, name: role } = binding.roleRef;
  return `RBAC: allowed by ${bindingKind} "${own}" of ${kind} "${role}" to ${subject.kind} "${home}"`;
}
