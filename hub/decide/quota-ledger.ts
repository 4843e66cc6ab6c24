import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { ResourceQuota } from '../../protocol/kinds/policy.ts';
import { type Amounts, isTerminal } from './pod-facts.ts';
import { inScope, limitedNames } from './quota.ts';
import { countedUntilMs, type QuotaKind, quotaUsage, resourceOf } from './quota-usage.ts';

/** A change of one object: its new state, the one before, or both. */
export interface LedgerChange {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly object: KubeObject;
  readonly previous?: KubeObject;
}

/** What a pod that is being deleted takes until an instant, epoch ms, that instant included. */
interface Fading {
  readonly amounts: Amounts;
  readonly untilMs: number;
}

/**
 * What the objects of one kind take of one quota, kept from change to change: a question costs nothing however many they are.
 * Pods that are being deleted stop counting by time; once they did they do not count again, also if the clock goes back.
 */
class QuotaLedger {
  readonly #quota: ResourceQuota;
  readonly #kind: QuotaKind;
  readonly #names: readonly string[];
  readonly #sums: Record<string, number> = {};
  readonly #fading = new Map<string, Fading>();
  #nextFadeMs = Number.POSITIVE_INFINITY;
  #isExact = true;

  constructor(quota: ResourceQuota, kind: QuotaKind, present: Iterable<KubeObject>) {
    this.#quota = quota;
    this.#kind = kind;
    this.#names = limitedNames(quota, kind);
    for (const object of present) this.#enter(object);
  }

  /** False once a sum was larger than numbers are exact: it must be added up anew. */
  get isExact(): boolean {
    return this.#isExact;
  }

  /** Epoch ms after which a pod stops counting by time alone; infinite when none will. */
  get nextFadeMs(): number {
    return this.#nextFadeMs;
  }

  take({ type, object, previous }: LedgerChange): void {
    if (previous !== undefined && type === 'modified' && takesTheSame(this.#kind, object, previous)) return;
    if (previous !== undefined) this.#leave(previous);
    if (type !== 'deleted') this.#enter(object);
  }

  used(nowMs: number): Amounts {
    if (nowMs > this.#nextFadeMs) this.#fade(nowMs);
    return this.#sums;
  }

  #enter(object: KubeObject): void {
    if (!inScope(this.#quota, this.#kind, object)) return;
    this.#add(this.#lasting(object), 1);
    const fading = this.#fadingOf(object);
    if (fading === undefined) return;
    this.#add(fading.amounts, 1);
    this.#fading.set(object.metadata.uid, fading);
    this.#nextFadeMs = Math.min(this.#nextFadeMs, fading.untilMs);
  }

  #leave(object: KubeObject): void {
    if (!inScope(this.#quota, this.#kind, object)) return;
    this.#add(this.#lasting(object), -1);
    const fading = this.#fading.get(object.metadata.uid);
    if (fading === undefined) return;
    this.#add(fading.amounts, -1);
    this.#fading.delete(object.metadata.uid);
  }

  #lasting(object: KubeObject): Amounts {
    return quotaUsage(this.#kind, object, Number.POSITIVE_INFINITY);
  }

  /** What the object takes beside, for as long as it does. */
  #fadingOf(object: KubeObject): Fading | undefined {
    const untilMs = countedUntilMs(this.#kind, object);
    if (untilMs === undefined) return undefined;
    const lasting = this.#lasting(object);
    const all = Object.entries(quotaUsage(this.#kind, object, untilMs));
    const amounts = Object.fromEntries(all.map(([name, n]) => [name, n - (lasting[name] ?? 0)]));
    return { amounts, untilMs };
  }

  /** Deletion times are whole seconds, so that this walks the pods being deleted once a second at most. */
  #fade(nowMs: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const [uid, { amounts, untilMs }] of this.#fading) {
      if (untilMs >= nowMs) {
        next = Math.min(next, untilMs);
        continue;
      }
      this.#add(amounts, -1);
      this.#fading.delete(uid);
    }
    this.#nextFadeMs = next;
  }

  #add(amounts: Amounts, sign: 1 | -1): void {
    for (const name of this.#names) {
      const sum = (this.#sums[name] ?? 0) + sign * (amounts[name] ?? 0);
      if (!Number.isSafeInteger(sum)) this.#isExact = false;
      this.#sums[name] = sum;
    }
  }
}

/** True of most changes of pods: what the device reports of those that go on running. */
function takesTheSame(kind: QuotaKind, after: KubeObject, before: KubeObject): boolean {
  if (resourceOf(kind) !== 'pods') return false;
  const [a, b] = [after as Pod, before as Pod];
  return (
    a.spec === b.spec &&
    isTerminal(a) === isTerminal(b) &&
    a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
    a.metadata.deletionGracePeriodSeconds === b.metadata.deletionGracePeriodSeconds
  );
}

/** What is kept of one quota: a ledger for each kind that was asked about, all for the same limits. */
interface Book {
  readonly of: ResourceQuota['spec'];
  readonly uid: string;
  readonly ledgers: Map<string, QuotaLedger>;
}

/**
 * Ledgers of all quotas that were asked about, made at the first question and exact from then on, as long as `take` hears of
 * every change in order and before the next question. A namespace whose quotas nobody asked about costs one look into a map.
 */
export class QuotaLedgers {
  readonly #namespaces = new Map<string, Map<string, Book>>();

  take(kind: QuotaKind, change: LedgerChange): void {
    const { namespace = '', name } = change.object.metadata;
    const books = this.#namespaces.get(namespace);
    if (books === undefined) return;
    const resource = resourceOf(kind);
    if (resource === 'resourcequotas' && change.type === 'deleted') books.delete(name);
    for (const { ledgers } of books.values()) ledgers.get(resource)?.take(change);
    if (books.size === 0) this.#namespaces.delete(namespace);
  }

  /** What the objects of a kind take of a quota at an instant. `present` lists them; it is called when they must be added up. */
  used(quota: ResourceQuota, kind: QuotaKind, nowMs: number, present: () => Iterable<KubeObject>): Amounts {
    const { ledgers } = this.#book(quota);
    const resource = resourceOf(kind);
    let ledger = ledgers.get(resource);
    if (ledger?.isExact !== true) {
      ledger = new QuotaLedger(quota, kind, present());
      ledgers.set(resource, ledger);
    }
    return ledger.used(nowMs);
  }

  /** Epoch ms after which the quota's use changes by time alone; infinite when it will not. */
  nextFadeMs(quota: ResourceQuota): number {
    const ledgers = [...this.#book(quota).ledgers.values()];
    return Math.min(Number.POSITIVE_INFINITY, ...ledgers.map((ledger) => ledger.nextFadeMs));
  }

  /** Adds up anew at the next questions: changes that were told have not come to be. */
  forget(): void {
    this.#namespaces.clear();
  }

  #book(quota: ResourceQuota): Book {
    const { namespace = '', name, uid } = quota.metadata;
    const books = this.#namespaces.get(namespace) ?? new Map<string, Book>();
    this.#namespaces.set(namespace, books);
    const known = books.get(name);
    if (known !== undefined && known.uid === uid && known.of === quota.spec) return known;
    const book: Book = { of: quota.spec, uid, ledgers: new Map() };
    books.set(name, book);
    return book;
  }
}
