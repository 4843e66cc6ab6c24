import { withDeadline } from '../../kit/deadline.ts';
import { type ContainerView, newest, readLabels, writeLabels } from '../decide/container.ts';
import { containerConfig, sandboxConfig } from '../decide/container-config.ts';
import type { ContainerSpec } from '../decide/container-spec.ts';
import { terminatedState } from '../decide/container-status.ts';
import { isReplaced, joinedBy } from '../decide/container-step.ts';
import { type DeviceUnit, type GivenDevices, givenDevices, shortageText } from '../decide/devices.ts';
import { resolveEnv } from '../decide/env.ts';
import { hubVariables } from '../decide/hub-api.ts';
import { containerMemory, SANDBOX, withContainer } from '../decide/pod-memory.ts';
import { needsSandbox, type PlannedContainer, plannedContainers } from '../decide/pod-shape.ts';
import { type PodAction, plannedOf, sandboxOf } from '../decide/pod-view.ts';
import { afterRestart } from '../decide/restart.ts';
import { isRuntimeError, type RuntimeError } from '../decide/runtime-error.ts';
import { specHash } from '../decide/spec-hash.ts';
import { DEFAULT_GRACE_SECONDS } from '../decide/stop-step.ts';
import { ENGINE_LIMIT_MS, isTransient, loseNetwork, refuse } from './perform-refused.ts';
import { nodeContext, type PodCell, type Tools } from './pod-cell.ts';
import { ensureTerminationFile, terminationFile } from './pod-files.ts';
import { VolumeError } from './volume-error.ts';

type CreateAction = Extract<PodAction, { do: 'create' }>;

/** Creates a container or the sandbox; what forbids it goes into memory and events. */
export async function createContainer(
  tools: Tools,
  cell: PodCell,
  action: CreateAction,
  signal: AbortSignal,
): Promise<void> {
  const { name } = action;
  try {
    const spec =
      name === SANDBOX ? await sandboxSpec(tools, cell, action) : await appSpec(tools, cell, action);
    const id = await withDeadline(ENGINE_LIMIT_MS, signal, (s) => tools.runtime.create(spec, s));
    noteCreated(tools, cell, action, spec, id);
  } catch (error) {
    if (error instanceof ConfigError || error instanceof VolumeError)
      return refuse(tools, cell, name, 'CreateContainerConfigError', error.message);
    if (error instanceof ShortageError)
      return refuse(tools, cell, name, 'UnexpectedAdmissionError', error.message);
    if (!isRuntimeError(error) || isTransient(error)) throw error;
    await createFailed(tools, cell, name, error, signal);
  }
}

/** The pod's own settings forbid the container. */
class ConfigError extends Error {}

/** Every device of a kind that the container asks for is given away or absent. */
class ShortageError extends Error {}

async function appSpec(tools: Tools, cell: PodCell, action: CreateAction): Promise<ContainerSpec> {
  const planned = plannedOf(cell.pod, action.name);
  if (planned === undefined) throw new ConfigError(`pod has no container ${action.name}`);
  const context = nodeContext(tools, cell);
  const env = resolveEnv(
    cell.pod,
    planned.spec,
    cell.config,
    context,
    hubVariables(cell.pod.spec, tools.node.hubApi()),
  );
  if (!env.ok) throw new ConfigError(env.message);
  const { image } = containerMemory(cell.memory, action.name);
  const given = takeDevices(tools, cell, planned);
  const variables = new Map([...env.value, ...deviceEnv(given)]);
  const volumes = await tools.volumes.containerVolumes(cell.pod, planned.spec, variables);
  const lastWords = terminationFile(tools.volumes.paths(cell.uid), action.name, action.attempt);
  await ensureTerminationFile(lastWords);
  const engine = await tools.node.engine();
  if (!engine.memoryLimits && planned.spec.resources?.limits?.['memory'] !== undefined)
    tellNoMemoryLimit(tools, cell);
  const sandbox = needsSandbox(cell.pod.spec) ? sandboxOf(tools.observer.containersOf(cell.uid)) : undefined;
  const joins = joinsOf(tools, cell, planned);
  const result = containerConfig(cell.pod, planned.spec, {
    name: engineName(cell, action),
    labels: labelsFor(cell, action, specHash(planned.spec), givenDevices(given)),
    env: variables,
    imageUser: image?.state === 'ready' ? image.user : '',
    mounts: [
      ...volumes.mounts,
      {
        source: lastWords,
        target: planned.spec.terminationMessagePath ?? '/dev/termination-log',
        readOnly: false,
      },
    ],
    devices: [...volumes.devices, ...given.flatMap((unit) => unit.nodes)],
    deviceGroups: given.flatMap((unit) => unit.groups),
    podIp: cell.memory.ip,
    ...(sandbox === undefined ? {} : { sandboxId: sandbox.id }),
    ...(joins === undefined ? {} : { joins }),
    ...(tools.node.dns === undefined ? {} : { dns: tools.node.dns }),
    memoryLimits: engine.memoryLimits,
    cpuLimits: engine.cpuLimits,
    nodeMemoryBytes: tools.node.memoryBytes,
    lowestOomScore: tools.node.lowestOomScore,
    ...tools.node.containerLimits(),
  });
  if (!result.ok) throw new ConfigError(result.message);
  return result.value;
}

/** Devices by the container's limits; init containers that have ended leave theirs to the rest of the pod. */
function takeDevices(tools: Tools, cell: PodCell, planned: PlannedContainer): readonly DeviceUnit[] {
  const inits = plannedContainers(cell.pod.spec).filter((p) => p.role === 'init' && !p.sidecar);
  const done = planned.role === 'init' && !planned.sidecar ? [] : inits.map((p) => p.spec.name);
  const allocation = tools.devices.take(cell.uid, planned.spec, new Set(done));
  if (!allocation.ok) throw new ShortageError(shortageText(allocation));
  return allocation.units;
}

/** Where the container finds its devices, for the variables that the node's configuration names. */
function deviceEnv(given: readonly DeviceUnit[]): Map<string, string> {
  const env = new Map<string, string>();
  for (const { env: name, nodes } of given) {
    if (name === undefined) continue;
    const paths = nodes.map((node) => node.target).join(',');
    env.set(name, [env.get(name), paths].filter((text) => text !== undefined).join(','));
  }
  return env;
}

function joinsOf(
  tools: Tools,
  cell: PodCell,
  planned: PlannedContainer,
): { networkId: string; processesId?: string } | undefined {
  if (planned.role !== 'ephemeral') return undefined;
  const containers = tools.observer.containersOf(cell.uid);
  const { network, processes } = joinedBy({ pod: cell.pod, containers }, planned);
  if (network === undefined) throw new ConfigError('the pod has no running container to join');
  return { networkId: network.id, ...(processes === undefined ? {} : { processesId: processes.id }) };
}

function tellNoMemoryLimit(tools: Tools, cell: PodCell): void {
  const text =
    'memory limit is not enforced: the kernel has no memory controller; on Raspberry Pi OS add ' +
    '"cgroup_enable=memory cgroup_memory=1" to the one line of /boot/firmware/cmdline.txt and reboot';
  tools.events.warning(cell.pod, 'MemoryLimitNotEnforced', text);
}

async function sandboxSpec(tools: Tools, cell: PodCell, action: CreateAction): Promise<ContainerSpec> {
  const image = await tools.node.sandboxImage();
  return sandboxConfig(cell.pod, image, {
    name: engineName(cell, action),
    labels: labelsFor(cell, action, '', {}),
    podIp: cell.memory.ip,
    lowestOomScore: tools.node.lowestOomScore,
    ...(tools.node.dns === undefined ? {} : { dns: tools.node.dns }),
  });
}

/** `cox_<container>_<pod>_<namespace>_<uid>_<attempt>`, unique on the engine and readable in `docker ps`. */
function engineName(cell: PodCell, action: CreateAction): string {
  const { name, namespace = 'default', uid } = cell.pod.metadata;
  return ['cox', action.name || 'sandbox', name, namespace, uid.slice(0, 8), action.attempt].join('_');
}

function labelsFor(
  cell: PodCell,
  action: CreateAction,
  hash: string,
  devices: GivenDevices,
): Record<string, string> {
  return writeLabels({ ...identityOf(cell, action, hash), devices });
}

function identityOf(cell: PodCell, action: CreateAction, hash: string) {
  const { metadata, spec } = cell.pod;
  const grace = spec.terminationGracePeriodSeconds;
  return {
    podUid: cell.uid,
    podName: metadata.name,
    podNamespace: metadata.namespace ?? 'default',
    name: action.name,
    role: action.role,
    attempt: action.attempt,
    specHash: hash,
    generation: action.generation,
    podStartMs: cell.memory.startAtMs,
    ...(grace === undefined || grace === DEFAULT_GRACE_SECONDS ? {} : { graceSeconds: grace }),
    ...(cell.memory.ip === undefined || spec.hostNetwork === true ? {} : { podIp: cell.memory.ip }),
  };
}

function noteCreated(
  tools: Tools,
  cell: PodCell,
  action: CreateAction,
  spec: ContainerSpec,
  id: string,
): void {
  const { name } = action;
  const planned = plannedOf(cell.pod, name);
  const before = beforeOf(tools, cell, name);
  const memory = containerMemory(cell.memory, name);
  const image = memory.image?.state === 'ready' ? memory.image : undefined;
  const why = before === undefined ? undefined : cell.memory.runs[before.id]?.stop?.why;
  const crashed = before?.state === 'exited' && memory.unstarted !== true && !isReplaced(why);
  const nowMs = tools.clock.monotonicMs();
  cell.memory = withContainer(cell.memory, name, {
    attempts: Math.max(memory.attempts, action.attempt),
    unstarted: undefined,
    ...(crashed ? { backoff: afterRestart(memory.backoff, before.exitedMs ?? nowMs, nowMs) } : {}),
    ...(before?.state === 'exited' ? { lastExit: terminatedState(before) } : {}),
  });
  tools.observer.note({
    ...(readLabels(spec.labels) ??
      identityOf(cell, action, planned === undefined ? '' : specHash(planned.spec))),
    id,
    state: 'created',
    image: spec.image,
    imageId: image?.id ?? '',
    stopSignal: image?.stopSignal || 'SIGTERM',
  });
  if (name !== SANDBOX) tools.events.normal(cell.pod, 'Created', `Created container ${name}`, name);
}

function beforeOf(tools: Tools, cell: PodCell, name: string): ContainerView | undefined {
  const views = tools.observer.containersOf(cell.uid);
  return name === SANDBOX ? sandboxOf(views) : newest(views, name);
}

async function createFailed(
  tools: Tools,
  cell: PodCell,
  name: string,
  error: RuntimeError,
  signal: AbortSignal,
): Promise<void> {
  if (error.reason === 'NameInUse' || error.reason === 'TimedOut') {
    // An earlier request was carried out although its answer was lost: learn of its container.
    await tools.observer.relist(signal);
    return refuse(tools, cell, name, 'CreateContainerError', error.message);
  }
  if (error.reason === 'ImageNotFound') cell.memory = withContainer(cell.memory, name, { image: undefined });
  if (error.reason === 'NetworkMissing') loseNetwork(tools, cell);
  refuse(tools, cell, name, 'CreateContainerError', error.message);
}
