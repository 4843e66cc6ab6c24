import type { Clock } from '../../kit/clock.ts';
import type { PodUsage, Telemetry } from '../../protocol/wire/messages.ts';
import { type Load, nextLoad } from '../decide/load.ts';

/** What the hub knows of a node's load. All `…AtMs` without `wall` are monotonic. */
export interface NodeTelemetry {
  readonly sample: Telemetry;
  readonly load: Load;
  readonly receivedAtMs: number;
  readonly receivedWallMs: number;
  /** Until when the sample speaks: an empty heartbeat says that nothing has changed meaningfully. */
  readonly confirmedAtMs: number;
  readonly confirmedWallMs: number;
  readonly heartbeatMs: number;
}

/** Use of one pod as last reported, with the wall time of the report. */
export interface PodTelemetry extends PodUsage {
  readonly receivedWallMs: number;
  readonly windowMs: number;
}

/** Beats that may be missing before a sample is stale, and a little for the way. */
const STALE_BEATS = 1.5;
const STALE_SLACK_MS = 500;
/** However often it is confirmed, a sample older than this is stale: the profile's slow keep-alive is below. */
const MAX_SAMPLE_AGE_MS = 15 * 60_000;
const DEFAULT_HEARTBEAT_MS = 3_000;
const UID_CHARS = 8;
const MAX_PODS_PER_NODE = 2000;

/**
 * Latest telemetry of every node and pod, in memory only. Reading never changes anything; what is stale is told apart from what is
 * idle. Listeners hear of a node when its damped load moved or its telemetry came back.
 */
export class TelemetryView {
  readonly #clock: Clock;
  readonly #nodes = new Map<string, NodeTelemetry>();
  readonly #pods = new Map<string, Map<string, PodTelemetry>>();
  readonly #listeners = new Set<(node: string) => void>();
  readonly #podListeners = new Set<(node: string) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A heartbeat of a node; undefined `sample` confirms the last one. Without any yet it says nothing. */
  accept(node: string, sample: Telemetry | undefined, heartbeatMs = DEFAULT_HEARTBEAT_MS): void {
    const before = this.#nodes.get(node);
    const spoken = sample ?? before?.sample;
    if (spoken === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.nowMs();
    const wasFresh = this.isFresh(node);
    const ratios = {
      cpuRatio: spoken.cpuRatio,
      memoryRatio: spoken.memoryTotalBytes > 0 ? spoken.memoryUsedBytes / spoken.memoryTotalBytes : 0,
    };
    // After a silence the old load says nothing any more: start from what is seen.
    const load = nextLoad(wasFresh ? before?.load : undefined, ratios, nowMs);
    this.#nodes.set(node, {
      sample: spoken,
      load,
      receivedAtMs: sample === undefined ? (before?.receivedAtMs ?? nowMs) : nowMs,
      receivedWallMs: sample === undefined ? (before?.receivedWallMs ?? wallMs) : wallMs,
      confirmedAtMs: nowMs,
      confirmedWallMs: wallMs,
      heartbeatMs,
    });
    if (sample?.pods !== undefined) this.#acceptPods(node, sample.pods, sample.windowMs, wallMs);
    const moved =
      load.heldCpuRatio !== before?.load.heldCpuRatio ||
      load.heldMemoryRatio !== before.load.heldMemoryRatio ||
      // Placement looks at the memory really used, too.
      spoken.memoryUsedBytes !== before.sample.memoryUsedBytes;
    if (moved || !wasFresh) for (const listener of this.#listeners) listener(node);
    if (sample?.pods !== undefined || !wasFresh) for (const listener of this.#podListeners) listener(node);
  }

  /** What is known of the node, fresh or not; undefined when it never said anything. */
  node(name: string): NodeTelemetry | undefined {
    return this.#nodes.get(name);
  }

  /** The same, but undefined when it is stale: unknown, not idle. */
  fresh(name: string): NodeTelemetry | undefined {
    return this.isFresh(name) ? this.#nodes.get(name) : undefined;
  }

  isFresh(name: string): boolean {
    const known = this.#nodes.get(name);
    if (known === undefined) return false;
    const nowMs = this.#clock.monotonicMs();
    const silentMs = nowMs - known.confirmedAtMs;
    if (silentMs > STALE_BEATS * known.heartbeatMs + STALE_SLACK_MS) return false;
    return nowMs - known.receivedAtMs <= MAX_SAMPLE_AGE_MS;
  }

  /** Last known use of a pod on `node`; undefined when the device has not told. */
  pod(node: string, uid: string): PodTelemetry | undefined {
    return this.#pods.get(node)?.get(uid.slice(0, UID_CHARS));
  }

  /** Forgets a pod that is gone. */
  forgetPod(node: string, uid: string): void {
    this.#pods.get(node)?.delete(uid.slice(0, UID_CHARS));
  }

  /** Forgets a node that was deleted, or whose boot is new. */
  forget(node: string): void {
    this.#nodes.delete(node);
    this.#pods.delete(node);
  }

  /** Calls `listener` with the node's name when its damped load or its used memory moved or its telemetry came back. Returns the way to stop. */
  subscribe(listener: (node: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Calls `listener` with the node's name when the use of a pod of it was told, or it came back. Returns the way to stop. */
  subscribePods(listener: (node: string) => void): () => void {
    this.#podListeners.add(listener);
    return () => void this.#podListeners.delete(listener);
  }

  #acceptPods(
    node: string,
    pods: Readonly<Record<string, PodUsage>>,
    windowMs: number,
    receivedWallMs: number,
  ): void {
    const known = this.#pods.get(node) ?? new Map<string, PodTelemetry>();
    for (const [uid, use] of Object.entries(pods)) {
      known.set(uid.slice(0, UID_CHARS), { ...use, windowMs, receivedWallMs });
    }
    // A device that makes uids up must not fill the hub: the oldest go.
    for (const uid of known.keys()) {
      if (known.size <= MAX_PODS_PER_NODE) break;
      known.delete(uid);
    }
    this.#pods.set(node, known);
  }
}
