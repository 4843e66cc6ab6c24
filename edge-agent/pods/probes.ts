import type { Clock, Timer } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Probe } from '../../protocol/kinds/pod.ts';
import type { RunMemory } from '../decide/pod-memory.ts';
import {
  NO_RESULTS,
  type ProbeKind,
  type ProbeTally,
  probeDelayMs,
  probeOf,
  probePeriodMs,
  probeRuns,
  probeTimeoutMs,
  probeVerdict,
  tallyResult,
} from '../decide/probe.ts';
import { type HandlerResult, type HandlerTarget, runHandler } from './handlers.ts';
import type { Runtime } from './ports.ts';

/** A running container with what its probes need; `startedMs` is monotonic. */
export interface ProbedContainer extends HandlerTarget {
  readonly startedMs: number;
  readonly run: RunMemory;
}

export interface ProbeListener {
  /** A threshold was reached. */
  onVerdict(containerId: string, kind: ProbeKind, verdict: boolean): void;
  /** One probe failed, whether or not a threshold was reached. */
  onFailure(containerId: string, kind: ProbeKind, message: string): void;
}

const KINDS: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];

interface Worker {
  target: ProbedContainer;
  tally: ProbeTally;
  timer: Timer | undefined;
}

/**
 * Runs the probes of one pod's containers. Only probes that exist and are due have a timer. `sync` is called whenever
 * the pod was looked at; it starts probes of new containers and ends those of gone ones. Never two runs of one probe at once.
 */
export class PodProbes {
  readonly #runtime: Pick<Runtime, 'exec'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listener: ProbeListener;
  readonly #workers = new Map<string, Worker>();
  readonly #stop = new AbortController();

  constructor(runtime: Pick<Runtime, 'exec'>, clock: Clock, log: Logger, listener: ProbeListener) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#log = log;
    this.#listener = listener;
  }

  /** The containers that run now, with their latest verdicts. */
  sync(containers: readonly ProbedContainer[]): void {
    const live = new Set<string>();
    for (const target of containers) {
      for (const kind of KINDS) {
        const probe = probeOf(target.container, kind);
        if (probe === undefined || !probeRuns(target.run, kind)) continue;
        const key = `${target.containerId}/${kind}`;
        live.add(key);
        const worker = this.#workers.get(key);
        if (worker === undefined) this.#begin(key, kind, probe, target);
        else worker.target = target;
      }
    }
    for (const [key, worker] of this.#workers) {
      if (live.has(key)) continue;
      worker.timer?.cancel();
      this.#workers.delete(key);
    }
  }

  /** Ends all probes; nothing is told afterwards. */
  stop(): void {
    this.#stop.abort();
    this.sync([]);
  }

  #begin(key: string, kind: ProbeKind, probe: Probe, target: ProbedContainer): void {
    const worker: Worker = { target, tally: NO_RESULTS, timer: undefined };
    this.#workers.set(key, worker);
    const ranMs = this.#clock.monotonicMs() - target.startedMs;
    this.#schedule(key, kind, probe, worker, Math.max(0, probeDelayMs(probe) - ranMs));
  }

  #schedule(key: string, kind: ProbeKind, probe: Probe, worker: Worker, delayMs: number): void {
    worker.timer = this.#clock.after(delayMs, () => {
      this.#probe(key, kind, probe, worker).catch((error: unknown) => {
        // Says nothing about the container: the engine is away or the agent stops. Ask again later.
        this.#log.debug('probe could not be carried out', { key, kind, err: error });
        if (this.#workers.get(key) === worker) this.#schedule(key, kind, probe, worker, probePeriodMs(probe));
      });
    });
  }

  async #probe(key: string, kind: ProbeKind, probe: Probe, worker: Worker): Promise<void> {
    const sinceMs = this.#clock.monotonicMs();
    const result: HandlerResult = await runHandler(
      this.#runtime,
      probe,
      worker.target,
      probeTimeoutMs(probe),
      this.#stop.signal,
    );
    if (this.#workers.get(key) !== worker) return;
    const id = worker.target.containerId;
    worker.tally = tallyResult(worker.tally, result.ok ? 'success' : 'failure');
    if (!result.ok) this.#listener.onFailure(id, kind, result.message);
    const verdict = probeVerdict(probe, worker.tally);
    if (verdict !== undefined) this.#listener.onVerdict(id, kind, verdict);
    const tookMs = this.#clock.monotonicMs() - sinceMs;
    if (this.#workers.get(key) === worker)
      this.#schedule(key, kind, probe, worker, Math.max(0, probePeriodMs(probe) - tookMs));
  }
}
