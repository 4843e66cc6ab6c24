import type { Pod } from '../../protocol/kinds/pod.ts';
import { podReferences } from '../decide/assignment.ts';

/** What pods can refer to and devices are given. */
export type ReferencedKind = 'ConfigMap' | 'Secret';

/**
 * Which nodes have pods that refer to a ConfigMap or Secret: one that changes is asked for with every write of it, and most
 * concern no pod at all. Says what looking at every bound pod would say.
 */
export class ReferenceIndex {
  /** Pods by what they refer to: uid → node. */
  readonly #users = new Map<string, Map<string, string>>();

  /** A bound pod is there, or has left; others count for nothing. */
  note(pod: Pod, isThere: boolean): void {
    const { uid, namespace = '' } = pod.metadata;
    const { nodeName } = pod.spec;
    if (nodeName === undefined) return;
    const { configMaps, secrets } = podReferences(pod.spec);
    for (const name of configMaps) this.#set(keyOf('ConfigMap', namespace, name), uid, nodeName, isThere);
    for (const name of secrets) this.#set(keyOf('Secret', namespace, name), uid, nodeName, isThere);
  }

  /** The nodes that need the object, each once. */
  nodesUsing(kind: ReferencedKind, namespace: string, name: string): ReadonlySet<string> {
    return new Set(this.#users.get(keyOf(kind, namespace, name))?.values());
  }

  #set(key: string, uid: string, nodeName: string, isThere: boolean): void {
    const users = this.#users.get(key);
    if (!isThere) {
      users?.delete(uid);
      if (users?.size === 0) this.#users.delete(key);
    } else if (users === undefined) this.#users.set(key, new Map([[uid, nodeName]]));
    else users.set(uid, nodeName);
  }
}

const keyOf = (kind: ReferencedKind, namespace: string, name: string): string =>
  `${kind}/${namespace}/${name}`;
