import type { NodeRefusal, Placed } from './place.ts';

/** Up to this many nodes are named one by one with what exactly is in the way. */
const MAX_NAMED_NODES = 10;

/**
 * What Kubernetes says of a pod that fits nowhere: `0/3 nodes are available: 2 Insufficient memory, 1 node(s) had ….`
 * Equal for equal causes, whatever the live numbers are.
 */
export function refusalSummary(reasons: readonly NodeRefusal[]): string {
  if (reasons.length === 0) return '0/0 nodes are available: no node has joined yet.';
  const counts = new Map<string, number>();
  for (const { refusals } of reasons) {
    for (const { reason } of refusals) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${reasons.length} nodes are available: ${texts.join(', ')}.`;
}

/**
 * The summary, then what came of preemption when it was thought about, and for a small fleet every node with its own reason and
 * the figures of now.
 */
export function refusalText(reasons: readonly NodeRefusal[], preemption?: string): string {
  const summary = withPreemption(refusalSummary(reasons), preemption);
  if (reasons.length === 0 || reasons.length > MAX_NAMED_NODES) return summary;
  const named = reasons.map(({ node, refusals }) => {
    const texts = refusals.map((r) => (r.detail === undefined ? r.reason : `${r.reason} (${r.detail()})`));
    return `${node}: ${texts.join(' and ')}`;
  });
  return `${summary} ${named.join('; ')}.`;
}

/** A summary with what came of preemption behind it, as kube-scheduler writes it. */
export function withPreemption(summary: string, preemption: string | undefined): string {
  return preemption === undefined ? summary : `${summary} preemption: ${preemption}`;
}

/** Why preemption was no way out, in kube-scheduler's words. */
export function preemptionText(reasons: readonly NodeRefusal[]): string {
  const total = reasons.length;
  const final = reasons.filter(({ refusals }) => refusals.some((r) => r.final === true)).length;
  const parts = [
    ...(total > final ? [`${total - final} No preemption victims found for incoming pod`] : []),
    ...(final > 0 ? [`${final} Preemption is not helpful for scheduling`] : []),
  ];
  return `0/${total} nodes are available: ${parts.join(', ')}.`;
}

/** What the Scheduled event says beside where the pod went. */
export function placementText(placement: Placed, nodes: number): string {
  const parts = [`score ${placement.score} of 100`, `${placement.feasible} of ${nodes} nodes feasible`];
  if (placement.staleTelemetry) parts.push('no fresh telemetry of this node: judged by requests alone');
  if (placement.cpuSaturated) parts.push('no node has live CPU headroom: took the least loaded');
  return parts.join(', ');
}
