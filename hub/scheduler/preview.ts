import type { Pod } from '../../protocol/kinds/pod.ts';
import { TAINT_MEMORY_PRESSURE, TAINT_TEMPERATURE_PRESSURE } from '../../protocol/taints.ts';
import { type Candidates, fits, nodeRefusals } from '../decide/candidates.ts';
import type { NodeState } from '../decide/node-state.ts';
import { groupMerits, type PodRules, podRules, refusedBy } from '../decide/place.ts';
import type { LiveUse, PodToPlace } from '../decide/pod-to-place.ts';
import type { Outlook } from '../decide/rebalance.ts';
import type { ClusterState, Resident } from './cluster-state.ts';
import type { Placer } from './placer.ts';

/** Taints that say how loaded a node is: no reason to leave its pods where they are. */
const BURDENS: readonly string[] = [TAINT_MEMORY_PRESSURE, TAINT_TEMPERATURE_PRESSURE];

/** A pod on a node with what it really uses; undefined takes what the scheduler takes it for. */
export interface UsedPod {
  readonly pod: Pod;
  readonly use: LiveUse | undefined;
}

/** Answers where the scheduler would put pods that are on nodes already. Changes nothing. */
export class Preview {
  readonly #state: ClusterState;
  readonly #placer: Placer;
  readonly #wanted: (pod: Pod) => PodToPlace | undefined;

  /** `wanted` reads from a pod what placement needs; undefined when it cannot be placed. */
  constructor(state: ClusterState, placer: Placer, wanted: (pod: Pod) => PodToPlace | undefined) {
    this.#state = state;
    this.#placer = placer;
    this.#wanted = wanted;
  }

  /**
   * What `look` makes of the pod's node and of the one that its replacement would get while the pod is still there. Undefined
   * when that is the same, or none, or when it is no longer welcome where it is for other reasons than load and rules between
   * pods: cordoned nodes are for people to empty.
   */
  elsewhere<T>({ pod, use }: UsedPod, look: (outlook: Outlook) => T): T | undefined {
    const resident = this.#state.resident(pod.metadata.uid);
    const wanted = this.#wanted(pod);
    if (resident === undefined || wanted === undefined) return undefined;
    const choice = this.#placer.place(wanted);
    if (!choice.ok || choice.node === resident.node) return undefined;
    return this.#compare(wanted, using(resident, use), choice.node, [], look);
  }

  /** The same for a pod and its replacement, which is on another node already. */
  between<T>(old: UsedPod, fresh: UsedPod, look: (outlook: Outlook) => T): T | undefined {
    const resident = this.#state.resident(old.pod.metadata.uid);
    const replacement = this.#state.resident(fresh.pod.metadata.uid);
    const wanted = this.#wanted(old.pod);
    if (resident === undefined || replacement === undefined || wanted === undefined) return undefined;
    const away = using(replacement, fresh.use);
    return this.#compare(wanted, using(resident, old.use), replacement.node, [away], look);
  }

  #compare<T>(
    wanted: PodToPlace,
    resident: Resident,
    target: string,
    others: readonly Resident[],
    look: (outlook: Outlook) => T,
  ): T | undefined {
    const { nodes } = this.#state;
    const here = nodes.slotOf(resident.node);
    const there = nodes.slotOf(target);
    if (here === undefined || there === undefined) return undefined;
    return this.#state.supposing([resident, ...others], [], () => {
      const from = nodes.at(here);
      const to = nodes.at(there);
      if (from === undefined || to === undefined) return undefined;
      if (!isWelcome(wanted, from)) return undefined;
      const candidates = this.#placer.candidatesOf(wanted);
      const rules = podRules(wanted, candidates, this.#state);
      const merits = groupMerits(candidates, rules, feasibleWith(candidates, rules, [here, there]));
      return look({
        pod: { ...wanted, estimate: resident.pod.estimate },
        from,
        to,
        beside: {
          rules: merits.rules(there) - merits.rules(here),
          price: merits.price(there) - merits.price(here),
        },
        unruly: refusedBy(rules, here) !== undefined,
      });
    });
  }
}

/** True unless the node would refuse the pod for another reason than what it has to bear. */
function isWelcome(pod: PodToPlace, node: NodeState): boolean {
  const taints = node.taints.filter(({ key }) => !BURDENS.includes(key));
  return nodeRefusals(pod, { ...node, taints }).every((refusal) => refusal.kind === 'live');
}

function using({ pod, node }: Resident, use: LiveUse | undefined): Resident {
  return use === undefined ? { pod, node } : { pod: { ...pod, estimate: use }, node };
}

/** The slots that the pod could have, and those in question whether it could or not. */
function feasibleWith(
  candidates: Candidates,
  rules: PodRules,
  also: readonly number[],
): { slots: Int32Array; count: number } {
  const slots = new Int32Array(candidates.size);
  let count = 0;
  for (let slot = 0; slot < candidates.size; slot++) {
    const isFeasible = fits(candidates.flags[slot] ?? 0) && refusedBy(rules, slot) === undefined;
    if (isFeasible || also.includes(slot)) slots[count++] = slot;
  }
  return { slots, count };
}
