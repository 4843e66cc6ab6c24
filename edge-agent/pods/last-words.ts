import type { DesiredPod } from '../../protocol/wire/messages.ts';
import type { ContainerView } from '../decide/container.ts';
import { MAX_MESSAGE } from '../decide/container-status.ts';
import { plannedOf } from '../decide/pod-view.ts';
import type { Tools } from './pod-cell.ts';
import { readStart, terminationFile } from './pod-files.ts';

const LOG_TAIL_BYTES = 2048;

/** What a container that ended says of it: its termination file or, when the pod wants that, the end of its log. */
export async function lastWordsOf(
  { volumes, runtime }: Pick<Tools, 'volumes' | 'runtime'>,
  view: ContainerView,
  pod: DesiredPod | undefined,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (view.role === 'sandbox') return undefined;
  const file = terminationFile(volumes.paths(view.podUid), view.name, view.attempt);
  const words = await readStart(file, MAX_MESSAGE);
  const policy = pod && plannedOf(pod, view.name)?.spec.terminationMessagePolicy;
  if (words !== undefined || view.exitCode === 0 || policy !== 'FallbackToLogsOnError') return words;
  return runtime.tail(view.id, LOG_TAIL_BYTES, signal);
}

/** What the labels tell of a pod nobody describes: enough to report it, and to stop it when nobody wants it. */
export function podFromLabels(views: readonly ContainerView[]): DesiredPod | undefined {
  const first = views[0];
  if (first === undefined) return undefined;
  const grace = first.graceSeconds;
  const byName = new Map(views.filter((v) => v.role === 'app').map((v) => [v.name, v]));
  return {
    metadata: { uid: first.podUid, name: first.podName, namespace: first.podNamespace },
    spec: {
      containers: [...byName.values()].map((v) => ({ name: v.name, image: v.image })),
      ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }),
    },
  };
}
