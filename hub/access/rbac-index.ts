import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../protocol/kinds/rbac.ts';
import {
  type Ask,
  type Asker,
  allowedBy,
  askerKeys,
  roleKey,
  ruleAllows,
  subjectKey,
} from '../decide/authorize.ts';
import { RuleIndex } from './rule-index.ts';

type AnyBinding = RoleBinding | ClusterRoleBinding;

/** One subject of one binding. */
interface Grant {
  readonly binding: AnyBinding;
  readonly subject: Subject;
  readonly roleKey: string;
}

/** What a subject has in one place: roles, and for each the bindings it comes from, of which one is enough. */
interface Grants {
  readonly byRole: Map<string, Grant[]>;
  /** Made when first needed, forgotten when a role or binding changes. */
  index?: RuleIndex<Grant> | undefined;
}

/** `''` holds what counts everywhere. */
type GrantsByNamespace = Map<string, Grants>;

const EVERYWHERE = '';
const NO_RULES: readonly PolicyRule[] = [];
/** As many roles are read one after the other as quickly as an index is asked, and an index takes memory. */
const READ_ROLES = 16;

/**
 * Roles and bindings by whom they concern, so that a decision looks at the asker's own rules only and its cost does not grow with
 * the bindings of others. Fed with every object and every change; a binding whose role is absent grants nothing until it is there.
 */
export class RbacIndex {
  readonly #roles = new Map<string, readonly PolicyRule[]>();
  readonly #grants = new Map<string, GrantsByNamespace>();
  /** Who has a role. */
  readonly #holders = new Map<string, Set<Grants>>();
  readonly #readRoles: number;

  /** Whoever has more than `readRoles` roles in one place gets an index of their rules. */
  constructor(readRoles = READ_ROLES) {
    this.#readRoles = readRoles;
  }

  /** Takes one object in or out; other kinds are ignored. `previous` is what was there under its name. */
  apply(object: KubeObject | undefined, previous: KubeObject | undefined): void {
    if (previous !== undefined) this.#remove(previous);
    if (object !== undefined) this.#add(object);
  }

  /** True when a rule of the asker allows it. */
  allows(asker: Asker, ask: Ask): boolean {
    return this.#grant(asker, ask) !== undefined;
  }

  /** Why the asker may, in the words of reviews; undefined when no rule allows it. */
  reason(asker: Asker, ask: Ask): string | undefined {
    const found = this.#grant(asker, ask);
    return found && allowedBy(found.binding, found.binding.kind, found.subject);
  }

  #grant(asker: Asker, ask: Ask): Grant | undefined {
    const namespace = 'path' in ask ? undefined : ask.namespace;
    for (const key of askerKeys(asker)) {
      const places = this.#grants.get(key);
      if (places === undefined) continue;
      const found =
        this.#allowing(places.get(EVERYWHERE), ask) ??
        (namespace ? this.#allowing(places.get(namespace), ask) : undefined);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** All rules of the asker: those that count everywhere, and those of `namespace` when it is given. */
  rulesFor(asker: Asker, namespace: string | undefined): PolicyRule[] {
    const roles = new Set<string>();
    for (const key of askerKeys(asker)) {
      const places = this.#grants.get(key);
      for (const role of places?.get(EVERYWHERE)?.byRole.keys() ?? []) roles.add(role);
      if (namespace) for (const role of places?.get(namespace)?.byRole.keys() ?? []) roles.add(role);
    }
    return [...roles].flatMap((role) => this.#roles.get(role) ?? NO_RULES);
  }

  /** The rules of a role; undefined when there is none. */
  rulesOf(ref: AnyBinding['roleRef'], namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#roles.get(roleKey(ref, namespace));
  }

  #allowing(grants: Grants | undefined, ask: Ask): Grant | undefined {
    if (grants === undefined) return undefined;
    if (grants.byRole.size > this.#readRoles) {
      grants.index ??= this.#indexOf(grants);
      return grants.index.find(ask);
    }
    for (const [role, [grant]] of grants.byRole) {
      const rules = this.#roles.get(role) ?? NO_RULES;
      for (const rule of rules) if (ruleAllows(rule, ask)) return grant;
    }
    return undefined;
  }

  #indexOf(grants: Grants): RuleIndex<Grant> {
    const index = new RuleIndex<Grant>();
    for (const [role, [grant]] of grants.byRole) {
      if (grant === undefined) continue;
      for (const rule of this.#roles.get(role) ?? NO_RULES) index.add(rule, grant);
    }
    return index;
  }

  #add(object: KubeObject): void {
    if (isRole(object)) this.#setRole(keyOfRole(object), object.rules ?? NO_RULES);
    if (!isBinding(object)) return;
    for (const [key, place, grant] of grantsOf(object)) {
      const places = at(this.#grants, key, () => new Map<string, Grants>());
      const grants = at(places, place, (): Grants => ({ byRole: new Map() }));
      at(grants.byRole, grant.roleKey, () => []).push(grant);
      at(this.#holders, grant.roleKey, () => new Set<Grants>()).add(grants);
      grants.index = undefined;
    }
  }

  #remove(object: KubeObject): void {
    if (isRole(object)) this.#setRole(keyOfRole(object), undefined);
    if (!isBinding(object)) return;
    for (const [key, place, { roleKey: role }] of grantsOf(object)) {
      const places = this.#grants.get(key);
      const grants = places?.get(place);
      if (places === undefined || grants === undefined) continue;
      grants.index = undefined;
      const left = (grants.byRole.get(role) ?? []).filter(
        (g) => g.binding.metadata.uid !== object.metadata.uid,
      );
      if (left.length > 0) grants.byRole.set(role, left);
      else this.#release(role, grants);
      if (grants.byRole.size === 0) places.delete(place);
      if (places.size === 0) this.#grants.delete(key);
    }
  }

  #setRole(key: string, rules: readonly PolicyRule[] | undefined): void {
    if (rules === undefined) this.#roles.delete(key);
    else this.#roles.set(key, rules);
    for (const grants of this.#holders.get(key) ?? []) grants.index = undefined;
  }

  #release(role: string, grants: Grants): void {
    grants.byRole.delete(role);
    const holders = this.#holders.get(role);
    holders?.delete(grants);
    if (holders?.size === 0) this.#holders.delete(role);
  }
}

function* grantsOf(binding: AnyBinding): Generator<[key: string, place: string, Grant]> {
  const { namespace } = binding.metadata;
  for (const subject of binding.subjects ?? []) {
    const key = subjectKey(subject, namespace);
    if (key === undefined) continue;
    const grant = { binding, subject, roleKey: roleKey(binding.roleRef, namespace) };
    yield [key, namespace ?? EVERYWHERE, grant];
  }
}

/** Kinds of other groups may have the same names: what users define must never count as a role or binding. */
function isOurs(object: KubeObject): boolean {
  return object.apiVersion.startsWith('rbac.authorization.k8s.io/');
}

function isRole(object: KubeObject): object is Role | ClusterRole {
  return isOurs(object) && (object.kind === 'Role' || object.kind === 'ClusterRole');
}

function isBinding(object: KubeObject): object is AnyBinding {
  return isOurs(object) && (object.kind === 'RoleBinding' || object.kind === 'ClusterRoleBinding');
}

function keyOfRole({ kind, metadata }: Role | ClusterRole): string {
  return roleKey({ kind, name: metadata.name }, metadata.namespace);
}

function at<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const held = map.get(key);
  if (held !== undefined) return held;
  const made = make();
  map.set(key, made);
  return made;
}
