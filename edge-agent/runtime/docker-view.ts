import type { ContainerInspectInfo } from 'dockerode';
import { type ContainerState, type ContainerView, LABELS, readLabels } from '../decide/container.ts';
import type { LayerPlace } from './engine.ts';

/** What the agent keeps of an engine's inspection; undefined when the container is not the agent's. */
export function viewOf(info: ContainerInspectInfo): ContainerView | undefined {
  const identity = readLabels(info.Config.Labels ?? {});
  if (identity === undefined) return undefined;
  const { State: state } = info;
  const startedAtMs = epochMs(state.StartedAt);
  const finishedAtMs = notBefore(epochMs(state.FinishedAt), startedAtMs);
  const now = stateOf(state);
  return {
    id: info.Id,
    ...identity,
    state: now,
    image: info.Config.Image,
    imageId: info.Image,
    stopSignal: (info.Config as { StopSignal?: string }).StopSignal || 'SIGTERM',
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(now !== 'exited' || finishedAtMs === undefined ? {} : { finishedAtMs }),
    ...(now === 'exited' ? { exitCode: state.ExitCode, oomKilled: state.OOMKilled } : {}),
    ...(now === 'exited' && state.Error ? { message: state.Error } : {}),
  };
}

/** Where the container writes. Engines with the containerd image store do not tell its folder. */
export function placeOf(info: ContainerInspectInfo): LayerPlace {
  const { GraphDriver, LogPath } = info as {
    GraphDriver?: { Data?: { UpperDir?: string } | null } | null;
    LogPath?: string;
  };
  const upperDir = GraphDriver?.Data?.UpperDir;
  const pid = info.State.Pid;
  return {
    ...(upperDir ? { upperDir } : {}),
    ...(pid > 0 ? { pid } : {}),
    ...(LogPath ? { logPath: LogPath } : {}),
  };
}

/** The engine notes the start of a container that ends at once a few ms after its end. */
function notBefore(finishedAtMs: number | undefined, startedAtMs: number | undefined): number | undefined {
  return finishedAtMs === undefined ? undefined : Math.max(finishedAtMs, startedAtMs ?? 0);
}

/** A container that could not be started stays `created` for the engine; for the pod it has ended with that code. */
function stateOf(state: ContainerInspectInfo['State']): ContainerState {
  if (state.Running) return 'running';
  if (state.Status === 'created') return state.ExitCode === 0 ? 'created' : 'exited';
  return 'exited';
}

function epochMs(time: string): number | undefined {
  const ms = Date.parse(time);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}

/** A container event as engines from 20.10 on write it, one JSON object a line. */
export interface DockerEvent {
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
  readonly timeNano?: number;
  readonly time?: number;
}

/** What of an event the agent acts on. */
export interface ContainerEvent {
  readonly type: 'start' | 'oom' | 'destroy' | 'other' | 'die';
  readonly id: string;
  readonly podUid: string;
  readonly atMs: number;
  readonly exitCode: number;
}

const TYPES: readonly string[] = ['start', 'oom', 'destroy', 'die'];

/** The event of one line; undefined when it is not about a container of the agent. */
export function eventOf(event: DockerEvent): ContainerEvent | undefined {
  const id = event.Actor?.ID;
  const attributes = event.Actor?.Attributes ?? {};
  const podUid = attributes[LABELS.podUid];
  if (!id || !podUid) return undefined;
  const action = event.Action ?? '';
  return {
    type: TYPES.includes(action) ? (action as ContainerEvent['type']) : 'other',
    id,
    podUid,
    atMs: event.timeNano === undefined ? (event.time ?? 0) * 1000 : event.timeNano / 1e6,
    exitCode: Number(attributes['exitCode'] ?? 0),
  };
}
