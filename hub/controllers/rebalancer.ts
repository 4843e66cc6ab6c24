import type { KeyedQueue } from '../../kit/keyed-queue.ts';
import type { Namespace } from '../../protocol/kinds/core.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Deployment } from '../../protocol/kinds/workloads.ts';
import type { Change } from '../cluster.ts';
import { planRound, type Wish } from '../decide/rebalance-round.ts';
import { MAX_MOVES, REBALANCE, type RebalanceTerms, rebalanceTerms } from '../decide/rebalance-terms.ts';
import { DEFAULT_REBALANCE_TIMES, type RebalanceTimes } from '../decide/rebalance-times.ts';
import { newReplicaSet } from '../decide/revisions.ts';
import { PRICE_LABEL } from '../decide/scores/price.ts';
import { keyOf, type Loop, type LoopDeps, loopQueue, referenceTo, splitKey } from '../loop.ts';
import { controllerDeps } from './object-loop.ts';
import { MOVED, PodMover } from './pod-mover.ts';
import { RebalanceLog } from './rebalance-log.ts';
import { type RebalancePorts, RebalanceWishes, type Willing } from './rebalance-wishes.ts';

const ROUND = 'round';
/** Rounds take at most this share of the processor. */
const SHARE = 0.02;
const HOUR_MS = 3_600_000;

/**
 * Moves pods of Deployments that opted in to nodes that suit them much better, for as long as the score of the scheduler says so. Costs
 * nothing while nobody opted in; otherwise wakes on changes of nodes, workloads and telemetry, and by time only while somebody
 * would like to move. What it decides on is in the API and in telemetry; after a restart it waits until both have spoken long enough.
 */
export class Rebalancer implements Loop {
  readonly #deps: LoopDeps;
  readonly #ports: RebalancePorts;
  readonly #times: RebalanceTimes;
  readonly #queue: KeyedQueue;
  readonly #log: RebalanceLog;
  readonly #mover: PodMover;
  readonly #stops: (() => void)[] = [];
  readonly #wishes: RebalanceWishes;
  #standing: ReadonlyMap<string, number> = new Map();
  /** Annotations that were told to be wrong, by uid of their object. */
  readonly #told = new Map<string, string>();
  #isOn = false;
  #stirredAtMs: number | undefined;
  #notBeforeMs = 0;

  constructor(deps: LoopDeps, ports: RebalancePorts, times: RebalanceTimes = DEFAULT_REBALANCE_TIMES) {
    this.#deps = controllerDeps(deps, 'rebalancer');
    this.#ports = ports;
    this.#times = times;
    this.#log = new RebalanceLog(deps.clock);
    this.#wishes = new RebalanceWishes(deps, ports, times);
    this.#mover = new PodMover(deps, ports.preview, ports.useOf, (end) => this.#log.ended(end));
    this.#queue = loopQueue(() => this.#round(), this.#deps, 1);
  }

  start(signal: AbortSignal): void {
    const { view } = this.#deps;
    this.#stops.push(
      view.subscribe((change) => this.#onChange(change)),
      this.#ports.live.subscribe((node) => this.#onLoad(node)),
    );
    this.#mover.start(signal);
    this.#recall();
    this.#queue.addAfter(ROUND, this.#times.gatherMs);
    signal.addEventListener('abort', () => void this.stop(), { once: true });
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    await Promise.all([this.#queue.stop(), this.#mover.stop()]);
  }

  /** Counts the moves of the last hour that another hub, or this one before it was restarted, has begun. */
  #recall(): void {
    const { view, clock } = this.#deps;
    for (const { deployment, rs, terms } of this.#willing()) {
      for (const { metadata } of view.ownedBy('Pod', rs.metadata.uid)) {
        const agoMs = clock.nowMs() - Date.parse(metadata.annotations?.[MOVED] ?? '');
        if (agoMs >= 0 && agoMs < HOUR_MS) this.#log.began(terms.scope, agoMs);
      }
      for (const move of this.#mover.moves())
        if (move.deployment === keyOf(deployment)) this.#log.began(terms.scope);
    }
  }

  #onChange({ kind, type, object, previous }: Change): void {
    if (kind === 'Node') this.#onNode(type, object as Node, previous as Node | undefined);
    else if (kind === 'Deployment' || kind === 'Namespace') {
      if (speaksOf(object) || speaksOf(previous) || this.#isAskedFor(object))
        this.#queue.addAfter(ROUND, this.#delayMs());
    }
    if (kind === 'Pod' || kind === 'Deployment' || kind === 'Node') this.#wake();
    if (type === 'deleted') this.#told.delete(object.metadata.uid);
  }

  /** What is made in a namespace that has asked before says nothing of it by itself. */
  #isAskedFor({ metadata }: KubeObject): boolean {
    return speaksOf(this.#deps.view.get('Namespace', '', metadata.namespace ?? ''));
  }

  #onNode(type: Change['type'], node: Node, previous: Node | undefined): void {
    const came = type !== 'deleted' && isReadyNode(node) && !isReadyNode(previous);
    const isPriced =
      type === 'modified' && node.metadata.labels?.[PRICE_LABEL] !== previous?.metadata.labels?.[PRICE_LABEL];
    if (came || isPriced) this.#stirredAtMs = this.#deps.clock.monotonicMs();
  }

  #onLoad(node: string): void {
    if (!this.#isOn) return;
    this.#wishes.read(node);
    this.#wake();
  }

  #wake(): void {
    if (this.#isOn) this.#queue.addAfter(ROUND, this.#delayMs());
  }

  #delayMs(): number {
    return Math.max(this.#times.gatherMs, this.#notBeforeMs - this.#deps.clock.monotonicMs());
  }

  async #round(): Promise<void> {
    const { clock } = this.#deps;
    const willing = this.#willing();
    this.#isOn = willing.length > 0;
    if (!this.#isOn) {
      this.#wishes.clear();
      this.#standing = new Map();
      return;
    }
    this.#log.sweep();
    this.#wishes.readAll();
    const { wishes, isForming, costMs } = await this.#wishes.gather(willing);
    const nowMs = clock.monotonicMs();
    this.#notBeforeMs = nowMs + Math.max(this.#times.spacingMs, costMs / SHARE);
    const moves = this.#mover.moves();
    const plan = planRound({
      nowMs,
      times: this.#times,
      wishes,
      isForming,
      standing: this.#standing,
      stirredAtMs: this.#stirredAtMs,
      moving: moves.map((m) => m.deployment),
      isPlacing: moves.some((m) => m.isPlacing),
      begun: (scope) => this.#log.begun(scope),
      restsUntilMs: (deployment) => this.#log.restsUntilMs(deployment),
      movedAtMs: (node) => this.#log.movedAtMs(node),
    });
    this.#standing = plan.standing;
    if (wishes.length > 0) this.#deps.log.debug('rebalance plan', { wishes, begin: plan.begin });
    if (plan.lookAgainMs !== undefined)
      this.#queue.addAfter(ROUND, Math.max(plan.lookAgainMs, this.#delayMs()));
    for (const wish of plan.previews) this.#preview(wish);
    if (plan.begin !== undefined && (await this.#mover.begin(plan.begin))) this.#log.began(plan.begin.scope);
  }

  #preview({ key, podUid, deployment, from, to, why, gain }: Wish): void {
    const { view, events } = this.#deps;
    const { namespace, name } = splitKey(deployment);
    const about = view.get('Deployment', namespace, name);
    const pod = view.byUid('Pod', podUid);
    if (about === undefined || pod === undefined || !this.#log.isToTell(key)) return;
    const message = `Would move pod ${pod.metadata.name} from ${from}, ${to} suits it better: ${why} (gain ${gain} of 100)`;
    events.record({ involved: referenceTo(about), type: 'Normal', reason: 'RebalancingPreview', message });
  }

  #willing(): Willing[] {
    const { view } = this.#deps;
    return view.list('Deployment').flatMap((deployment) => {
      const namespace = view.get('Namespace', '', deployment.metadata.namespace ?? '');
      const terms = rebalanceTerms(deployment, namespace);
      this.#tell(deployment, namespace, terms);
      const rs =
        terms.isOn || terms.isPreview
          ? newReplicaSet(deployment, view.ownedBy('ReplicaSet', deployment.metadata.uid))
          : undefined;
      return rs === undefined ? [] : [{ deployment, rs, terms }];
    });
  }

  #tell(deployment: Deployment, namespace: Namespace | undefined, { bad }: RebalanceTerms): void {
    const about = bad[0]?.on === 'Namespace' ? namespace : deployment;
    if (about === undefined) return;
    const { uid } = about.metadata;
    const text = bad.map(({ annotation, value }) => `${annotation}: ${JSON.stringify(value)}`).join(', ');
    if ((this.#told.get(uid) ?? '') === text) return;
    this.#told.set(uid, text);
    if (text === '') return;
    const message = `Cannot read ${text.slice(0, 500)}: ${REBALANCE} is "true", "false" or "preview", ${MAX_MOVES} a whole number`;
    const involved = referenceTo(about);
    this.#deps.events.record({ involved, type: 'Warning', reason: 'InvalidAnnotation', message });
  }
}

function isReadyNode(node: Node | undefined): boolean {
  return node?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function speaksOf(object: KubeObject | undefined): boolean {
  return object?.metadata.annotations?.[REBALANCE] !== undefined;
}
