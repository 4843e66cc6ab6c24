import type { KindMap, KindName } from '../../protocol/kinds/kind-map.ts';
import type { KubeObject, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { ClusterClient, ClusterView } from '../cluster.ts';

/** Objects of the namespace that have no controller, found by index: what an owner may adopt. */
export function orphansIn<K extends KindName>(
  view: Pick<ClusterView, 'ownedBy'>,
  kind: K,
  namespace: string | undefined,
): readonly KindMap[K][] {
  return view.ownedBy(kind, '').filter((object) => object.metadata.namespace === namespace);
}

/** Makes `owner` the controller of an object that has none by then; does nothing when it is gone, another, or owned meanwhile. */
export async function adoptObject(
  client: Pick<ClusterClient, 'modify'>,
  kind: KindName,
  owner: KubeObject,
  { metadata: { namespace = '', name, uid } }: KubeObject,
): Promise<void> {
  await client.modify(kind, namespace, name, ({ metadata }) => {
    const references = metadata.ownerReferences ?? [];
    if (metadata.uid !== uid || metadata.deletionTimestamp !== undefined) return false;
    if (references.some((o) => o.controller === true)) return false;
    metadata.ownerReferences = [
      ...references.filter((o) => o.uid !== owner.metadata.uid),
      controllerReference(owner),
    ];
    return true;
  });
}

/** Takes the reference to `owner` off an object. */
export async function releaseObject(
  client: Pick<ClusterClient, 'modify'>,
  kind: KindName,
  owner: KubeObject,
  { metadata: { namespace = '', name } }: KubeObject,
): Promise<void> {
  await client.modify(kind, namespace, name, ({ metadata }) => {
    const left = (metadata.ownerReferences ?? []).filter((o) => o.uid !== owner.metadata.uid);
    if (left.length === (metadata.ownerReferences ?? []).length) return false;
    if (left.length > 0) metadata.ownerReferences = left;
    else delete metadata.ownerReferences;
    return true;
  });
}

/** The reference that makes `owner` the controller of what carries it. */
export function controllerReference({ apiVersion, kind, metadata }: KubeObject): OwnerReference {
  const { name, uid } = metadata;
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
