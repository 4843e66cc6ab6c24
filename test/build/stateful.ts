import type { StatefulStep, StatefulWorld } from '../../hub/decide/stateful-set.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { StatefulSet, StatefulSetSpec } from '../../protocol/kinds/workloads.ts';

/** Wall time of these tests, epoch ms. */
export const NOW_MS = Date.parse('2026-01-01T01:00:00Z');
const CREATED = '2026-01-01T00:00:00Z';

/** A set `web` of three; parts of its spec replaced at will. */
export function statefulSet(spec: Partial<StatefulSetSpec> = {}): StatefulSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'set',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: CREATED,
    },
    spec: {
      replicas: 3,
      serviceName: 'web',
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'main', image: 'busybox' }] },
      },
      podManagementPolicy: 'OrderedReady',
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
  };
}

/** What a member pod is seen as; `fresh` is ready since a second ago. */
export type MemberState = 'pending' | 'ready' | 'fresh' | 'failed' | 'terminating';

/** A pod of the set, of revision `old` or `new`. */
export function memberPod(ordinal: number, state: MemberState = 'ready', revision = 'new'): Pod {
  const isReady = state === 'ready' || state === 'fresh' || state === 'terminating';
  const since = state === 'fresh' ? new Date(NOW_MS - 1000).toISOString() : CREATED;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `web-${ordinal}`,
      namespace: 'default',
      uid: `pod-${ordinal}-${revision}`,
      resourceVersion: '1',
      creationTimestamp: CREATED,
      labels: { app: 'web', 'controller-revision-hash': revision },
      ...(state === 'terminating' ? { deletionTimestamp: CREATED } : {}),
    },
    spec: { containers: [{ name: 'main', image: 'busybox' }] },
    status: {
      phase: state === 'failed' ? 'Failed' : isReady ? 'Running' : 'Pending',
      conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: since }],
    },
  };
}

/** A set in mid-update from `old` to `new`. */
export function worldOf(pods: readonly Pod[], more: Partial<StatefulWorld> = {}): StatefulWorld {
  return {
    pods,
    currentRevision: 'old',
    updateRevision: 'new',
    isBlocked: () => false,
    nowMs: NOW_MS,
    ...more,
  };
}

/** A step as short text: `create 1 new`, `update web-2`. */
export function stepText(step: StatefulStep): string {
  return step.do === 'create'
    ? `create ${step.ordinal} ${step.revision}`
    : `${step.do} ${step.pod.metadata.name}`;
}

/** The pods after the steps were carried out and everything that can has come to rest: all ready, deleted ones gone. */
export function afterSteps(pods: readonly Pod[], steps: readonly StatefulStep[]): Pod[] {
  const removed = new Set(steps.flatMap((s) => (s.do === 'create' ? [] : [s.pod.metadata.name])));
  const kept = pods
    .filter((p) => !removed.has(p.metadata.name) && p.metadata.deletionTimestamp === undefined)
    .map((p) => (p.status?.phase === 'Failed' ? p : memberPod(ordinal(p), 'ready', revision(p))));
  const made = steps.flatMap((s) => (s.do === 'create' ? [memberPod(s.ordinal, 'ready', s.revision)] : []));
  return [...kept, ...made];
}

/** Ordinal of a pod of the set. */
export const ordinal = (pod: Pod): number => Number(pod.metadata.name.slice('web-'.length));
/** Revision of a pod of the set. */
export const revision = (pod: Pod): string => pod.metadata.labels?.['controller-revision-hash'] ?? '';
