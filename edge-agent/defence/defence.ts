import type { Timer } from '../../kit/clock.ts';
import type { ImageFact } from '../../protocol/wire/messages.ts';
import {
  type EvictionSignal,
  evictionMessage,
  evictionStep,
  RESOURCES,
  rankForEviction,
} from '../decide/evict.ts';
import { NO_PRESSURE, type PressureState, pressureNews } from '../decide/pressure.ts';
import { ImageKeeper } from './image-keeper.ts';
import { measurePods } from './measure.ts';
import type { DefenceOptions } from './ports.ts';
import { StorageWatch } from './storage-watch.ts';

/** How soon to look again while a pressure is met: faster than memory runs out of most boards, in ms. */
const ALERT_MS = 1_000;
/** Without anybody else looking (cut off from the hub), the machine is looked at after this many samples. */
const QUIET_SAMPLES = 1.5;

/**
 * The node defends itself, with or without a hub: when the disk fills up unused images go, then dead containers, and when a pressure
 * lasts, one pod after the other in Kubernetes' order. It looks whenever the telemetry does; its own timer only steps in when
 * nobody else looks. One round at a time.
 */
export class Defence {
  readonly #options: DefenceOptions;
  readonly #images: ImageKeeper;
  readonly #storage: StorageWatch;
  #told: PressureState = NO_PRESSURE;
  #lastEvictionMs: number | undefined;
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #sweep: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: DefenceOptions) {
    this.#options = options;
    this.#images = new ImageKeeper(options);
    this.#storage = new StorageWatch(options);
  }

  /** Images as the node reports them. */
  get imageFacts(): readonly ImageFact[] | undefined {
    return this.#images.facts;
  }

  /** Something happened on the engine, or it is back. */
  engineChanged(): void {
    if (!this.#isStopped) this.#images.changed();
  }

  /** The machine's figures were just read. */
  look(): void {
    if (this.#isStopped) return;
    this.#arm();
    this.#tellNews();
    this.#images.touch();
    this.#storage.look();
    this.#round ??= this.#defend()
      .catch((err: unknown) => {
        // The engine is away or the disk refuses: the next look tries again.
        this.#options.log.warn('node could not be defended', { err });
      })
      .finally(() => {
        this.#round = undefined;
      });
  }

  /** Ends looking; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#images.stop();
    await this.#storage.stop();
    await this.#round;
  }

  #tellNews(): void {
    const { pods, reading, nodeName } = this.#options;
    const { state } = reading();
    for (const reason of pressureNews(this.#told, state))
      pods.tellNode('Normal', reason, `Node ${nodeName()} status is now: ${reason}`);
    this.#told = state;
  }

  #arm(afterMs?: number): void {
    const { clock, limits, reading, refresh } = this.#options;
    this.#timer?.cancel();
    const isMet = Object.values(reading().state).some((s) => s.metSinceMs !== undefined);
    const quietMs = limits().sampleMs * QUIET_SAMPLES;
    const delayMs = afterMs ?? (isMet ? Math.min(ALERT_MS, quietMs) : quietMs);
    this.#timer = clock.after(delayMs, refresh);
  }

  async #defend(): Promise<void> {
    const { pods, reading, limits, clock } = this.#options;
    if (!pods.engineReady) return;
    const { state } = reading();
    pods.setLean(state.disk.held);
    const diskSinceMs = state.disk.metSinceMs;
    const isPressed = diskSinceMs !== undefined && !this.#images.hasSweptSince(diskSinceMs);
    if (isPressed || this.#images.isDue()) this.#sweepImages();
    const step = evictionStep(
      {
        pressure: state,
        nowMs: clock.monotonicMs(),
        isEvicting: pods.isEvicting,
        isDiskSwept: diskSinceMs !== undefined && this.#images.hasSweptSince(diskSinceMs),
        ...(this.#lastEvictionMs === undefined ? {} : { lastEvictionMs: this.#lastEvictionMs }),
      },
      limits(),
    );
    if (step.do === 'wait') this.#arm(Math.min(ALERT_MS, step.untilMs - clock.monotonicMs()));
    if (step.do === 'evict') await this.#evictOne(step.signal);
  }

  /** Beside the rounds: a slow card must not keep the node from an eviction for memory. */
  #sweepImages(): void {
    this.#sweep ??= this.#images.collect().finally(() => {
      this.#sweep = undefined;
      // The figures are of before: they are read again before a pod pays for them.
      if (!this.#isStopped) this.#arm(0);
    });
  }

  async #evictOne(signal: EvictionSignal): Promise<void> {
    const { pods, reading, limits, clock, log, meter, store } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#lastEvictionMs = nowMs;
    pods.tellNode('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${RESOURCES[signal]}`);
    const measured = await measurePods(signal, pods.evictable(), { meter, store, nowMs });
    const [first] = rankForEviction(signal, measured);
    if (first === undefined) {
      log.warn('no pod can be evicted', { signal });
      return;
    }
    const bounds = limits();
    const message = evictionMessage(signal, first, reading().input, bounds);
    await pods.evict(first.uid, { message, graceMs: bounds.evictionGraceMs });
  }
}
