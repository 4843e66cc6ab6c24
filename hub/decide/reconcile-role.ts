import { jsonEqual } from '../../protocol/json.ts';
import type { KubeObject, LabelSelector } from '../../protocol/kinds/meta.ts';
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../protocol/kinds/rbac.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { DefaultBinding, DefaultRole } from './default-roles.ts';
import { missingRights } from './escalation.ts';

const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';
const LABELS = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
const ANNOTATIONS = { [AUTOUPDATE]: 'true' };

/** What a default object needs: nothing, to be made, or to be changed. */
export type Reconciled<T> =
  | { readonly do: 'nothing' }
  | { readonly do: 'create' | 'update'; readonly object: T };

type Content<T extends KubeObject> = Pick<T, Exclude<keyof T, 'metadata' | 'apiVersion' | 'kind'>> & {
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
};
type RoleContent = Content<ClusterRole>;
type BindingContent = Content<ClusterRoleBinding>;

/**
 * Brings a default role up to date as Kubernetes does at start: what is missing is added, what people added stays, and a role whose
 * annotation `autoupdate` is `false` is theirs. `aggregated` are the rules it has when it is made. Pure.
 */
export function reconcileRole(
  wanted: DefaultRole,
  present: ClusterRole | undefined,
  aggregated: readonly PolicyRule[],
): Reconciled<RoleContent> {
  const { name, aggregates } = wanted;
  const selectors = aggregates === undefined ? [] : [{ matchLabels: { ...aggregates } }];
  if (present === undefined) {
    const rules = [...(aggregates === undefined ? wanted.rules : aggregated)];
    const metadata = { name, labels: { ...LABELS, ...wanted.labels }, annotations: { ...ANNOTATIONS } };
    const rule = aggregates === undefined ? {} : { aggregationRule: { clusterRoleSelectors: selectors } };
    return { do: 'create', object: { metadata, rules, ...rule } };
  }
  if (present.metadata.annotations?.[AUTOUPDATE] === 'false') return { do: 'nothing' };
  const held = present.aggregationRule?.clusterRoleSelectors ?? [];
  const added = selectors.filter((selector) => !held.some((h) => jsonEqual(h, selector)));
  const next: RoleContent = {
    ...present,
    metadata: marked(present, wanted.labels),
    rules: [...(present.rules ?? []), ...missingRights(present.rules ?? [], wanted.rules)],
    ...(held.length + added.length === 0
      ? {}
      : { aggregationRule: { clusterRoleSelectors: [...held, ...added] } }),
  };
  return changed(present, next);
}

/**
 * As `reconcileRole`: missing subjects are added. A binding to another role is replaced by the caller, who sees it by
 * `roleRef`, which cannot be updated. Pure.
 */
export function reconcileBinding(
  wanted: DefaultBinding,
  present: ClusterRoleBinding | undefined,
): Reconciled<BindingContent> {
  const { role } = wanted;
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role } as const;
  if (present === undefined) {
    const metadata = { name: role, labels: { ...LABELS }, annotations: { ...ANNOTATIONS } };
    return { do: 'create', object: { metadata, roleRef, subjects: [...wanted.subjects] } };
  }
  if (present.metadata.annotations?.[AUTOUPDATE] === 'false') return { do: 'nothing' };
  const held = present.subjects ?? [];
  const added = wanted.subjects.filter((subject) => !held.some((h) => jsonEqual(h, subject)));
  const next = { ...present, metadata: marked(present, {}), roleRef, subjects: [...held, ...added] };
  return changed(present, next);
}

function marked(present: KubeObject, labels: DefaultRole['labels']): KubeObject['metadata'] {
  const { metadata } = present;
  return {
    ...metadata,
    labels: { ...metadata.labels, ...LABELS, ...labels },
    annotations: { ...metadata.annotations, ...ANNOTATIONS },
  };
}

function changed<T extends object>(present: KubeObject, object: T): Reconciled<T> {
  return jsonEqual(present, object) ? { do: 'nothing' } : { do: 'update', object };
}

/** What the rules of an aggregating role must be: those of all roles it selects, by name, each rule once. Pure. */
export function aggregatedRules(
  role: { readonly name: string; readonly selectors: readonly LabelSelector[] },
  all: readonly Pick<ClusterRole, 'metadata' | 'rules'>[],
): PolicyRule[] {
  const rules: PolicyRule[] = [];
  const seen = new Set<string>();
  for (const other of all.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    if (other.metadata.name === role.name) continue;
    if (!role.selectors.some((selector) => selectorMatches(selector, other.metadata.labels))) continue;
    for (const rule of other.rules ?? []) {
      const text = JSON.stringify(rule);
      if (!seen.has(text)) rules.push(rule);
      seen.add(text);
    }
  }
  return rules;
}
