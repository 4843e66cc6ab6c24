import type { DesiredState } from '../../edge-agent/pods/ports.ts';
import type { DesiredPod, NodeItem } from '../../protocol/wire/messages.ts';

/** A desired state as it travels to this process; ConfigMaps and Secrets by `namespace/name`. */
export interface DesiredLine {
  readonly pods: readonly DesiredPod[];
  readonly configMaps?: Readonly<Record<string, Record<string, string>>>;
  readonly secrets?: Readonly<Record<string, Record<string, string>>>;
  readonly node?: NodeItem;
}

/** The desired state of a line. */
export function toState(line: DesiredLine): DesiredState {
  const objects = (map: DesiredLine['secrets']) =>
    new Map(
      Object.entries(map ?? {}).map(([key, data]) => {
        const [namespace = '', name = ''] = key.split('/');
        const metadata = { name, namespace, uid: key, resourceVersion: '1', creationTimestamp: '' };
        return [key, { metadata, data }] as const;
      }),
    );
  return {
    pods: new Map(line.pods.map((pod) => [pod.metadata.uid, pod])),
    configMaps: objects(line.configMaps),
    secrets: objects(line.secrets),
    node: line.node,
  };
}
