import type { Pod } from '../../protocol/kinds/pod.ts';
import type { DaemonSet, DaemonSetSpec } from '../../protocol/kinds/workloads.ts';
import { pod, template } from './workloads.ts';

/** A DaemonSet `web` of one image; parts of its spec replaced at will. */
export function daemonSet(image: string, spec: Partial<DaemonSetSpec> = {}): DaemonSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: 'web',
      namespace: 'default',
      uid: 'ds',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: { selector: { matchLabels: { app: 'web' } }, template: template(image), ...spec },
  };
}

/** Its pod for a node, of the template with the hash `a`, bound and ready unless said otherwise; named `NODE-HASH`. */
export function daemonPod(
  node: string,
  {
    hash = 'a',
    name = `${node}-${hash}`,
    bound = true,
    ...parts
  }: Parameters<typeof pod>[1] & { hash?: string; name?: string; bound?: boolean } = {},
): Pod {
  const made = pod(name, {
    node,
    owner: 'ds',
    labels: { app: 'web', 'controller-revision-hash': hash },
    ...parts,
  });
  if (bound) return made;
  const { nodeName: _nodeName, ...rest } = made.spec;
  const requiredDuringSchedulingIgnoredDuringExecution = {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] }],
  };
  return {
    ...made,
    spec: { ...rest, affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution } } },
  };
}
