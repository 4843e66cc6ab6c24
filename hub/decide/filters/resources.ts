import { formatBytes, formatCpu } from '../../../protocol/quantity.ts';
import { type Filter, NO_REFUSAL, type Refusal } from './filter.ts';

/** Requests must fit into allocatable less what the node's pods request; the number of pods too. */
export const requests: Filter = (pod, node) => {
  const refusals: Refusal[] = [];
  const maxPods = node.allocatable['pods'];
  if (maxPods !== undefined && node.podCount + 1 > maxPods) {
    refusals.push({ reason: 'Too many pods', detail: `${node.podCount} of ${maxPods} pods` });
  }
  for (const [name, needed] of Object.entries(pod.requests)) {
    if (needed <= 0) continue;
    const free = (node.allocatable[name] ?? 0) - (node.requested[name] ?? 0);
    if (needed <= free) continue;
    const detail = `requests ${show(name, needed)}, ${show(name, Math.max(0, free))} unrequested`;
    refusals.push({ reason: `Insufficient ${name}`, detail });
  }
  return refusals.length === 0 ? NO_REFUSAL : refusals;
};

/** A host port can be taken once on each address; one on every address excludes all others of that number. */
export const hostPorts: Filter = (pod, node) => {
  const clash = pod.hostPorts.find((port) => [...node.hostPorts].some((taken) => portsClash(port, taken)));
  if (clash === undefined) return NO_REFUSAL;
  return [
    { reason: "node(s) didn't have free ports for the requested pod ports", detail: `${clash} is taken` },
  ];
};

function portsClash(a: string, b: string): boolean {
  const [protocolA, portA, addressA] = a.split('/');
  const [protocolB, portB, addressB] = b.split('/');
  if (protocolA !== protocolB || portA !== portB) return false;
  return addressA === undefined || addressB === undefined || addressA === addressB;
}

function show(resource: string, amount: number): string {
  if (resource === 'cpu') return formatCpu(amount);
  if (resource !== 'memory' && resource !== 'ephemeral-storage') return String(amount);
  return amount >= 2 ** 20 ? `${Math.floor(amount / 2 ** 20)}Mi` : formatBytes(amount);
}
