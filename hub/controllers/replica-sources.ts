import type { ReplicaOwner, ReplicaSetStatus } from '../../protocol/kinds/workloads.ts';
import { asReplicaOwner } from '../decide/replica-owner.ts';
import { type LoopDeps, tolerant } from '../loop.ts';

/** Where a replica controller finds its objects, and where it writes their status. */
export interface ReplicaSource {
  /** Name of the controller in the log. */
  readonly name: string;
  readonly kind: 'ReplicaSet' | 'ReplicationController';
  get(namespace: string, name: string): ReplicaOwner | undefined;
  byUid(uid: string): ReplicaOwner | undefined;
  list(namespace: string | undefined): readonly ReplicaOwner[];
  /** Resolves also when the object is gone or newer: the change calls for another pass. */
  writeStatus(uid: string, status: ReplicaSetStatus): Promise<void>;
}

type Deps = Pick<LoopDeps, 'view' | 'client'>;

/** The ReplicaSets, as they are. */
export function replicaSets({ view, client }: Deps): ReplicaSource {
  return {
    name: 'replica-set',
    kind: 'ReplicaSet',
    get: (namespace, name) => view.get('ReplicaSet', namespace, name),
    byUid: (uid) => view.byUid('ReplicaSet', uid),
    list: (namespace) => view.list('ReplicaSet', namespace),
    writeStatus: async (uid, status) => {
      const seen = view.byUid('ReplicaSet', uid);
      if (seen !== undefined) await tolerant(client.updateStatus('ReplicaSet', { ...seen, status }));
    },
  };
}

/** The ReplicationControllers, each shown as a ReplicaSet; as in Kubernetes the same controller looks after both. */
export function replicationControllers({ view, client }: Deps): ReplicaSource {
  const kind = 'ReplicationController';
  return {
    name: 'replication-controller',
    kind,
    get: (namespace, name) => {
      const found = view.get(kind, namespace, name);
      return found === undefined ? undefined : asReplicaOwner(found);
    },
    byUid: (uid) => {
      const found = view.byUid(kind, uid);
      return found === undefined ? undefined : asReplicaOwner(found);
    },
    list: (namespace) => view.list(kind, namespace).flatMap((found) => asReplicaOwner(found) ?? []),
    writeStatus: async (uid, status) => {
      const seen = view.byUid(kind, uid);
      if (seen !== undefined) await tolerant(client.updateStatus(kind, { ...seen, status }));
    },
  };
}
