import type { KubeObject, OwnerReference } from '../../protocol/kinds/meta.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { PodDisruptionBudget } from '../../protocol/kinds/policy.ts';
import { selectorMatches } from '../../protocol/selector.ts';
import type { Change } from '../cluster.ts';
import { type BudgetRollup, budgetsOf, type OwnerScale, rollUpBudget } from '../decide/disruption.ts';
import { keyOf, type Loop, type LoopDeps, momentOf, referenceTo, splitKey, tolerant } from '../loop.ts';
import { controllerDeps, ObjectLoop } from './object-loop.ts';
import type { ScaleTargets } from './scale-targets.ts';

/** Changes of pods come in swarms, and every look counts all pods: a budget of many is looked at less often. */
const SPACING_MS = 25;
const SPACING_MS_PER_POD = 0.1;

/**
 * Keeps the status of every PodDisruptionBudget true. Evictions take from it with compare-and-swap, and so does this: neither
 * overwrites what the other has just done.
 */
export class DisruptionController implements Loop {
  readonly #deps: LoopDeps;
  readonly #scales: Pick<ScaleTargets, 'find' | 'isScalable'>;
  readonly #loop: ObjectLoop;

  constructor(deps: LoopDeps, scales: Pick<ScaleTargets, 'find' | 'isScalable'>) {
    this.#deps = controllerDeps(deps, 'disruption');
    this.#scales = scales;
    this.#loop = new ObjectLoop(deps, {
      name: 'disruption',
      kind: 'PodDisruptionBudget',
      concurrency: 4,
      reconcile: (key) => this.#reconcile(key),
      spacingMs: (key) => this.#spacingMs(key),
      onChange: (change) => this.#onChange(change),
    });
  }

  start(signal: AbortSignal): void {
    this.#loop.start(signal);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  #spacingMs(key: string): number {
    const { namespace, name } = splitKey(key);
    const pdb = this.#deps.view.get('PodDisruptionBudget', namespace, name);
    return SPACING_MS + SPACING_MS_PER_POD * (pdb?.status?.expectedPods ?? 0);
  }

  #onChange({ kind, object, previous }: Change): void {
    const isPod = kind === 'Pod';
    if (!isPod && !this.#scales.isScalable(kind)) return;
    const budgets = this.#deps.view.list('PodDisruptionBudget', object.metadata.namespace);
    if (budgets.length === 0) return;
    const seen = (previous === undefined ? [object] : [object, previous]) as Pod[];
    const touched = isPod ? seen.flatMap((pod) => budgetsOf(pod, budgets)) : budgets;
    for (const pdb of touched) this.#loop.add(keyOf(pdb));
  }

  async #reconcile(key: string): Promise<void> {
    const { view, client, clock } = this.#deps;
    const { namespace, name } = splitKey(key);
    const pdb = view.get('PodDisruptionBudget', namespace, name);
    if (pdb === undefined || pdb.metadata.deletionTimestamp !== undefined) return;
    const pods = view
      .list('Pod', namespace)
      .filter((pod) => selectorMatches(pdb.spec?.selector, pod.metadata.labels));
    const scaleOf = (owner: OwnerReference): OwnerScale | undefined => this.#scaleOf(owner, namespace);
    const rollup = rollUpBudget(pdb, pods, scaleOf, momentOf(clock));
    if (rollup.lookAgainMs !== undefined) this.#loop.queue.addAfter(key, rollup.lookAgainMs);
    if (!rollup.changed) return;
    this.#tell(pdb, pods, rollup);
    await tolerant(client.updateStatus('PodDisruptionBudget', { ...pdb, status: rollup.status }));
  }

  /** The scale that stands behind a pod's controller: that of the Deployment, where a ReplicaSet belongs to one. */
  #scaleOf(owner: OwnerReference, namespace: string): OwnerScale | undefined {
    const { view } = this.#deps;
    const set = owner.kind === 'ReplicaSet' ? view.byUid('ReplicaSet', owner.uid) : undefined;
    const above = set?.metadata.ownerReferences?.find((o) => o.controller === true);
    const ref = above?.kind === 'Deployment' ? above : owner;
    const found = this.#scales.find(ref, namespace);
    if (!found.ok) return found.reason === 'NoObject' ? undefined : found;
    if (found.scale.uid !== ref.uid) return undefined;
    return { ok: true, uid: ref.uid, replicas: found.scale.replicas };
  }

  #tell(pdb: PodDisruptionBudget, pods: readonly Pod[], rollup: BudgetRollup): void {
    const note = (about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string): void =>
      this.#deps.events.record({ involved: referenceTo(about), type, reason, message });
    if (pods.length === 0) note(pdb, 'Normal', 'NoPods', 'No matching pods found');
    if (rollup.failure !== undefined) {
      const message = `Failed to calculate the number of expected pods: ${rollup.failure}`;
      note(pdb, 'Warning', 'CalculateExpectedPodCountFailed', message);
    }
    if (rollup.unmanaged.length > 0) {
      const message =
        'Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the PDB ' +
        'cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set ' +
        '".spec.minAvailable" field of the PDB to an integer value.';
      note(pdb, 'Warning', 'UnmanagedPods', message);
    }
    for (const pod of rollup.notDeleted) {
      const message = `Pod was expected by PDB ${keyOf(pdb)} to be deleted but it wasn't`;
      note(pod, 'Warning', 'NotDeleted', message);
    }
  }
}
