import type { Logger } from '../../kit/logger.ts';
import type { ClusterRole, PolicyRule } from '../../protocol/kinds/rbac.ts';
import type { ClusterClient, ClusterView } from '../cluster.ts';
import { DEFAULT_BINDINGS, DEFAULT_ROLES, type DefaultRole } from '../decide/default-roles.ts';
import { aggregatedRules, reconcileBinding, reconcileRole } from '../decide/reconcile-role.ts';

/** Where the default roles are read and written. */
export interface DefaultRolesDeps {
  readonly view: Pick<ClusterView, 'get'>;
  readonly client: Pick<ClusterClient, 'create' | 'modify' | 'delete'>;
  readonly log: Logger;
}

/**
 * Makes the default roles and bindings that are absent and completes those that lack something; resolves to how many it wrote. A hub
 * that starts again writes nothing. Rejects with ApiError.
 */
export async function ensureDefaultRoles(deps: DefaultRolesDeps): Promise<number> {
  const rulesOf = initialRules();
  const roles = DEFAULT_ROLES.map((role) => ensureRole(deps, role, rulesOf.get(role.name) ?? []));
  const bindings = DEFAULT_BINDINGS.map((binding) => ensureBinding(deps, binding));
  const written = (await Promise.all([...roles, ...bindings])).filter((did) => did).length;
  if (written > 0) deps.log.info('default roles written', { written });
  return written;
}

/** The rules of every default role, aggregated ones as their controller would fill them; inner ones first. */
function initialRules(): ReadonlyMap<string, readonly PolicyRule[]> {
  const rules = new Map<string, readonly PolicyRule[]>(DEFAULT_ROLES.map((r) => [r.name, r.rules]));
  for (const name of ['view', 'edit', 'admin']) {
    const { aggregates = {} } = DEFAULT_ROLES.find((role) => role.name === name) ?? {};
    const all = DEFAULT_ROLES.map((role) => roleLike(role, rules.get(role.name) ?? []));
    rules.set(name, aggregatedRules({ name, selectors: [{ matchLabels: { ...aggregates } }] }, all));
  }
  return rules;
}

function roleLike(
  { name, labels }: DefaultRole,
  rules: readonly PolicyRule[],
): Pick<ClusterRole, 'metadata' | 'rules'> {
  const metadata = { name, uid: '', resourceVersion: '', creationTimestamp: '', labels: { ...labels } };
  return { metadata, rules: [...rules] };
}

async function ensureRole(
  { view, client }: DefaultRolesDeps,
  wanted: DefaultRole,
  aggregated: readonly PolicyRule[],
): Promise<boolean> {
  const step = reconcileRole(wanted, view.get('ClusterRole', '', wanted.name), aggregated);
  if (step.do === 'nothing') return false;
  if (step.do === 'create') await client.create('ClusterRole', step.object);
  else
    await client.modify('ClusterRole', '', wanted.name, (draft) => {
      Object.assign(draft, structuredClone(step.object));
      return true;
    });
  return true;
}

async function ensureBinding(
  { view, client }: DefaultRolesDeps,
  wanted: (typeof DEFAULT_BINDINGS)[number],
): Promise<boolean> {
  const name = wanted.role;
  const present = view.get('ClusterRoleBinding', '', name);
  const step = reconcileBinding(wanted, present);
  if (step.do === 'nothing') return false;
  if (step.do === 'update' && present?.roleRef.name === name) {
    await client.modify('ClusterRoleBinding', '', name, (draft) => {
      Object.assign(draft, structuredClone(step.object));
      return true;
    });
    return true;
  }
  // The role of a binding cannot be changed: a default binding to another role is made anew.
  if (present !== undefined) await client.delete('ClusterRoleBinding', '', name);
  const { labels = {}, annotations = {} } = step.object.metadata;
  const { roleRef, subjects = [] } = step.object;
  await client.create('ClusterRoleBinding', { metadata: { name, labels, annotations }, roleRef, subjects });
  return true;
}
