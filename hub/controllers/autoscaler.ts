import type { HorizontalPodAutoscaler } from '../../protocol/kinds/autoscaling.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { parseSelector, type Requirement, requirementsMatch } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import {
  failedRescale,
  type HpaNote,
  type HpaVerdict,
  type HpaWorld,
  isWorthWriting,
  judgeAutoscaler,
} from '../decide/hpa.ts';
import type { UseOf } from '../decide/hpa-metrics.ts';
import type { HpaMemory } from '../decide/hpa-types.ts';
import { keyOf, type Loop, type LoopDeps, momentOf, referenceTo, splitKey, tolerant } from '../loop.ts';
import { controllerDeps, ObjectLoop } from './object-loop.ts';
import { errorText } from './pod-control.ts';
import type { FoundScale, ScaleTargets } from './scale-targets.ts';

/** Live use of pods. */
export interface UsageSource {
  readonly read: UseOf;
  /** Calls `listener` with a node's name when the use of a pod there was told. Returns the way to stop. */
  subscribe(listener: (node: string) => void): () => void;
}

const KIND = 'HorizontalPodAutoscaler';
/** Figures of several devices arrive close together: they are judged once. */
const GATHER_MS = 1_000;
/** Without any news: windows end, and devices fall silent. Kubernetes looks as often. */
const RECHECK_MS = 15_000;

/**
 * Keeps targets of HorizontalPodAutoscalers at the number of replicas that live use asks for. Woken by telemetry, so that a surge is
 * answered when it is told and not when a poll comes round; how fast and how often is bound by the policies, not by that. What it
 * remembers (wishes and changes of the last minutes) is lost with the process, which starts anew from the present number.
 */
export class Autoscaler implements Loop {
  readonly #deps: LoopDeps;
  readonly #scales: ScaleTargets;
  readonly #usage: UsageSource;
  readonly #loop: ObjectLoop;
  readonly #memories = new Map<string, HpaMemory>();
  /** Which pods an autoscaler cared for when it was last looked at. */
  readonly #scopes = new Map<string, { namespace: string; requirements: readonly Requirement[] }>();
  readonly #writtenMs = new Map<string, number>();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: LoopDeps, scales: ScaleTargets, usage: UsageSource) {
    this.#deps = controllerDeps(deps, 'autoscaler');
    this.#scales = scales;
    this.#usage = usage;
    this.#loop = new ObjectLoop(deps, {
      name: 'autoscaler',
      kind: KIND,
      concurrency: 4,
      reconcile: (key) => this.#reconcile(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
    this.#unsubscribe = this.#usage.subscribe((node) => this.#onUse(node));
  }

  stop(): Promise<void> {
    this.#unsubscribe?.();
    return this.#loop.stop();
  }

  #onChange({ kind, type, object }: Change): void {
    if (kind === KIND) {
      if (type === 'deleted') this.#forget(object as HorizontalPodAutoscaler);
      return;
    }
    if (!this.#scales.isScalable(kind)) return;
    for (const hpa of this.#deps.view.list(KIND, object.metadata.namespace)) {
      const { scaleTargetRef: ref } = hpa.spec;
      const isTarget = ref.kind === object.kind && ref.name === object.metadata.name;
      if (isTarget) this.#loop.queue.addAfter(keyOf(hpa), GATHER_MS);
    }
  }

  #onUse(node: string): void {
    if (this.#scopes.size === 0) return;
    const pods = this.#deps.view.podsOnNode(node);
    for (const [key, { namespace, requirements }] of this.#scopes) {
      const isMine = ({ metadata }: Pod): boolean =>
        metadata.namespace === namespace && requirementsMatch(requirements, metadata.labels);
      if (pods.some(isMine)) this.#loop.queue.addAfter(key, GATHER_MS);
    }
  }

  #forget(hpa: HorizontalPodAutoscaler): void {
    this.#memories.delete(hpa.metadata.uid);
    this.#writtenMs.delete(hpa.metadata.uid);
    this.#scopes.delete(keyOf(hpa));
  }

  async #reconcile(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const hpa = this.#deps.view.get(KIND, namespace, name);
    if (hpa === undefined || hpa.metadata.deletionTimestamp !== undefined) return;
    const world = this.#world(key, hpa, namespace);
    const verdict = judgeAutoscaler(world);
    const done = await this.#rescale(world, verdict, namespace);
    // Somebody else set another number meanwhile: judge that one.
    if (done === undefined) return this.#loop.queue.addAfter(key, GATHER_MS);
    this.#memories.set(hpa.metadata.uid, done.memory);
    this.#loop.queue.addAfter(key, Math.min(RECHECK_MS, done.lookAgainMs ?? RECHECK_MS));
    this.#tell(hpa, done);
    await this.#write(hpa, done);
  }

  #world(key: string, hpa: HorizontalPodAutoscaler, namespace: string): HpaWorld {
    const { view, clock } = this.#deps;
    const found = this.#scales.find(hpa.spec.scaleTargetRef, namespace);
    const requirements = requirementsOf(found);
    if (requirements === undefined) this.#scopes.delete(key);
    else this.#scopes.set(key, { namespace, requirements });
    const pods =
      requirements === undefined
        ? []
        : view.list('Pod', namespace).filter((p) => requirementsMatch(requirements, p.metadata.labels));
    return {
      hpa,
      scale: found.ok ? { ok: true, ...found.scale } : found,
      pods,
      claimants: this.#claimants(hpa, pods, namespace),
      useOf: this.#usage.read,
      memory: this.#memories.get(hpa.metadata.uid),
      now: momentOf(clock),
      monotonicMs: clock.monotonicMs(),
    };
  }

  #claimants(hpa: HorizontalPodAutoscaler, pods: readonly Pod[], namespace: string): string[] {
    const others = this.#deps.view.list(KIND, namespace);
    if (others.length < 2) return [keyOf(hpa)];
    const claims = others.filter((other) => {
      if (other === hpa) return true;
      const requirements = requirementsOf(this.#scales.find(other.spec.scaleTargetRef, namespace));
      return (
        requirements !== undefined && pods.some((p) => requirementsMatch(requirements, p.metadata.labels))
      );
    });
    return claims.map(keyOf);
  }

  /** What came of the verdict; undefined when the target is no longer what was judged. */
  async #rescale(world: HpaWorld, verdict: HpaVerdict, namespace: string): Promise<HpaVerdict | undefined> {
    const { rescale } = verdict;
    if (rescale === undefined) return verdict;
    const { from, to, reason } = rescale;
    try {
      const isDone = await this.#scales.set(world.hpa.spec.scaleTargetRef, namespace, from, to);
      if (!isDone) return undefined;
    } catch (error) {
      // Told in conditions and an Event, and tried again at the next look.
      return failedRescale(world, verdict, errorText(error));
    }
    this.#deps.log.info('rescaled', { key: keyOf(world.hpa), from, to, reason });
    return verdict;
  }

  /** Warnings once, when they arise: the conditions go on saying it. */
  #tell(hpa: HorizontalPodAutoscaler, { notes, status }: HpaVerdict): void {
    const wordsOf = (conditions: HpaVerdict['status']['conditions'] = []): string =>
      conditions.map((c) => `${c.type} ${c.reason} ${c.message}`).join();
    const isNews = wordsOf(hpa.status?.conditions) !== wordsOf(status.conditions);
    const involved = referenceTo(hpa);
    const told = notes.filter((note: HpaNote) => note.type === 'Normal' || isNews);
    for (const note of told) this.#deps.events.record({ involved, ...note });
  }

  async #write(hpa: HorizontalPodAutoscaler, { status }: HpaVerdict): Promise<void> {
    const { client, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    const { uid, namespace = '', name } = hpa.metadata;
    const agoMs = nowMs - (this.#writtenMs.get(uid) ?? Number.NEGATIVE_INFINITY);
    if (!isWorthWriting(hpa.status, status, agoMs)) return;
    this.#writtenMs.set(uid, nowMs);
    const change = (draft: HorizontalPodAutoscaler): boolean => {
      if (draft.metadata.uid !== uid) return false;
      draft.status = status;
      return true;
    };
    await tolerant(client.modify(KIND, namespace, name, change, 'status'));
  }
}

function requirementsOf(found: FoundScale): readonly Requirement[] | undefined {
  if (!found.ok || found.scale.selector === '') return undefined;
  const parsed = parseSelector(found.scale.selector);
  return parsed.ok ? parsed.requirements : undefined;
}
