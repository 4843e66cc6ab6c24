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

type AnyBinding = RoleBinding | ClusterRoleBinding;

/** One subject of one binding. */
interface Grant {
  readonly binding: AnyBinding;
  readonly subject: Subject;
  readonly roleKey: string;
}

/** The rules of one role that a subject has in one place, and the bindings they come from; one is enough. */
type Grants = Map<string, Grant[]>;

/** `''` holds what counts everywhere. */
type GrantsByNamespace = Map<string, Grants>;

const EVERYWHERE = '';
const NO_RULES: readonly PolicyRule[] = [];

/**
 * Roles and bindings by whom they concern, so that a decision looks at the asker's own rules only and its cost does not grow with
 * the bindings of others. Fed with every object and every change; a binding whose role is absent grants nothing until it is there.
 */
export class RbacIndex {
  readonly #roles = new Map<string, readonly PolicyRule[]>();
  readonly #grants = new Map<string, GrantsByNamespace>();

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
      for (const role of places?.get(EVERYWHERE)?.keys() ?? []) roles.add(role);
      if (namespace) for (const role of places?.get(namespace)?.keys() ?? []) roles.add(role);
    }
    return [...roles].flatMap((role) => this.#roles.get(role) ?? NO_RULES);
  }

  /** The rules of a role; undefined when there is none. */
  rulesOf(ref: AnyBinding['roleRef'], namespace: string | undefined): readonly PolicyRule[] | undefined {
    return this.#roles.get(roleKey(ref, namespace));
  }

  #allowing(grants: Grants | undefined, ask: Ask): Grant | undefined {
    if (grants === undefined) return undefined;
    for (const [role, [grant]] of grants) {
      const rules = this.#roles.get(role) ?? NO_RULES;
      for (const rule of rules) if (ruleAllows(rule, ask)) return grant;
    }
    return undefined;
  }

  #add(object: KubeObject): void {
    if (isRole(object)) this.#roles.set(keyOfRole(object), object.rules ?? NO_RULES);
    if (!isBinding(object)) return;
    for (const [key, place, grant] of grantsOf(object)) {
      const places = at(this.#grants, key, () => new Map<string, Grants>());
      at(
        at(places, place, () => new Map<string, Grant[]>()),
        grant.roleKey,
        () => [],
      ).push(grant);
    }
  }

  #remove(object: KubeObject): void {
    if (isRole(object)) this.#roles.delete(keyOfRole(object));
    if (!isBinding(object)) return;
    for (const [key, place, { roleKey: role }] of grantsOf(object)) {
      const places = this.#grants.get(key);
      const grants = places?.get(place);
      const left = (grants?.get(role) ?? []).filter((g) => g.binding.metadata.uid !== object.metadata.uid);
      if (left.length > 0) grants?.set(role, left);
      else grants?.delete(role);
      if (grants?.size === 0) places?.delete(place);
      if (places?.size === 0) this.#grants.delete(key);
    }
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
