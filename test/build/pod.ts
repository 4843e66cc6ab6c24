import type { Container, PodSpec } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';

/** A container that runs until it is killed, with the image the tests' engines have. */
export function container(overrides: Partial<Container> = {}): Container {
  return {
    name: 'main',
    image: 'busybox:2',
    command: ['sleep', '100000'],
    imagePullPolicy: 'IfNotPresent',
    ...overrides,
  };
}

/** A pod of one such container, as the hub hands it to its device; `uid` is `uid-<name>`. */
export function desiredPod(
  name: string,
  spec: Partial<PodSpec> = {},
  metadata: Partial<DesiredPod['metadata']> = {},
): DesiredPod {
  return {
    metadata: { name, namespace: 'default', uid: `uid-${name}`, labels: { app: name }, ...metadata },
    spec: { containers: [container()], terminationGracePeriodSeconds: 1, ...spec },
  };
}
