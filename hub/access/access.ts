import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { PolicyRule } from '../../protocol/kinds/rbac.ts';
import type { ClusterView } from '../cluster.ts';
import { type Ask, type Asker, MASTERS } from '../decide/authorize.ts';
import { FULL_AUTHORITY, missingRights } from '../decide/escalation.ts';
import { nodeMay, nodeOfAsker } from '../decide/node-rights.ts';
import { RbacIndex } from './rbac-index.ts';
import { checkBinding, checkRole, type Rights } from './role-writes.ts';

const KINDS = ['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'] as const;

/** The part of the view that rights are read from. */
export type AccessView = Pick<ClusterView, 'get' | 'list' | 'podsOnNode' | 'subscribe'>;

/** Looks at writes of one kind; the shape the API asks for. */
export interface AccessWriteRule {
  create(asker: Asker, object: KubeObject, namespace: string): KubeObject | Promise<KubeObject>;
  update(
    asker: Asker,
    object: KubeObject,
    previous: KubeObject,
    part: 'spec' | 'status' | 'approval',
  ): KubeObject;
}

/**
 * Who may do what: members of system:masters everything, devices what belongs to their node, and everybody what roles grant.
 * Reads nothing but memory; roles and bindings count from the moment they are durable.
 */
export class Access implements Rights {
  readonly #view: AccessView;
  readonly #index = new RbacIndex();
  readonly #facts: Parameters<typeof nodeMay>[2];
  #unsubscribe: (() => void) | undefined;

  constructor(view: AccessView) {
    this.#view = view;
    this.#facts = {
      pod: (namespace, name) => view.get('Pod', namespace, name),
      podsOnNode: (name) => view.podsOnNode(name),
    };
  }

  /** Takes over what is there and follows every change. */
  start(): void {
    for (const kind of KINDS)
      for (const object of this.#view.list(kind)) this.#index.apply(object, undefined);
    this.#unsubscribe = this.#view.subscribe(({ type, object, previous }) =>
      this.#index.apply(type === 'deleted' ? undefined : object, previous ?? gone(type, object)),
    );
  }

  stop(): void {
    this.#unsubscribe?.();
  }

  /** The decision for a request. Never throws. */
  may(asker: Asker, ask: Ask): boolean {
    return asker.groups.includes(MASTERS) || this.#asNode(asker, ask) || this.#index.allows(asker, ask);
  }

  /** What allows it, in the words of reviews; empty for masters and nodes, undefined when nothing does. */
  reason(asker: Asker, ask: Ask): string | undefined {
    if (asker.groups.includes(MASTERS) || this.#asNode(asker, ask)) return '';
    return this.#index.reason(asker, ask);
  }

  rulesFor(asker: Asker, namespace: string | undefined): PolicyRule[] {
    const rules = this.#index.rulesFor(asker, namespace);
    if (!asker.groups.includes(MASTERS)) return rules;
    return [...missingRights(rules, FULL_AUTHORITY), ...rules];
  }

  /** Why `rulesFor` is not the whole truth for this asker; undefined when it is. */
  gap(asker: Asker): string | undefined {
    return nodeOfAsker(asker) === undefined
      ? undefined
      : 'node authorizer does not support user rule resolution';
  }

  rulesOf(...args: Parameters<Rights['rulesOf']>): ReturnType<Rights['rulesOf']> {
    return this.#index.rulesOf(...args);
  }

  /** The rules about writing roles and bindings, by kind. */
  roleRules(): Map<string, AccessWriteRule> {
    const checked = (check: typeof checkRole): AccessWriteRule => ({
      create: (asker, object) => {
        check(this, asker, object);
        return object;
      },
      update: (asker, object, previous) => {
        check(this, asker, object, previous);
        return object;
      },
    });
    return new Map([
      ['Role', checked(checkRole)],
      ['ClusterRole', checked(checkRole)],
      ['RoleBinding', checked(checkBinding)],
      ['ClusterRoleBinding', checked(checkBinding)],
    ]);
  }

  #asNode(asker: Asker, ask: Ask): boolean {
    const node = nodeOfAsker(asker);
    return node !== undefined && nodeMay(node, ask, this.#facts);
  }
}

/** A deletion tells its last state only. */
function gone(type: string, object: KubeObject): KubeObject | undefined {
  return type === 'deleted' ? object : undefined;
}
