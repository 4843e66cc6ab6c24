import { platformRefusal } from '../decide/image-platform.ts';
import {
  containerMemory,
  failAgain,
  type ImageFailureReason,
  type ImageMemory,
  withContainer,
} from '../decide/pod-memory.ts';
import { pullPolicy } from '../decide/pod-shape.ts';
import { plannedOf } from '../decide/pod-view.ts';
import { retryDelayMs } from '../decide/restart.ts';
import type { FetchRequest, FetchResult } from './images.ts';
import { nodeContext, type PodCell, type Tools } from './pod-cell.ts';
import type { ImageView } from './ports.ts';
import { registryAuths } from './registry-auth.ts';
import { VolumeError } from './volume-error.ts';

/** Volumes that cannot be made are tried again after 1 s, doubling to 2 min: files and items may be on their way. */
const mountRetryMs = (failures: number): number => Math.min(120_000, 1000 * 2 ** (failures - 1));
/** A change of the desired state is looked at at once; this is for networks that are in the way. */
const ADDRESS_RETRY_MS = 30_000;

/** Brings all volumes of the pod to their desired content. */
export async function mountVolumes(tools: Tools, cell: PodCell): Promise<void> {
  const revision = cell.volumeRevision;
  try {
    await tools.volumes.prepare(cell.pod, cell.config, nodeContext(tools, cell));
    cell.memory = { ...cell.memory, volumes: { revision } };
  } catch (error) {
    if (!(error instanceof VolumeError)) throw error;
    const message = `MountVolume.SetUp failed for volume "${error.volume}" : ${error.message}`;
    tools.events.warning(cell.pod, 'FailedMount', message);
    const before = cell.memory.volumes;
    const failed = failAgain(before.failed, 'FailedMount', message, tools.clock.monotonicMs(), mountRetryMs);
    cell.memory = { ...cell.memory, volumes: { ...before, failed: { ...failed, revision } } };
  }
}

/** Gives the pod its address: the one its containers have, or the lowest free one. */
export async function findAddress(tools: Tools, cell: PodCell): Promise<void> {
  const known = tools.observer
    .containersOf(cell.uid)
    .find((c) => c.podIp !== undefined && c.state === 'running');
  const answer = known?.podIp === undefined ? await tools.node.address(cell.uid) : { ip: known.podIp };
  if ('ip' in answer) {
    const { addressFailure: _, ...rest } = cell.memory;
    cell.memory = { ...rest, ip: answer.ip };
    return;
  }
  tools.events.warning(cell.pod, 'NetworkNotReady', answer.why);
  const addressFailure = failAgain(
    cell.memory.addressFailure,
    'NetworkNotReady',
    answer.why,
    tools.clock.monotonicMs(),
    () => ADDRESS_RETRY_MS,
  );
  cell.memory = { ...cell.memory, addressFailure };
}

/**
 * Makes sure the container's image is on the node. One that is there already costs one question; a pull goes on beside
 * and wakes the pod. A restart takes the image the pod ran with, so that healing needs no registry.
 */
export async function fetchImage(
  tools: Tools,
  cell: PodCell,
  name: string,
  restart: boolean,
  signal: AbortSignal,
): Promise<void> {
  const planned = plannedOf(cell.pod, name);
  if (planned === undefined) return;
  const ref = planned.spec.image;
  const wanted = pullPolicy(planned.spec);
  const policy = restart && wanted === 'Always' ? 'IfNotPresent' : wanted;
  const local = await tools.images.local(ref, policy, signal);
  const refusal = local === undefined ? undefined : refusalOf(tools, ref, local);
  if (local !== undefined && refusal === undefined) {
    if (!restart) tellPresent(tools, cell, name, ref);
    setImage(cell, name, ready(ref, local));
    return;
  }
  const before = containerMemory(cell.memory, name).image;
  setImage(cell, name, { ref, state: 'fetching' });
  const request: FetchRequest = {
    ref,
    // What is here is for other boards: the registry may have one for this board by now.
    policy: refusal !== undefined && policy !== 'Never' ? 'Always' : policy,
    auths: registryAuths(cell.pod, ref, (secret) => cell.config.secret(secret)),
    onPull: () => tools.events.normal(cell.pod, 'Pulling', `Pulling image "${ref}"`, name),
  };
  tools.images.fetch(request, signal).then(
    (result) => {
      finishFetch(tools, cell, name, ref, before, result);
      tools.wake(cell.uid);
    },
    (error: unknown) => {
      // The engine went away or the agent stops: as if nobody had asked. The engine's return wakes every pod.
      tools.log.debug('image fetch ended early', { key: cell.uid, err: error });
      const { image } = containerMemory(cell.memory, name);
      if (image?.state === 'fetching') cell.memory = withContainer(cell.memory, name, { image: undefined });
    },
  );
}

function tellPresent(tools: Tools, cell: PodCell, name: string, ref: string): void {
  tools.events.normal(cell.pod, 'Pulled', `Container image "${ref}" already present on machine`, name);
}

function refusalOf(tools: Tools, ref: string, image: ImageView): string | undefined {
  const platform = tools.node.platform();
  return platform === undefined ? undefined : platformRefusal(ref, image.platform, platform);
}

function setImage(cell: PodCell, name: string, image: ImageMemory): void {
  cell.memory = withContainer(cell.memory, name, { image });
}

function ready(ref: string, image: ImageView): ImageMemory {
  return { ref, state: 'ready', id: image.id, user: image.user, stopSignal: image.stopSignal };
}

function finishFetch(
  tools: Tools,
  cell: PodCell,
  name: string,
  ref: string,
  before: ImageMemory | undefined,
  result: FetchResult,
): void {
  const { events } = tools;
  if (!result.ok) {
    const { reason, message } = result;
    failFetch(tools, cell, name, ref, before, reason, message, `Failed to pull image "${ref}": ${message}`);
    return;
  }
  const refusal = refusalOf(tools, ref, result.image);
  if (refusal !== undefined) {
    failFetch(tools, cell, name, ref, before, 'ErrImagePlatform', refusal, `Cannot run ${refusal}`);
    return;
  }
  if (result.how === 'pulled') {
    const took = `${(result.tookMs / 1000).toFixed(3)}s`;
    const size = `Image size: ${result.image.sizeBytes} bytes.`;
    events.normal(cell.pod, 'Pulled', `Successfully pulled image "${ref}" in ${took}. ${size}`, name);
  } else if (result.how === 'present') tellPresent(tools, cell, name, ref);
  else {
    const text = `Registry of "${ref}" cannot be reached; using the image on the machine`;
    events.normal(cell.pod, 'Pulled', text, name);
  }
  setImage(cell, name, ready(ref, result.image));
}

function failFetch(
  { events, clock }: Tools,
  cell: PodCell,
  name: string,
  ref: string,
  before: ImageMemory | undefined,
  reason: ImageFailureReason,
  message: string,
  text: string,
): void {
  events.warning(cell.pod, 'Failed', text, name);
  events.warning(cell.pod, 'Failed', `Error: ${reason}`, name);
  const previous = before?.state === 'failed' && before.ref === ref ? before.failure : undefined;
  const failure = failAgain(previous, reason, message, clock.monotonicMs(), retryDelayMs);
  setImage(cell, name, { ref, state: 'failed', failure });
}
