import type { Clock, Timer } from '../../kit/clock.ts';
import type { ServiceAccount } from '../../protocol/kinds/core.ts';
import type { Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import type { Item } from '../../protocol/wire/messages.ts';
import { accountOf } from '../../protocol/wire/pod-tokens.ts';
import type { Change, ClusterView } from '../cluster.ts';
import {
  hasEnded,
  isTokenDue,
  type PodToken,
  type PodTokenWish,
  podTokensItem,
  refreshAgeMs,
  tokenWishes,
} from '../decide/pod-tokens.ts';
import { type EventSink, isApiError, referenceTo } from '../loop.ts';

/** Signs tokens of service accounts. Throws ApiError NotFound or Conflict when account or pod are gone. */
export interface TokenIssuer {
  issueNow(
    namespace: string,
    account: string,
    wish: {
      readonly audiences: readonly string[];
      readonly expirationSeconds: number;
      readonly bound: { readonly kind: string; readonly name: string; readonly uid: string };
    },
  ): { readonly token: string };
}

/** What the tokens' keeper reads and tells. */
export interface PodTokensDeps {
  readonly view: Pick<ClusterView, 'get' | 'list' | 'byUid'>;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** What the tokens' keeper knows of devices. */
export interface TokenDevices {
  isHeard(node: string): boolean;
  /** Looks at the node's desired state again. */
  trigger(node: string): void;
}

/** The clock may be set, which timers do not notice: the tokens are looked at this often at least. No token lives shorter. */
const LONGEST_LOOK_MS = 10 * 60_000;

interface Held {
  readonly node: string;
  readonly accountUid: string;
  readonly tokens: ReadonlyMap<string, PodToken>;
  readonly item: Item;
}

/**
 * Keeps the tokens of pods that ask for some in a projected volume; in memory only: a hub that starts makes new ones. A token is made
 * when the pod's desired state is looked at and replaced in time; those of devices that are away wait until they are back. One
 * timer for all, none while there are no such pods.
 */
export class PodTokens {
  readonly #deps: PodTokensDeps;
  readonly #issuer: TokenIssuer;
  readonly #devices: TokenDevices;
  readonly #held = new Map<string, Held>();
  readonly #wishes = new WeakMap<PodSpec, ReadonlyMap<string, PodTokenWish>>();
  /** Pods whose missing account was told. */
  readonly #told = new Set<string>();
  #timer: { readonly timer: Timer; readonly dueMs: number } | undefined;

  constructor(deps: PodTokensDeps, issuer: TokenIssuer, devices: TokenDevices) {
    this.#deps = deps;
    this.#issuer = issuer;
    this.#devices = devices;
  }

  /** The items with the tokens of a node's pods; makes those that are missing or due. The same item while nothing is due. */
  bring(node: string, pods: readonly Pod[]): Item[] {
    return pods.flatMap((pod) => {
      const wishes = this.#wishesOf(pod.spec);
      return wishes.size === 0 ? [] : (this.#bringOne(node, pod, wishes) ?? []);
    });
  }

  /** A pod is gone and its tokens with it, or an account is there that pods may wait for. */
  onChange({ kind, type, object }: Change): void {
    if (kind === 'Pod' && type === 'deleted') this.#forget(object.metadata.uid);
    if (kind !== 'ServiceAccount' || type !== 'added') return;
    const { namespace, name } = object.metadata;
    for (const { spec } of this.#deps.view.list('Pod', namespace)) {
      if (spec.nodeName === undefined || accountOf(spec) !== name) continue;
      if (this.#wishesOf(spec).size > 0) this.#devices.trigger(spec.nodeName);
    }
  }

  stop(): void {
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #bringOne(node: string, pod: Pod, wishes: ReadonlyMap<string, PodTokenWish>): Item | undefined {
    const { uid, namespace = '' } = pod.metadata;
    const known = this.#held.get(uid);
    if (hasEnded(pod)) return known?.item;
    const account = this.#deps.view.get('ServiceAccount', namespace, accountOf(pod.spec));
    if (account === undefined) {
      this.#tellMissing(pod, wishes);
      return known?.item;
    }
    const held = this.#renewed(node, pod, account, wishes, known);
    if (held === undefined) return known?.item;
    this.#told.delete(uid);
    this.#held.set(uid, held);
    this.#armFor(held);
    return held.item;
  }

  /** What is held with everything missing or due made anew; undefined when the pod went away meanwhile: its deletion calls us. */
  #renewed(
    node: string,
    pod: Pod,
    account: ServiceAccount,
    wishes: ReadonlyMap<string, PodTokenWish>,
    known: Held | undefined,
  ): Held | undefined {
    const accountUid = account.metadata.uid;
    const before = known?.accountUid === accountUid ? known : undefined;
    const isLacking = ([key]: [string, unknown]): boolean => this.#isLacking(node, before?.tokens.get(key));
    const lacking = [...wishes].filter(isLacking);
    if (before !== undefined && lacking.length === 0) return before;
    const tokens = new Map(before?.tokens);
    try {
      for (const [key, wish] of lacking) tokens.set(key, this.#make(pod, wish));
    } catch (error) {
      if (isApiError(error, 'NotFound', 'Conflict')) return undefined;
      throw error;
    }
    return { node, accountUid, tokens, item: podTokensItem(pod, tokens) };
  }

  #isLacking(node: string, token: PodToken | undefined): boolean {
    return token === undefined || (this.#isDue(token) && this.#devices.isHeard(node));
  }

  #isDue(token: PodToken): boolean {
    const { clock } = this.#deps;
    return isTokenDue(token, clock.nowMs(), clock.monotonicMs());
  }

  #make(pod: Pod, { audience, expirationSeconds }: PodTokenWish): PodToken {
    const { clock } = this.#deps;
    const { name, uid, namespace = '' } = pod.metadata;
    const { token } = this.#issuer.issueNow(namespace, accountOf(pod.spec), {
      audiences: audience === '' ? [] : [audience],
      expirationSeconds,
      bound: { kind: 'Pod', name, uid },
    });
    const lifeMs = expirationSeconds * 1000;
    return { token, lifeMs, bornAtMs: clock.nowMs(), bornSinceMs: clock.monotonicMs() };
  }

  #tellMissing(pod: Pod, wishes: ReadonlyMap<string, PodTokenWish>): void {
    if (this.#told.has(pod.metadata.uid)) return;
    this.#told.add(pod.metadata.uid);
    const why = `failed to fetch token: serviceaccounts "${accountOf(pod.spec)}" not found`;
    for (const volume of new Set([...wishes.values()].map((wish) => wish.volume))) {
      const message = `MountVolume.SetUp failed for volume "${volume}" : ${why}`;
      this.#deps.events.record({
        involved: referenceTo(pod),
        type: 'Warning',
        reason: 'FailedMount',
        message,
      });
    }
  }

  #forget(uid: string): void {
    this.#told.delete(uid);
    if (this.#held.delete(uid) && this.#held.size === 0) this.stop();
  }

  #armFor(held: Held): void {
    const ends = [...held.tokens.values()].map((token) => token.bornSinceMs + refreshAgeMs(token.lifeMs));
    this.#arm(Math.min(...ends));
  }

  /** Sets the timer unless an earlier one is set. */
  #arm(wantedMs: number): void {
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const dueMs = Math.min(wantedMs, nowMs + LONGEST_LOOK_MS);
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.timer.cancel();
    this.#timer = { dueMs, timer: clock.after(Math.max(0, dueMs - nowMs), () => this.#look()) };
  }

  /** A device that is away is passed over: its hello brings it here again, and sets the timer for its pods. */
  #look(): void {
    this.#timer = undefined;
    for (const [uid, held] of this.#held) {
      const pod = this.#deps.view.byUid('Pod', uid);
      if (pod === undefined) this.#forget(uid);
      else if (!hasEnded(pod) && this.#devices.isHeard(held.node)) this.#lookAt(held);
    }
  }

  #lookAt(held: Held): void {
    if ([...held.tokens.values()].some((token) => this.#isDue(token))) this.#devices.trigger(held.node);
    else this.#armFor(held);
  }

  #wishesOf(spec: PodSpec): ReadonlyMap<string, PodTokenWish> {
    const known = this.#wishes.get(spec);
    if (known !== undefined) return known;
    const wishes = tokenWishes(spec);
    this.#wishes.set(spec, wishes);
    return wishes;
  }
}
