import type { Loose } from '../../protocol/kinds/loose.ts';
import type { Container, Pod, PodSpec, PodStatus } from '../../protocol/kinds/pod.ts';
import type { Deployment, DeploymentSpec } from '../../protocol/kinds/workloads.ts';
import { applyMergePatch } from '../../protocol/patch/merge-patch.ts';

const meta = {
  name: 'web',
  namespace: 'default',
  uid: 'u-1',
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
};

/** A container as a user would write it. */
export const userContainer = (overrides: Loose<Container> = {}): Loose<Container> => ({
  name: 'app',
  image: 'busybox:1',
  ...overrides,
});

/** A pod as a user would write it, before defaulting. */
export const userPod = (spec: Loose<PodSpec> = {}, status?: Loose<PodStatus>): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...meta },
    spec: { containers: [userContainer()], ...spec },
    ...(status === undefined ? {} : { status }),
  }) as Pod;

/** A deployment as a user would write it, before defaulting; overrides merge into the spec as a merge patch. */
export const userDeployment = (spec: Loose<DeploymentSpec> = {}): Deployment =>
  ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { ...meta },
    spec: applyMergePatch(
      {
        replicas: 2,
        selector: { matchLabels: { app: 'web' } },
        template: { metadata: { labels: { app: 'web' } }, spec: { containers: [userContainer()] } },
      },
      spec,
    ),
  }) as Deployment;
