import { isCritical } from '../decide/evict.ts';
import {
  exceededLimit,
  isStorageDue,
  type StorageLimits,
  type StorageLook,
  storageLimits,
  storageLook,
} from '../decide/local-storage.ts';
import { priorityOf } from './measure.ts';
import type { DefenceOptions, RunningPod } from './ports.ts';
import { StorageMeter } from './storage-meter.ts';

/** Grace of a pod that took more disk than it may, in ms; the kubelet's. */
const GRACE_MS = 1_000;

type Options = Pick<DefenceOptions, 'clock' | 'log' | 'store' | 'pods' | 'reading'>;

/**
 * Holds pods to their limits of local storage: those of containers (ephemeral-storage), and of emptyDirs (sizeLimit). It has no timer:
 * it looks when the machine is looked at anyway, and measures only pods that have such limits, one after the other, when they are due.
 */
export class StorageWatch {
  readonly #options: Options;
  readonly #abort = new AbortController();
  readonly #meter: StorageMeter;
  readonly #looks = new Map<string, StorageLook>();
  /** Pods whose last measuring failed: told once. */
  readonly #failing = new Set<string>();
  #round: Promise<void> | undefined;

  constructor(options: Options) {
    this.#options = options;
    this.#meter = new StorageMeter(options.store, options.clock, this.#abort.signal);
  }

  /** True while nothing is being measured. */
  get isIdle(): boolean {
    return this.#round === undefined;
  }

  /** The machine's figures were just read. Nothing more happens while no pod here has such a limit. */
  look(): void {
    const { pods } = this.#options;
    if (this.#round !== undefined || this.#abort.signal.aborted || !pods.engineReady) return;
    const limited = pods.limited();
    if (limited.length === 0 && this.#looks.size === 0) return;
    this.#round = this.#measureDue(limited).finally(() => {
      this.#round = undefined;
    });
  }

  /** Ends a walk under way. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#round;
  }

  async #measureDue(limited: readonly RunningPod[]): Promise<void> {
    const present = new Set(limited.map(({ pod }) => pod.metadata.uid));
    for (const uid of this.#looks.keys()) {
      if (present.has(uid)) continue;
      this.#looks.delete(uid);
      this.#failing.delete(uid);
    }
    this.#meter.keep(new Set(limited.flatMap(({ containers }) => containers.map((c) => c.id))));
    for (const pod of limited) {
      if (this.#abort.signal.aborted) return;
      const limits = isCritical(priorityOf(pod.pod.spec)) ? undefined : storageLimits(pod.pod.spec);
      if (limits !== undefined) await this.#measureOne(pod, limits);
    }
  }

  async #measureOne(pod: RunningPod, limits: StorageLimits): Promise<void> {
    const { clock, pods, reading, log } = this.#options;
    const { uid } = pod.pod.metadata;
    const { diskUsedRatio, diskTotalBytes } = reading().input;
    const diskUsedBytes = diskUsedRatio * diskTotalBytes;
    const startMs = clock.monotonicMs();
    const before = this.#looks.get(uid);
    if (!isStorageDue(before, { atMs: startMs, diskUsedBytes })) return;
    const look = (): Pick<StorageLook, 'atMs' | 'costMs' | 'diskUsedBytes'> => {
      const atMs = clock.monotonicMs();
      return { atMs, costMs: atMs - startMs, diskUsedBytes };
    };
    try {
      const use = await this.#meter.measure(pod, limits);
      this.#looks.set(uid, storageLook(limits, use, look(), before));
      this.#failing.delete(uid);
      const message = exceededLimit(limits, use);
      if (message !== undefined) await pods.evict(uid, { message, graceMs: GRACE_MS, isOverLimit: true });
    } catch (err) {
      // The engine is away, or cannot count this one; the others must not wait for it. It is tried again as if near its limit.
      if (this.#abort.signal.aborted) return;
      this.#looks.set(uid, { ...look(), headroomBytes: 0, usedRatio: 1, bytesPerMs: 0 });
      if (!this.#failing.has(uid))
        log.warn('local storage of a pod could not be measured', { pod: uid, err });
      this.#failing.add(uid);
    }
  }
}
