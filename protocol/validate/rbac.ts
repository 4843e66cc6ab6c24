import { jsonEqual } from '../json.ts';
import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import {
  type ClusterRole,
  type PolicyRule,
  RBAC_GROUP,
  type Role,
  type RoleBinding,
  type RoleRef,
  type Subject,
} from '../kinds/rbac.ts';
import { at, invalidEach, invalidShown, notSupported, required, unless } from './field-errors.ts';
import { validateLabelSelector } from './label-selector.ts';
import { subdomainErrors } from './names.ts';

/** A binding of either scope, read loosely. */
type AnyBinding = Loose<Pick<RoleBinding, 'subjects' | 'roleRef'>>;

/** A name that can stand in a path: roles may be called `system:node`. */
export function pathNameErrors(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((sign) => name.includes(sign)).map((sign) => `may not contain '${sign}'`);
}

/** Checks the rules of a namespaced role. */
export function validateRole(role: Loose<Role>): FieldError[] {
  return (role.rules ?? []).flatMap((rule, i) => ruleErrors(rule, true, at('rules', i)));
}

/** Checks the rules and the aggregation of a cluster role. */
export function validateClusterRole(role: Loose<ClusterRole>): FieldError[] {
  const errors = (role.rules ?? []).flatMap((rule, i) => ruleErrors(rule, false, at('rules', i)));
  if (role.aggregationRule === undefined) return errors;
  const path = 'aggregationRule.clusterRoleSelectors';
  const selectors = role.aggregationRule.clusterRoleSelectors ?? [];
  const why = 'at least one clusterRoleSelector required if aggregationRule is non-nil';
  return [
    ...errors,
    ...unless(selectors.length > 0, () => required(path, why)),
    ...selectors.flatMap((selector, i) => validateLabelSelector(selector, at(path, i))),
  ];
}

function ruleErrors(rule: Loose<PolicyRule>, isNamespaced: boolean, path: string): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const errors = unless(verbs.length > 0, () =>
    required(`${path}.verbs`, 'verbs must contain at least one value'),
  );
  if (nonResourceURLs.length > 0) {
    const refused = (why: string): FieldError =>
      invalidShown(`${path}.nonResourceURLs`, goStrings(nonResourceURLs), why);
    const isPlain = apiGroups.length + resources.length + resourceNames.length === 0;
    return [
      ...errors,
      ...unless(!isNamespaced, () => refused('namespaced rules cannot apply to non-resource URLs')),
      ...unless(isPlain, () => refused('rules cannot apply to both regular resources and non-resource URLs')),
    ];
  }
  return [
    ...errors,
    ...unless(apiGroups.length > 0, () =>
      required(`${path}.apiGroups`, 'resource rules must supply at least one api group'),
    ),
    ...unless(resources.length > 0, () =>
      required(`${path}.resources`, 'resource rules must supply at least one resource'),
    ),
  ];
}

function goStrings(list: readonly string[]): string {
  return `[]string{${list.map((text) => JSON.stringify(text)).join(', ')}}`;
}

/** Checks what a binding grants and to whom; `kinds` are those its role may have. */
export function validateBinding(
  binding: AnyBinding,
  kinds: readonly string[],
  isNamespaced: boolean,
): FieldError[] {
  const { apiGroup, kind, name } = binding.roleRef ?? {};
  return [
    ...unless(apiGroup === RBAC_GROUP, () => notSupported('roleRef.apiGroup', apiGroup, [RBAC_GROUP])),
    ...unless(kinds.includes(kind ?? ''), () => notSupported('roleRef.kind', kind, kinds)),
    ...(name ? invalidEach('roleRef.name', name, pathNameErrors(name)) : [required('roleRef.name')]),
    ...(binding.subjects ?? []).flatMap((subject, i) =>
      subjectErrors(subject, isNamespaced, at('subjects', i)),
    ),
  ];
}

function subjectErrors(subject: Loose<Subject>, isNamespaced: boolean, path: string): FieldError[] {
  const { kind, apiGroup = '', name = '', namespace } = subject;
  const errors = unless(name !== '', () => required(`${path}.name`));
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...errors,
        ...(name === '' ? [] : invalidEach(`${path}.name`, name, subdomainErrors(name))),
        ...unless(apiGroup === '', () => notSupported(`${path}.apiGroup`, apiGroup, [''])),
        ...unless(isNamespaced || !!namespace, () => required(`${path}.namespace`)),
      ];
    case 'User':
    case 'Group':
      return [
        ...errors,
        ...unless(apiGroup === RBAC_GROUP, () => notSupported(`${path}.apiGroup`, apiGroup, [RBAC_GROUP])),
      ];
    default:
      return [...errors, notSupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}

/** A binding grants the same role for ever: who may edit its subjects must not gain another role's rights. */
export function validateBindingUpdate(next: AnyBinding, previous: AnyBinding): FieldError[] {
  return unless(jsonEqual(next.roleRef, previous.roleRef), () =>
    invalidShown('roleRef', goRoleRef(next.roleRef ?? {}), 'cannot change roleRef'),
  );
}

function goRoleRef({ apiGroup = '', kind, name = '' }: Loose<RoleRef>): string {
  const quoted = (text: string): string => JSON.stringify(text);
  return `rbac.RoleRef{APIGroup:${quoted(apiGroup)}, Kind:${quoted(kind ?? '')}, Name:${quoted(name)}}`;
}
