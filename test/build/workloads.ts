import { newReplicaSet, POD_TEMPLATE_HASH, podTemplateHash } from '../../hub/decide/revisions.ts';
import type { RolloutAction, RolloutMember } from '../../hub/decide/rollout.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type {
  Deployment,
  DeploymentSpec,
  PodTemplateSpec,
  ReplicaSet,
} from '../../protocol/kinds/workloads.ts';

const CREATED = '2026-01-01T00:00:00Z';

/** A template that differs by its image alone. */
export function template(image: string): PodTemplateSpec {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } };
}

/** A deployment `web` of one image; parts of its spec replaced at will. */
export function deployment(image: string, spec: Partial<DeploymentSpec> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'd',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: CREATED,
    },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: template(image),
      ...spec,
    },
  };
}

/** A ReplicaSet of the deployment for one image. */
export function replicaSet(
  image: string,
  replicas: number,
  annotations: Record<string, string> = {},
  createdAtS = 0,
): ReplicaSet {
  const hash = podTemplateHash(template(image), 0);
  const labels = { app: 'web', [POD_TEMPLATE_HASH]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${hash}`,
      namespace: 'default',
      uid: `rs-${image}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: new Date(Date.parse(CREATED) + createdAtS * 1000).toISOString(),
      annotations,
    },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { ...template(image), metadata: { labels } },
    },
  };
}

/** A member whose pods are as many as it says; all of them ready and available unless said otherwise. */
export function member(rs: ReplicaSet, parts: Partial<Omit<RolloutMember, 'rs'>> = {}): RolloutMember {
  const active = parts.active ?? rs.spec.replicas ?? 0;
  return { rs, active, ready: active, available: active, running: active, ...parts };
}

/** Members after the actions were carried out, before any pod was made or removed. */
export function applyActions(
  wanted: Deployment,
  members: readonly RolloutMember[],
  actions: readonly RolloutAction[],
  ageS: number,
): RolloutMember[] {
  let next = [...members];
  for (const action of actions) {
    if (action.do === 'create') {
      const image = wanted.spec.template.spec.containers[0]?.image ?? '';
      next.push(
        member(replicaSet(image, action.replicas, action.annotations, ageS), {
          active: 0,
          ready: 0,
          available: 0,
          running: 0,
        }),
      );
    }
    if (action.do === 'delete') next = next.filter((m) => m.rs.metadata.name !== action.name);
    if (action.do === 'scale')
      next = next.map((m) => (m.rs.metadata.name === action.name ? scaled(m, action) : m));
    if (action.do === 'set-revision') {
      wanted.metadata.annotations = {
        ...wanted.metadata.annotations,
        'deployment.kubernetes.io/revision': String(action.revision),
      };
    }
  }
  return next;
}

function scaled(m: RolloutMember, action: RolloutAction & { do: 'scale' }): RolloutMember {
  const annotations = { ...m.rs.metadata.annotations, ...action.annotations };
  const rs = {
    ...m.rs,
    metadata: { ...m.rs.metadata, annotations },
    spec: { ...m.rs.spec, replicas: action.replicas },
  };
  return { ...m, rs };
}

/** The ReplicaSet controller and the devices have caught up: as many pods as asked for, all available. */
export function settled(members: readonly RolloutMember[]): RolloutMember[] {
  return members.map((m) => member(m.rs));
}

/** The member of the deployment's present template. */
export function freshOf(wanted: Deployment, members: readonly RolloutMember[]): RolloutMember | undefined {
  const rs = newReplicaSet(
    wanted,
    members.map((m) => m.rs),
  );
  return members.find((m) => m.rs === rs);
}

/** A pod, bound and running unless said otherwise. */
export function pod(
  name: string,
  parts: {
    node?: string;
    ready?: boolean;
    readySince?: string;
    phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
    deleting?: boolean;
    created?: string;
    labels?: Record<string, string>;
    owner?: string;
    tolerations?: Pod['spec']['tolerations'];
    restarts?: number;
    scheduled?: boolean;
  } = {},
): Pod {
  const ready = parts.ready ?? true;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: name,
      resourceVersion: '1',
      creationTimestamp: parts.created ?? CREATED,
      ...(parts.deleting === true ? { deletionTimestamp: CREATED } : {}),
      ...(parts.labels ? { labels: parts.labels } : {}),
      ...(parts.owner === undefined
        ? {}
        : {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs', uid: parts.owner, controller: true },
            ],
          }),
    },
    spec: {
      containers: [{ name: 'main', image: 'i' }],
      ...(parts.node === undefined ? {} : { nodeName: parts.node }),
      ...(parts.tolerations ? { tolerations: parts.tolerations } : {}),
    },
    status: {
      phase: parts.phase ?? 'Running',
      conditions: [
        { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: parts.readySince ?? CREATED },
        ...(parts.scheduled === false ? [] : [{ type: 'PodScheduled', status: 'True' } as const]),
      ],
      containerStatuses: [
        { name: 'main', ready, restartCount: parts.restarts ?? 0, image: 'i', imageID: '' },
      ],
    },
  };
}

/** A node object with conditions and taints. */
export function node(name: string, parts: Partial<Node['spec']> = {}, status: Node['status'] = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: CREATED },
    spec: { ...parts },
    status,
  };
}
