/** What end-to-end tests say about workloads: manifests in, pods and their containers out. */
import * as assert from 'uvu/assert';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Lab } from './lab.ts';

const IDLE_CPU_RATIO = 0.2;

/** A Deployment of the busybox image; `container` and `pod` are merged into the container and the pod spec. */
export interface DeploymentOptions {
  readonly replicas: number;
  readonly namespace?: string;
  readonly command?: readonly string[];
  readonly container?: Readonly<Record<string, unknown>>;
  readonly pod?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The manifest as JSON text, labelled `app: NAME`. Containers stop on SIGTERM at once. */
export function deployment(name: string, options: DeploymentOptions): string {
  const labels = { app: name };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, ...(options.namespace === undefined ? {} : { namespace: options.namespace }) },
    spec: {
      replicas: options.replicas,
      selector: { matchLabels: labels },
      ...options.spec,
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 1,
          ...options.pod,
          containers: [
            {
              name: 'main',
              image: 'busybox:latest',
              imagePullPolicy: 'IfNotPresent',
              command: options.command ?? ['sleep', '1000000'],
              resources: { requests: { cpu: '10m', memory: '8Mi' } },
              ...options.container,
            },
          ],
        },
      },
    },
  });
}

/** Pods labelled `app: NAME`, the ones being deleted included. */
export async function podsOf(lab: Lab, app: string, namespace = 'default'): Promise<Pod[]> {
  return (await lab.get<{ items: Pod[] }>('pods', '-n', namespace, '-l', `app=${app}`)).items;
}

/** True when the pod's Ready condition holds. */
export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

/** Waits until exactly `count` pods of the app exist, all Ready and none being deleted. */
export function allReady(
  lab: Lab,
  app: string,
  count: number,
  withinMs = 60_000,
  namespace = 'default',
): Promise<Pod[]> {
  return lab.eventually(
    async () => {
      const pods = await podsOf(lab, app, namespace);
      const good = pods.filter((p) => isReady(p) && p.metadata.deletionTimestamp === undefined);
      return pods.length === count && good.length === count ? pods : false;
    },
    { withinMs, everyMs: 200 },
  );
}

/** Container id as the engine knows it, without the runtime's prefix. */
export function containerId(pod: Pod, container = 'main'): string {
  const status = pod.status?.containerStatuses?.find((s) => s.name === container);
  return (status?.containerID ?? '').replace(/^.*:\/\//, '');
}

export function nodeOf(pod: Pod): string {
  return pod.spec.nodeName ?? '';
}

export function restartsOf(pod: Pod, container = 'main'): number {
  return pod.status?.containerStatuses?.find((s) => s.name === container)?.restartCount ?? -1;
}

/** Ids of the running containers of pods on a node, sandboxes included, as the engine tells. */
export async function runningContainers(lab: Lab, node: string, ...filters: string[]): Promise<string[]> {
  const args = ['ps', '-q', '--no-trunc', '--filter', 'label=coxswain.dev/pod-uid'];
  const out = await lab.docker(node, ...args, ...filters.flatMap((f) => ['--filter', f]));
  return out.split('\n').filter((line) => line !== '');
}

/** Kills the container's main process with SIGKILL, from outside the orchestrator. */
export async function killMainProcess(lab: Lab, node: string, id: string): Promise<void> {
  const pid = (await lab.docker(node, 'inspect', '-f', '{{.State.Pid}}', id)).trim();
  await lab.exec(node, 'kill', '-9', pid);
}

/** Waits until the named nodes, or all, are Ready. */
export function nodesReady(lab: Lab, names?: readonly string[], withinMs = 60_000): Promise<Node[]> {
  return lab.eventually(
    async () => {
      const nodes = (await lab.get<{ items: Node[] }>('nodes')).items;
      const asked = nodes.filter((n) => names === undefined || names.includes(n.metadata.name));
      const ready = asked.filter((n) =>
        n.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
      );
      return ready.length === (names?.length ?? nodes.length) && ready.length > 0 ? asked : false;
    },
    { withinMs, everyMs: 200 },
  );
}

/** Busy share of each node's CPU, 0..1, as its last telemetry says; nodes that have told nothing are missing. */
export async function cpuRatios(lab: Lab): Promise<Record<string, number>> {
  const raw = await lab.kubectl('get', '--raw', '/coxswain/v1/nodes');
  const { items } = JSON.parse(raw) as { items: { name: string; telemetry?: { cpuRatio: number } }[] };
  return Object.fromEntries(items.flatMap((n) => (n.telemetry ? [[n.name, n.telemetry.cpuRatio]] : [])));
}

/** Waits until every node is Ready and has told that it is nearly idle: engines that are still starting attract no pods. */
export async function nodesIdle(lab: Lab, withinMs = 90_000): Promise<void> {
  const nodes = await nodesReady(lab);
  await lab.eventually(
    async () => {
      const ratios = await cpuRatios(lab);
      const busy = nodes.map((n) => n.metadata.name).filter((name) => (ratios[name] ?? 1) > IDLE_CPU_RATIO);
      assert.equal(busy, [], `busy nodes: ${JSON.stringify(ratios)}`);
      return true;
    },
    { withinMs, everyMs: 500 },
  );
}

/** Removes a deployment and waits until no pod of it is left. */
export async function removeDeployment(lab: Lab, name: string, namespace = 'default'): Promise<void> {
  await lab.kubectl('delete', 'deployment', name, '-n', namespace, '--ignore-not-found', '--wait=false');
  await lab.eventually(async () => (await podsOf(lab, name, namespace)).length === 0, {
    withinMs: 60_000,
    everyMs: 200,
  });
}

/** How many pods each node has. */
export function countByNode(pods: readonly Pod[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const pod of pods) counts[nodeOf(pod)] = (counts[nodeOf(pod)] ?? 0) + 1;
  return counts;
}
