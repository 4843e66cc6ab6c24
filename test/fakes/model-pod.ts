import type { ContainerView } from '../../edge-agent/decide/container.ts';
import { nextPodAction } from '../../edge-agent/decide/next-pod-action.ts';
import {
  containerMemory,
  newMemory,
  type PodMemory,
  type StopMemory,
  withContainer,
  withoutRuns,
  withRun,
} from '../../edge-agent/decide/pod-memory.ts';
import { finalStatus, podStatus } from '../../edge-agent/decide/pod-status.ts';
import { freshRun, type PodAction, type PodView, plannedOf } from '../../edge-agent/decide/pod-view.ts';
import { afterRestart } from '../../edge-agent/decide/restart.ts';
import { specHash } from '../../edge-agent/decide/spec-hash.ts';
import { KILL_AGAIN_MS, LEAST_GRACE_MS } from '../../edge-agent/decide/stop-step.ts';
import type { PodStatus } from '../../protocol/kinds/pod.ts';
import type { DesiredPod } from '../../protocol/wire/messages.ts';

/** What happens to a container once it has been started. */
export type Fate = 'runs' | 'succeeds' | 'fails' | 'cannot-start';

/** A pod in a world of values: actions are carried out as the agent would, without an engine, and time only jumps. */
export class ModelPod {
  pod: DesiredPod;
  removed = false;
  containers: ContainerView[] = [];
  memory: PodMemory = newMemory(1_000_000, 0);
  nowMs = 0;
  volumeRevision = 'v1';
  /** How containers of a name end; `runs` when not listed. */
  fates: Readonly<Record<string, Fate>> = {};
  obeysTerm = true;
  readonly done: PodAction['do'][] = [];
  #nextId = 0;

  constructor(pod: DesiredPod) {
    this.pod = pod;
  }

  view(): PodView {
    const { pod, removed, containers, memory, volumeRevision, nowMs } = this;
    return { pod, removed, containers, memory, volumeRevision, bootId: 'boot', nowMs };
  }

  status(): PodStatus {
    return podStatus(this.view(), { hostIp: '10.0.0.1', wallMs: 1_000_000 + this.nowMs });
  }

  /** Carries out actions until there is nothing to do, or nothing before `untilMs`; fails after `limit` actions. */
  settle(untilMs = Number.POSITIVE_INFINITY, limit = 400): void {
    for (let i = 0; i < limit; i++) {
      const action = nextPodAction(this.view());
      this.done.push(action.do);
      if (action.do === 'idle') return;
      if (action.do === 'wait') {
        if (action.untilMs > untilMs) return;
        this.nowMs = Math.max(action.untilMs, this.nowMs + 1);
      } else this.perform(action);
    }
    throw new Error(`no rest after ${limit} actions: ${this.done.slice(-12).join(' ')}`);
  }

  /** The main process ends by itself. */
  exit(id: string, exitCode: number): void {
    this.containers = this.containers.map((c) =>
      c.id !== id || c.state !== 'running'
        ? c
        : { ...c, state: 'exited', exitCode, exitedMs: this.nowMs, finishedAtMs: 1_000_000 + this.nowMs },
    );
  }

  perform(action: PodAction): void {
    switch (action.do) {
      case 'begin-termination':
        this.memory = { ...this.memory, terminating: { why: action.why, sinceMs: this.nowMs } };
        return;
      case 'mount':
        this.memory = { ...this.memory, volumes: { revision: this.volumeRevision } };
        return;
      case 'address':
        this.memory = { ...this.memory, ip: '10.1.1.2' };
        return;
      case 'fetch':
        this.#fetch(action.name);
        return;
      case 'create':
        this.#create(action);
        return;
      case 'start':
        this.#start(action.id);
        return;
      case 'post-start':
        this.#run(action.id, { postStart: 'done' });
        return;
      case 'stop':
      case 'signal':
      case 'kill':
        this.#stop(action);
        return;
      case 'remove':
        this.containers = this.containers.filter((c) => !action.ids.includes(c.id));
        this.memory = withoutRuns(this.memory, action.ids);
        return;
      case 'end':
        this.memory = {
          ...this.memory,
          ended: finalStatus(this.view(), { hostIp: '10.0.0.1', wallMs: 1_000_000 + this.nowMs }, action),
        };
        return;
      case 'release':
        this.memory = { ...this.memory, released: true };
        return;
      case 'discard':
        this.memory = { ...this.memory, volumes: { ...this.memory.volumes, discarded: true } };
        return;
      case 'gone':
        this.memory = { ...this.memory, gone: true };
        return;
      case 'wait':
      case 'idle':
        return;
      default:
        action satisfies never;
    }
  }

  #fetch(name: string): void {
    const ref = plannedOf(this.pod, name)?.spec.image ?? '';
    const image = { ref, state: 'ready' as const, id: 'sha256:1', user: '', stopSignal: '' };
    this.memory = withContainer(this.memory, name, { image });
  }

  #create(action: Extract<PodAction, { do: 'create' }>): void {
    const { name, role, attempt, generation } = action;
    const running = this.containers.some((c) => c.name === name && c.role === role && c.state === 'running');
    if (running) throw new Error(`made a second container of "${name}" while one runs`);
    const known = containerMemory(this.memory, name);
    const before = this.containers.filter((c) => c.name === name && c.role === role).at(-1);
    const crashed = before?.state === 'exited';
    this.memory = withContainer(this.memory, name, {
      attempts: Math.max(known.attempts, attempt),
      ...(crashed ? { backoff: afterRestart(known.backoff, before.exitedMs ?? 0, this.nowMs) } : {}),
    });
    const planned = plannedOf(this.pod, name);
    this.containers.push({
      id: `new-${this.#nextId++}`,
      podUid: this.pod.metadata.uid,
      podName: this.pod.metadata.name,
      podNamespace: 'default',
      name,
      role,
      attempt,
      generation,
      specHash: planned === undefined ? '' : specHash(planned.spec),
      state: 'created',
      image: planned?.spec.image ?? '',
      imageId: 'sha256:1',
      stopSignal: 'SIGTERM',
    });
  }

  #start(id: string): void {
    this.containers = this.containers.map((c) =>
      c.id === id ? { ...c, state: 'running', startedAtMs: 1_000_000 + this.nowMs } : c,
    );
    const container = this.containers.find((c) => c.id === id);
    const isInit = container?.role === 'init' && plannedOf(this.pod, container.name)?.sidecar === false;
    const fate = this.fates[container?.name ?? ''] ?? (isInit ? 'succeeds' : 'runs');
    if (fate === 'succeeds') this.exit(id, 0);
    if (fate === 'fails') this.exit(id, 1);
    if (fate === 'cannot-start') {
      this.exit(id, 128);
      this.containers = this.containers.map((c) => {
        const { startedAtMs: _, ...rest } = c;
        return c.id === id ? { ...rest, message: 'no such program' } : c;
      });
    }
  }

  #stop(action: Extract<PodAction, { ids: readonly string[] }>): void {
    for (const id of action.ids) {
      const container = this.containers.find((c) => c.id === id);
      const stop = this.memory.runs[id]?.stop;
      if (action.do === 'stop') {
        const isSandbox = container?.role === 'sandbox';
        const killAtMs = this.nowMs + (isSandbox ? 0 : action.graceMs);
        this.#run(id, { stop: { why: action.why, preStop: 'none', signalled: isSandbox, killAtMs } });
      } else if (action.do === 'signal') {
        if (this.obeysTerm) this.exit(id, 143);
        const killAtMs = Math.max(stop?.killAtMs ?? 0, this.nowMs + LEAST_GRACE_MS);
        this.#run(id, { stop: { ...(stop as StopMemory), signalled: true, killAtMs } });
      } else {
        this.exit(id, 137);
        this.#run(id, { stop: { ...(stop as StopMemory), killAtMs: this.nowMs + KILL_AGAIN_MS } });
      }
    }
  }

  #run(id: string, change: Parameters<typeof withRun>[2]): void {
    const name = this.containers.find((c) => c.id === id)?.name ?? '';
    this.memory = withRun(this.memory, id, change, freshRun(plannedOf(this.pod, name)));
  }
}
