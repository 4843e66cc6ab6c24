import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import type { ClusterView } from '../cluster.ts';
import type { NodeRefusal } from '../decide/place.ts';
import { preemptionText } from '../decide/placement-text.ts';
import type { PodToPlace } from '../decide/pod-to-place.ts';
import { leastHarm, type PossibleVictim, planVictims, type VictimPlan } from '../decide/preempt.ts';
import type { ClusterState, Resident } from './cluster-state.ts';
import type { Placer } from './placer.ts';

/** What preemption comes to: pods that have to leave a node, or in kube-scheduler's words why it is no way out. */
export type Preemption =
  | { readonly ok: true; readonly node: string; readonly victims: readonly Pod[] }
  | {
      readonly ok: false;
      readonly why: string;
      /** True when no room is on its way either. */
      readonly isFinal: boolean;
    };

/** For pods that would be removed in this order: whether the budgets allow each, after those before it. */
export type MayDisrupt = (
  pods: readonly Pod[],
  budgets: readonly PodDisruptionBudget[],
) => readonly boolean[];

/** Nodes looked at: at least so many, or this share of all. */
const MIN_NODES = 100;
const NODES_SHARE = 0.1;

/** Looks for the node where making room does the least harm. Only thinks pods away; whoever asks removes them. */
export class Preemptor {
  readonly #view: Pick<ClusterView, 'byUid' | 'list'>;
  readonly #state: ClusterState;
  readonly #placer: Placer;
  readonly #mayDisrupt: MayDisrupt;

  constructor(
    view: Pick<ClusterView, 'byUid' | 'list'>,
    state: ClusterState,
    placer: Placer,
    mayDisrupt: MayDisrupt,
  ) {
    this.#view = view;
    this.#state = state;
    this.#placer = placer;
    this.#mayDisrupt = mayDisrupt;
  }

  /** For a pod that `reasons` keep from every node; `promised` are pods that room was made for before. */
  plan(
    pod: Pod,
    wanted: PodToPlace,
    reasons: readonly NodeRefusal[],
    promised: readonly Resident[],
  ): Preemption {
    if (!wanted.preempts)
      return { ok: false, why: 'not eligible due to preemptionPolicy=Never.', isFinal: true };
    if (this.#isRoomComing(pod, wanted, reasons))
      return {
        ok: false,
        why: 'not eligible due to a terminating pod on the nominated node.',
        isFinal: false,
      };
    const why = preemptionText(reasons);
    if (this.#state.lowestPriority >= wanted.priority) return { ok: false, why, isFinal: true };
    const open = reasons.filter(({ refusals }) => refusals.every((r) => r.final !== true));
    const limit = Math.max(MIN_NODES, Math.ceil(NODES_SHARE * reasons.length));
    const plans: VictimPlan[] = [];
    for (const { node } of open) {
      const plan = this.#tryNode(node, wanted, promised);
      if (plan !== undefined) plans.push(plan);
      if (plans.length >= limit) break;
    }
    const chosen = leastHarm(plans);
    if (chosen === undefined) return { ok: false, why, isFinal: true };
    return { ok: true, node: chosen.node, victims: chosen.victims.flatMap((v) => this.#podOf(v.uid) ?? []) };
  }

  /** True when the pod would fit on the node without all that is leaving or less important than the pod. */
  couldMakeRoom(wanted: PodToPlace, node: string): boolean {
    if (!wanted.preempts || this.#state.lowestPriority >= wanted.priority) return false;
    const others = [...this.#state.residents(node)].filter(
      ({ pod }) => pod.terminating || pod.priority < wanted.priority,
    );
    return others.length > 0 && this.#state.supposing(others, [], () => this.#placer.fits(wanted, node));
  }

  /** Room was made before, its pods are still on their way out, and the node can still take the pod then. */
  #isRoomComing(pod: Pod, wanted: PodToPlace, reasons: readonly NodeRefusal[]): boolean {
    const node = pod.status?.nominatedNodeName;
    if (node === undefined || node === '') return false;
    const now = reasons.find((r) => r.node === node);
    if (now === undefined || now.refusals.some((r) => r.final === true)) return false;
    for (const resident of this.#state.residents(node)) {
      if (resident.pod.terminating && resident.pod.priority < wanted.priority) return true;
    }
    return false;
  }

  #tryNode(node: string, wanted: PodToPlace, promised: readonly Resident[]): VictimPlan | undefined {
    const lower: { resident: Resident; pod: Pod }[] = [];
    const leaving: Resident[] = [];
    for (const resident of this.#state.residents(node)) {
      if (resident.pod.terminating) leaving.push(resident);
      else if (resident.pod.priority < wanted.priority) {
        const pod = this.#podOf(resident.pod.uid);
        // One whose bind is under way is not there to be removed yet.
        if (pod?.spec.nodeName === node) lower.push({ resident, pod });
      }
    }
    if (lower.length + leaving.length === 0) return undefined;
    return this.#state.supposing(leaving, promised, () => {
      const byUid = new Map(lower.map(({ resident }) => [resident.pod.uid, resident]));
      const away = new Map<string, Resident>();
      const plan = planVictims(node, this.#possibleVictims(lower), {
        remove: (uid) => {
          const resident = byUid.get(uid);
          if (resident === undefined) return;
          away.set(uid, resident);
          this.#state.think(resident, 'away');
        },
        putBack: (uid) => {
          const resident = away.get(uid);
          if (resident === undefined) return;
          away.delete(uid);
          this.#state.think(resident, 'there');
        },
        fits: () => this.#placer.fits(wanted, node),
      });
      for (const resident of away.values()) this.#state.think(resident, 'there');
      return plan;
    });
  }

  #possibleVictims(lower: readonly { resident: Resident; pod: Pod }[]): PossibleVictim[] {
    const sorted = lower
      .map(({ resident, pod }) => ({ priority: resident.pod.priority, startedAtMs: startOf(pod), pod }))
      .sort(
        (a, b) => b.priority - a.priority || a.startedAtMs - b.startedAtMs || (uidOf(a) < uidOf(b) ? -1 : 1),
      );
    const budgets = this.#view.list('PodDisruptionBudget');
    const pods = sorted.map(({ pod }) => pod);
    const allowed = budgets.length === 0 ? undefined : this.#mayDisrupt(pods, budgets);
    return sorted.map(({ priority, startedAtMs, pod }, i) => ({
      uid: pod.metadata.uid,
      priority,
      startedAtMs,
      guarded: allowed?.[i] === false,
    }));
  }

  #podOf(uid: string): Pod | undefined {
    return this.#view.byUid('Pod', uid);
  }
}

function uidOf({ pod }: { readonly pod: Pod }): string {
  return pod.metadata.uid;
}

function startOf(pod: Pod): number {
  const at = Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp);
  return Number.isNaN(at) ? 0 : at;
}
