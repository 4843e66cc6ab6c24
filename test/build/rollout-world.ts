/** A deployment in a world of values: its ReplicaSets, their pods and a clock, driven by the pure decisions alone. */
import { isActive, isReady } from '../../hub/decide/pod-facts.ts';
import { tallyOf } from '../../hub/decide/pod-tally.ts';
import { planReplicas } from '../../hub/decide/replicas.ts';
import { planRollout, type RolloutAction, type RolloutMember } from '../../hub/decide/rollout.ts';
import { rolloutMember } from '../../hub/decide/rollout-members.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Deployment, DeploymentSpec, ReplicaSet } from '../../protocol/kinds/workloads.ts';
import { deployment, freshOf, pod, replicaSet } from './workloads.ts';

export class RolloutWorld {
  wanted: Deployment;
  nowMs = Date.parse('2026-01-01T00:00:00Z');
  sets: ReplicaSet[] = [];
  pods: Pod[] = [];
  #count = 0;

  constructor(image: string, spec: Partial<DeploymentSpec>) {
    this.wanted = deployment(image, spec);
  }

  change(spec: Partial<DeploymentSpec>): void {
    this.wanted = { ...this.wanted, spec: { ...this.wanted.spec, ...spec } };
  }

  members(): RolloutMember[] {
    const minReady = this.wanted.spec.minReadySeconds ?? 0;
    return this.sets.map((rs) => rolloutMember(rs, tallyOf(this.podsOf(rs)), minReady, this.nowMs));
  }

  podsOf(rs: ReplicaSet): Pod[] {
    return this.pods.filter((p) => p.metadata.ownerReferences?.[0]?.uid === rs.metadata.uid);
  }

  /** One pass of the deployment controller. */
  rollOut(): readonly RolloutAction[] {
    const plan = planRollout(this.wanted, this.members());
    for (const action of plan) this.#apply(action);
    return plan;
  }

  /** One pass of the ReplicaSet controller over one ReplicaSet; true when it changed something. */
  reconcile(rs: ReplicaSet): boolean {
    const plan = planReplicas(rs, this.podsOf(rs), [], { related: this.pods, nowMs: this.nowMs });
    for (let i = 0; i < plan.create; i++) this.#start(rs);
    const gone = new Set(plan.remove.map((p) => p.metadata.name));
    this.pods = this.pods.map((p) => (gone.has(p.metadata.name) ? deleting(p) : p));
    return plan.create > 0 || gone.size > 0;
  }

  setReady(at: Pod, ready: boolean): void {
    if (isReady(at) === ready) return;
    const conditions = [
      { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: this.time() } as const,
    ];
    this.#replace(at, { ...at, status: { ...at.status, phase: 'Running', conditions } });
  }

  fail(at: Pod): void {
    this.#replace(at, { ...at, status: { phase: 'Failed' } });
  }

  remove(at: Pod): void {
    this.#replace(at, deleting(at));
  }

  /** Devices confirm what is being deleted. */
  sweep(): void {
    this.pods = this.pods.filter((p) => p.metadata.deletionTimestamp === undefined);
  }

  /** Everything starts well and all controllers run until nothing changes; false when that does not happen. */
  settle(): boolean {
    // Quiet twice: what became ready after the first quiet round may call for more.
    for (let round = 0, quiet = 0; round < 200; round++) {
      const moved = this.rollOut().length > 0;
      const changed = this.sets.map((rs) => this.reconcile(rs)).some(Boolean);
      this.sweep();
      for (const p of this.pods.filter(isActive)) this.setReady(p, true);
      this.nowMs += 60_000;
      quiet = moved || changed ? 0 : quiet + 1;
      if (quiet === 2) return true;
    }
    return false;
  }

  fresh(): RolloutMember | undefined {
    return freshOf(this.wanted, this.members());
  }

  time(): string {
    return new Date(this.nowMs).toISOString();
  }

  #start(rs: ReplicaSet): void {
    this.#count++;
    const node = `n${this.#count % 4}`;
    const made = pod(`pod-${String(this.#count).padStart(4, '0')}`, {
      node,
      ready: false,
      phase: 'Pending',
      created: this.time(),
      owner: rs.metadata.uid,
      labels: rs.spec.template.metadata?.labels ?? {},
    });
    this.pods = [...this.pods, made];
  }

  #replace(before: Pod, after: Pod): void {
    this.pods = this.pods.map((p) => (p === before ? after : p));
  }

  #apply(action: RolloutAction): void {
    if (action.do === 'create') {
      const image = this.wanted.spec.template.spec.containers[0]?.image ?? '';
      const rs = replicaSet(image, action.replicas, action.annotations, this.sets.length);
      const { minReadySeconds } = this.wanted.spec;
      this.sets = [
        ...this.sets,
        { ...rs, spec: { ...rs.spec, ...(minReadySeconds !== undefined && { minReadySeconds }) } },
      ];
    }
    if (action.do === 'delete') this.sets = this.sets.filter((rs) => rs.metadata.name !== action.name);
    if (action.do === 'scale')
      this.sets = this.sets.map((rs) => (rs.metadata.name === action.name ? this.#scaled(rs, action) : rs));
    if (action.do === 'set-revision') {
      const annotations = { 'deployment.kubernetes.io/revision': String(action.revision) };
      this.wanted = { ...this.wanted, metadata: { ...this.wanted.metadata, annotations } };
    }
  }

  #scaled(rs: ReplicaSet, action: RolloutAction & { do: 'scale' }): ReplicaSet {
    const { minReadySeconds } = this.wanted.spec;
    const annotations = { ...rs.metadata.annotations, ...action.annotations };
    return {
      ...rs,
      metadata: { ...rs.metadata, annotations },
      spec: {
        ...rs.spec,
        replicas: action.replicas,
        ...(minReadySeconds !== undefined && { minReadySeconds }),
      },
    };
  }
}

function deleting(p: Pod): Pod {
  return { ...p, metadata: { ...p.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
}
