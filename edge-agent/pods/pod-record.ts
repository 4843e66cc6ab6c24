import { join } from 'node:path';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import {
  type ContainerMemory,
  type Eviction,
  newMemory,
  type PodMemory,
  type RunMemory,
} from '../decide/pod-memory.ts';
import { type PodPaths, readJson, writeJson } from './pod-files.ts';

/**
 * What must outlive the agent but not the node: written to memory-backed files, so that it costs the card nothing.
 * It spares a restarted agent from showing ready pods as unready and from counting restarts anew.
 */
interface PodRecord {
  readonly startAtMs: number;
  readonly containers: Readonly<Record<string, Pick<ContainerMemory, 'attempts' | 'lastExit'>>>;
  readonly runs: Readonly<Record<string, Pick<RunMemory, 'started' | 'ready' | 'postStart'>>>;
  readonly status?: PodStatus;
}

/** A pod as the agent before this one left it. */
export interface Recovered {
  readonly memory: PodMemory;
  readonly status?: PodStatus;
}

const recordFile = (paths: PodPaths): string => join(paths.run, 'record.json');
const evictedFile = (paths: PodPaths): string => join(paths.data, 'evicted.json');
const endedFile = (paths: PodPaths): string => join(paths.data, 'ended.json');

/** Reads what is left of an earlier agent; a fresh memory when nothing is. Never throws for missing or torn files. */
export async function recover(
  paths: PodPaths,
  now: { readonly wallMs: number; readonly monotonicMs: number },
  labelStartMs: number | undefined,
): Promise<Recovered> {
  const record = (await readJson(recordFile(paths))) as Partial<PodRecord> | undefined;
  const ended = (await readJson(endedFile(paths))) as PodStatus | undefined;
  const eviction = (await readJson(evictedFile(paths))) as Eviction | undefined;
  const startAtMs = record?.startAtMs ?? labelStartMs ?? now.wallMs;
  const startMs = now.monotonicMs - Math.max(0, now.wallMs - startAtMs);
  const memory: PodMemory = {
    ...newMemory(startAtMs, startMs),
    containers: record?.containers ?? {},
    runs: Object.fromEntries(
      Object.entries(record?.runs ?? {}).map(([id, run]) => [id, { ...run, healthy: true }]),
    ),
    ...(eviction === undefined ? {} : { eviction }),
    ...(ended === undefined ? {} : { ended }),
  };
  return { memory, ...(record?.status === undefined ? {} : { status: record.status }) };
}

/** The record to write; an equal one need not be written again. */
export function recordOf(memory: PodMemory, status: PodStatus | undefined): object {
  const runs = Object.entries(memory.runs).map(([id, run]) => {
    // A hook that ran when the agent stopped is run again by the next one.
    const postStart = run.postStart === 'running' ? undefined : run.postStart;
    return [id, { started: run.started, ready: run.ready, ...(postStart ? { postStart } : {}) }] as const;
  });
  const containers = Object.entries(memory.containers).map(([name, c]) => {
    return [name, { attempts: c.attempts, ...(c.lastExit ? { lastExit: c.lastExit } : {}) }] as const;
  });
  return {
    startAtMs: memory.startAtMs,
    containers: Object.fromEntries(containers),
    runs: Object.fromEntries(runs),
    ...(status === undefined ? {} : { status }),
  } satisfies PodRecord;
}

export function writeRecord(paths: PodPaths, record: object): Promise<void> {
  return writeJson(recordFile(paths), record, false);
}

/** Writes down, durably, that the pod has ended, so that no reboot runs it again. */
export function writeEnded(paths: PodPaths, status: PodStatus): Promise<void> {
  return writeJson(endedFile(paths), status, true);
}

/** Writes down, durably, that the node takes the pod's place back: a reboot in the middle must not start it again. */
export function writeEviction(paths: PodPaths, eviction: Eviction): Promise<void> {
  return writeJson(evictedFile(paths), eviction, true);
}
