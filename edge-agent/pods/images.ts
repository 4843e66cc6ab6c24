import type { Clock } from '../../kit/clock.ts';
import { withDeadline } from '../../kit/deadline.ts';
import type { ImageFailureReason } from '../decide/pod-memory.ts';
import { isRuntimeError, RuntimeError } from '../decide/runtime-error.ts';
import type { ImageView, RegistryAuth, Runtime } from './ports.ts';

/** How long a registry that could not be reached is not asked again when the node has the image. */
const UNREACHABLE_MS = 5 * 60_000;
/** How long a registry may take to answer when the node has the image already. */
const IMPATIENT_MS = 3_000;
const PULL_LIMIT_MS = 60 * 60_000;

export interface FetchRequest {
  readonly ref: string;
  readonly policy: 'Always' | 'IfNotPresent' | 'Never';
  /** Credentials to try, in order; none means anonymous. */
  readonly auths: readonly RegistryAuth[];
  /** Called when a pull begins. */
  readonly onPull: () => void;
}

export type FetchResult =
  | {
      readonly ok: true;
      readonly image: ImageView;
      readonly how: 'present' | 'pulled' | 'fallback';
      readonly tookMs: number;
    }
  | { readonly ok: false; readonly reason: ImageFailureReason; readonly message: string };

/**
 * Brings images to the node. Offline every policy behaves as IfNotPresent: a registry that cannot be reached never
 * keeps a pod from an image the node has. Pulls of the same image at the same time are one pull.
 */
export class Images {
  readonly #runtime: Pick<Runtime, 'image' | 'pull'>;
  readonly #clock: Clock;
  readonly #pulls = new Map<string, Promise<void>>();
  readonly #looks = new Map<string, Promise<ImageView | undefined>>();
  readonly #unreachableUntilMs = new Map<string, number>();

  readonly #onPulled: () => void;

  /** `onPulled` is called whenever a pull has ended, well or not. */
  constructor(
    runtime: Pick<Runtime, 'image' | 'pull'>,
    clock: Clock,
    onPulled: () => void = () => undefined,
  ) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#onPulled = onPulled;
  }

  /** References that are being pulled now. */
  pulling(): string[] {
    return [...this.#pulls.keys()];
  }

  /** The image if the node has it and the policy is content with that: the quick way. */
  async local(
    ref: string,
    policy: FetchRequest['policy'],
    signal: AbortSignal,
  ): Promise<ImageView | undefined> {
    if (policy === 'Always' && !this.#isUnreachable(ref)) return undefined;
    return this.#find(ref, signal);
  }

  /** The whole way: look, pull, fall back. Rejects only when the engine is gone. */
  async fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchResult> {
    const sinceMs = this.#clock.monotonicMs();
    const took = (): number => this.#clock.monotonicMs() - sinceMs;
    const { ref, policy } = request;
    const present = await this.#find(ref, signal);
    const enough = policy !== 'Always' || this.#isUnreachable(ref);
    if (present !== undefined && enough) return { ok: true, image: present, how: 'present', tookMs: took() };
    if (policy === 'Never') {
      const message = `Container image "${ref}" is not present with pull policy of Never`;
      return { ok: false, reason: 'ErrImageNeverPull', message };
    }
    try {
      request.onPull();
      await this.#pull(request, present !== undefined, signal);
    } catch (error) {
      if (!isRuntimeError(error) || error.reason === 'EngineUnreachable' || signal.aborted) throw error;
      const offline = error.reason === 'RegistryUnreachable' || error.reason === 'TimedOut';
      if (offline) this.#unreachableUntilMs.set(registryOf(ref), this.#clock.monotonicMs() + UNREACHABLE_MS);
      if (present !== undefined && offline)
        return { ok: true, image: present, how: 'fallback', tookMs: took() };
      return { ok: false, reason: failureReason(error), message: error.message };
    }
    const pulled = await this.#find(ref, signal);
    if (pulled !== undefined) return { ok: true, image: pulled, how: 'pulled', tookMs: took() };
    return { ok: false, reason: 'ErrImagePull', message: `image "${ref}" is not there after its pull` };
  }

  /** Many pods of one image that start together ask once. */
  #find(ref: string, signal: AbortSignal): Promise<ImageView | undefined> {
    const running = this.#looks.get(ref);
    if (running !== undefined) return running;
    const look = this.#ask(ref, signal).finally(() => this.#looks.delete(ref));
    this.#looks.set(ref, look);
    return look;
  }

  /** An image reference nobody could resolve is "not there", not an error of the engine. */
  async #ask(ref: string, signal: AbortSignal): Promise<ImageView | undefined> {
    try {
      return await this.#runtime.image(ref, signal);
    } catch (error) {
      if (isRuntimeError(error, 'BadSpec', 'ImageNotFound')) return undefined;
      throw error;
    }
  }

  async #pull(request: FetchRequest, impatient: boolean, signal: AbortSignal): Promise<void> {
    const running = this.#pulls.get(request.ref) ?? this.#startPull(request, signal);
    if (!impatient) return running;
    let timer: ReturnType<Clock['after']> | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `registry of "${request.ref}" did not answer within ${IMPATIENT_MS} ms`;
      timer = this.#clock.after(IMPATIENT_MS, () => reject(new RuntimeError('TimedOut', text)));
    });
    try {
      await Promise.race([running, late]);
    } finally {
      timer?.cancel();
    }
  }

  #startPull(request: FetchRequest, signal: AbortSignal): Promise<void> {
    const run = withDeadline(PULL_LIMIT_MS, signal, (s) => this.#tryAuths(request, s));
    const tracked = run.finally(() => {
      this.#pulls.delete(request.ref);
      this.#onPulled();
    });
    this.#pulls.set(request.ref, tracked);
    // Whoever waits sees the failure; when an impatient caller has left, there is nobody to tell.
    tracked.catch(() => undefined);
    return tracked;
  }

  async #tryAuths(request: FetchRequest, signal: AbortSignal): Promise<void> {
    const auths: (RegistryAuth | undefined)[] = request.auths.length > 0 ? [...request.auths] : [undefined];
    let last: unknown;
    for (const auth of auths) {
      try {
        return await this.#runtime.pull(request.ref, auth, signal);
      } catch (error) {
        if (!isRuntimeError(error, 'ImageForbidden')) throw error;
        last = error;
      }
    }
    throw last;
  }

  #isUnreachable(ref: string): boolean {
    const untilMs = this.#unreachableUntilMs.get(registryOf(ref));
    return untilMs !== undefined && this.#clock.monotonicMs() < untilMs;
  }
}

function failureReason(error: RuntimeError): ImageFailureReason {
  return error.reason === 'BadSpec' ? 'InvalidImageName' : 'ErrImagePull';
}

/** Host of a reference: the first part when it looks like one, else Docker Hub. */
export function registryOf(ref: string): string {
  const first = ref.split('/')[0] ?? '';
  const isHost = ref.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  return isHost ? first : 'docker.io';
}
