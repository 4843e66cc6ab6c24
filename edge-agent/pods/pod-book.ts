import type { DesiredPod, PodReport } from '../../protocol/wire/messages.ts';
import { newest, predecessor } from '../decide/container.ts';
import { newMemory, type PodMemory } from '../decide/pod-memory.ts';
import { plannedContainers } from '../decide/pod-shape.ts';
import { configSource } from './config-source.ts';
import { podFromLabels } from './last-words.ts';
import { PodCell, type Tools } from './pod-cell.ts';
import { recover } from './pod-record.ts';
import { PodWorker } from './pod-worker.ts';
import type { DesiredState, PodContainer } from './ports.ts';

/** What the book needs beside the tools of the pods. */
export interface PodBookOptions {
  readonly tools: Tools;
  /** The newest accepted desired state; undefined: none yet. */
  readonly desired: () => DesiredState | undefined;
  readonly onStatus: (report: PodReport) => void;
  /** A pod met for the first time has this address already: it is to stay its own. */
  readonly keepAddress: (podUid: string, ip: string) => void;
}

/** The pods this agent works on, one worker each, and what can be told of those it does not work on yet. */
export class PodBook {
  readonly #options: PodBookOptions;
  readonly #workers = new Map<string, PodWorker>();

  constructor(options: PodBookOptions) {
    this.#options = options;
  }

  /** Uids of the pods in the book. */
  uids(): readonly string[] {
    return [...this.#workers.keys()];
  }

  cells(): readonly PodCell[] {
    return [...this.#workers.values()].map((worker) => worker.cell);
  }

  cellOf(podUid: string): PodCell | undefined {
    return this.#workers.get(podUid)?.cell;
  }

  /**
   * The pod's worker. One met for the first time begins as an earlier agent left it, or as the labels of its containers
   * tell; undefined when neither knows it.
   */
  async worker(podUid: string, pod: DesiredPod | undefined): Promise<PodWorker | undefined> {
    return this.#workers.get(podUid) ?? this.#open(podUid, pod);
  }

  /** Ends the worker and forgets it. */
  close(podUid: string): void {
    this.#workers.get(podUid)?.stop();
    this.#workers.delete(podUid);
  }

  /** Ends all work between the rounds; touches no container. */
  stop(): void {
    for (const worker of this.#workers.values()) worker.stop();
  }

  /** The pod's containers for logs, exec and attach; empty when the pod is unknown. */
  containersOf(podUid: string): PodContainer[] {
    const cell = this.cellOf(podUid);
    if (cell === undefined) return [];
    const views = this.#options.tools.observer.containersOf(podUid);
    return plannedContainers(cell.pod.spec).flatMap(({ spec }) => {
      const current = newest(views, spec.name);
      if (current === undefined) return [];
      const previous = predecessor(views, spec.name);
      return [
        {
          name: spec.name,
          id: current.id,
          running: current.state === 'running',
          tty: spec.tty === true,
          stdin: spec.stdin === true,
          ...(previous === undefined ? {} : { previousId: previous.id }),
        },
      ];
    });
  }

  /** Every pod this node holds with its newest status, gone ones included until the desired state drops them. */
  inventory(): PodReport[] {
    const held = [...this.#workers.values()].filter((worker) => !worker.isRemoved);
    const desired = [...(this.#options.desired()?.pods.values() ?? [])];
    const unopened = desired.filter((pod) => !this.#workers.has(pod.metadata.uid));
    return [...held.map((worker) => worker.report()), ...unopened.map((pod) => this.#unopened(pod))];
  }

  /** A pod that could not be looked at yet because the engine has not answered. */
  #unopened(pod: DesiredPod): PodReport {
    const { tools } = this.#options;
    const memory = newMemory(tools.clock.nowMs(), tools.clock.monotonicMs());
    return new PodWorker(tools, this.#cell(pod, memory), undefined, () => undefined).report();
  }

  async #open(podUid: string, pod: DesiredPod | undefined): Promise<PodWorker | undefined> {
    const { tools, onStatus, keepAddress } = this.#options;
    const { clock, observer, volumes } = tools;
    const views = observer.containersOf(podUid);
    const known = pod ?? podFromLabels(views);
    if (known === undefined) return undefined;
    const now = { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
    const { memory, status } = await recover(volumes.paths(podUid), now, views[0]?.podStartMs);
    const worker = new PodWorker(tools, this.#cell(known, memory), status, onStatus);
    const ip = views.find((view) => view.podIp !== undefined)?.podIp;
    if (ip !== undefined) keepAddress(podUid, ip);
    this.#workers.set(podUid, worker);
    return worker;
  }

  #cell(pod: DesiredPod, memory: PodMemory): PodCell {
    return new PodCell(pod, memory, configSource(this.#options.desired(), pod));
  }
}
