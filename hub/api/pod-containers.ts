import type { ContainerStatus, Pod } from '../../protocol/kinds/pod.ts';
import { ApiError } from '../../protocol/status.ts';

/** The container a log or exec means: the named one, or the only one. Throws BadRequest in Kubernetes' words. */
export function chooseContainer(pod: Pod, wanted: string): string {
  const { containers, initContainers = [], ephemeralContainers = [] } = pod.spec;
  const { name } = pod.metadata;
  if (wanted !== '') {
    const known = [...containers, ...initContainers, ...ephemeralContainers].some((c) => c.name === wanted);
    if (known) return wanted;
    throw new ApiError('BadRequest', `container ${wanted} is not valid for pod ${name}`);
  }
  const [first] = containers;
  if (first !== undefined && containers.length === 1) return first.name;
  const names = (list: readonly { name: string }[]): string => `[${list.map((c) => c.name).join(' ')}]`;
  const inits = initContainers.length === 0 ? '' : ` or one of the init containers: ${names(initContainers)}`;
  throw new ApiError(
    'BadRequest',
    `a container name must be specified for pod ${name}, choose one of: ${names(containers)}${inits}`,
  );
}

const PULL_FAILURES = new Set(['ErrImagePull', 'ImagePullBackOff']);

/** Throws BadRequest when the container has no log yet, or no earlier run to show, in Kubernetes' words. */
export function demandLog(pod: Pod, container: string, previous: boolean): void {
  const { name } = pod.metadata;
  const status = statusOf(pod, container);
  const earlier = status?.lastState?.terminated !== undefined;
  if (previous) {
    if (earlier) return;
    throw new ApiError(
      'BadRequest',
      `previous terminated container "${container}" in pod "${name}" not found`,
    );
  }
  const { running, terminated, waiting } = status?.state ?? {};
  if (running !== undefined || terminated !== undefined || earlier) return;
  const reason = waiting?.reason ?? 'ContainerCreating';
  const why = PULL_FAILURES.has(reason) ? 'trying and failing to pull image' : reason;
  throw new ApiError('BadRequest', `container "${container}" in pod "${name}" is waiting to start: ${why}`);
}

function statusOf(pod: Pod, container: string): ContainerStatus | undefined {
  const { containerStatuses, initContainerStatuses, ephemeralContainerStatuses } = pod.status ?? {};
  const all = [containerStatuses, initContainerStatuses, ephemeralContainerStatuses].flatMap((s) => s ?? []);
  return all.find((s) => s.name === container);
}
