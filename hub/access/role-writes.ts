import { isRecord, jsonEqual } from '../../protocol/json.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { type PolicyRule, RBAC_GROUP, type RoleRef } from '../../protocol/kinds/rbac.ts';
import { ApiError, notFound } from '../../protocol/status.ts';
import { type Ask, type Asker, MASTERS } from '../decide/authorize.ts';
import { escalationText, FULL_AUTHORITY, missingRights } from '../decide/escalation.ts';

/** What the rules about writing roles need to know. */
export interface Rights {
  may(asker: Asker, ask: Ask): boolean;
  rulesFor(asker: Asker, namespace: string | undefined): PolicyRule[];
  rulesOf(ref: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined;
}

/** A role or binding as its writer sent it: checked against the schema, not yet validated. */
type Written = KubeObject & {
  rules?: PolicyRule[] | null;
  roleRef?: Partial<RoleRef>;
  aggregationRule?: unknown;
};

const PLURALS: Readonly<Record<string, string>> = { Role: 'roles', ClusterRole: 'clusterroles' };

/** Refuses a role with rights its writer lacks, unless it may `escalate`; `previous` is absent on creation. Throws Forbidden. */
export function checkRole(rights: Rights, asker: Asker, role: Written, previous?: Written): void {
  const { namespace, name } = role.metadata;
  const resource = PLURALS[role.kind] ?? '';
  const ask = { verb: 'escalate', group: RBAC_GROUP, resource, ...where(namespace) };
  if (asker.groups.includes(MASTERS)) return;
  if (rights.may(asker, previous === undefined ? ask : { ...ask, name })) return;
  if (previous !== undefined && isOwnershipOnly(role, previous)) return;
  const held = rights.rulesFor(asker, namespace);
  const missing = missingRights(held, wellFormed(role.rules));
  if (missing.length > 0) throw refused(resource, name, escalationText(asker, missing));
  // An aggregating role may gather anything there is or will be.
  const aggregates = role.aggregationRule !== undefined || previous?.aggregationRule !== undefined;
  if (aggregates && missingRights(held, FULL_AUTHORITY).length > 0)
    throw refused(resource, name, 'must have cluster-admin privileges to use an aggregationRule');
}

/** Refuses a binding to a role with rights its writer lacks, unless it may `bind` that role. Throws Forbidden, NotFound. */
export function checkBinding(rights: Rights, asker: Asker, binding: Written, previous?: Written): void {
  const { namespace, name } = binding.metadata;
  if (asker.groups.includes(MASTERS)) return;
  if (previous !== undefined && isOwnershipOnly(binding, previous)) return;
  const { kind, name: roleName = '' } = binding.roleRef ?? {};
  // Validation refuses it.
  if (kind === undefined || PLURALS[kind] === undefined || roleName === '') return;
  const resource = PLURALS[kind];
  const ask = { verb: 'bind', group: RBAC_GROUP, resource, name: roleName, ...where(namespace) };
  if (rights.may(asker, ask)) return;
  const rules = rights.rulesOf({ apiGroup: RBAC_GROUP, kind, name: roleName }, namespace);
  if (rules === undefined) throw notFound({ plural: resource, group: RBAC_GROUP, kind }, roleName);
  const missing = missingRights(rights.rulesFor(asker, namespace), rules);
  if (missing.length > 0)
    throw refused(`${binding.kind.toLowerCase()}s`, name, escalationText(asker, missing));
}

const where = (namespace: string | undefined): { namespace?: string } => (namespace ? { namespace } : {});

/** What is malformed beyond the schema is validation's to refuse. */
function wellFormed(rules: Written['rules']): PolicyRule[] {
  return (rules ?? []).filter((rule) => isRecord(rule) && Array.isArray(rule.verbs));
}

/** What the garbage controller and its like change; it gives nobody a right. */
function isOwnershipOnly(next: KubeObject, previous: KubeObject): boolean {
  const bare = (object: KubeObject): unknown => ({
    ...object,
    metadata: {
      ...object.metadata,
      ownerReferences: undefined,
      finalizers: undefined,
      managedFields: undefined,
      resourceVersion: undefined,
    },
  });
  return jsonEqual(bare(next), bare(previous));
}

function refused(resource: string, name: string | undefined, why: string): ApiError {
  const details = { ...(name ? { name } : {}), group: RBAC_GROUP, kind: resource };
  return new ApiError('Forbidden', `${resource}.${RBAC_GROUP} "${name ?? ''}" is forbidden: ${why}`, details);
}
