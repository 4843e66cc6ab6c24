import type { ClusterRoleBinding, RoleBinding } from '../../protocol/kinds/rbac.ts';
import { bindsDefault } from './admit-token.ts';

/** Kinds of objects that give rights. */
const BINDINGS: readonly string[] = ['RoleBinding', 'ClusterRoleBinding'];

/**
 * In which namespaces a binding names the account `default`, asked with every pod of that account and looked up once until a binding
 * changes. Must hear of every change of the state it is asked about.
 */
export class DefaultRights {
  readonly #known = new Map<string, boolean>();

  /** `bindings`: of the namespace and of the cluster; read only when nothing is known. */
  has(namespace: string, bindings: () => Iterable<RoleBinding | ClusterRoleBinding>): boolean {
    const known = this.#known.get(namespace);
    if (known !== undefined) return known;
    const found = bindsDefault(bindings(), namespace);
    this.#known.set(namespace, found);
    return found;
  }

  /** An object of this kind has changed, come or gone. */
  take(kind: string): void {
    if (BINDINGS.includes(kind)) this.#known.clear();
  }

  /** What was heard of is not so. */
  forget(): void {
    this.#known.clear();
  }
}
