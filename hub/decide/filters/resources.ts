import { formatBytes, formatCpu } from '../../../protocol/quantity.ts';
import { type Filter, NO_REFUSAL, type Refusal } from './filter.ts';

/** Requests must fit into allocatable less what the node's pods request; the number of pods too. */
export const requests: Filter = (pod, node) => {
  let refusals: Refusal[] | undefined;
  const { allocatable, requested, podCount } = node;
  const maxPods = allocatable['pods'];
  if (maxPods !== undefined && podCount + 1 > maxPods) {
    const detail = (): string => `${podCount} of ${maxPods} pods`;
    refusals = [{ kind: 'resources', reason: 'Too many pods', final: maxPods < 1, detail }];
  }
  for (const name in pod.requests) {
    const needed = pod.requests[name] ?? 0;
    const total = allocatable[name] ?? 0;
    const free = total - (requested[name] ?? 0);
    if (needed <= 0 || needed <= free) continue;
    refusals ??= [];
    const detail = (): string =>
      `requests ${show(name, needed)}, ${show(name, Math.max(0, free))} unrequested`;
    refusals.push({ kind: 'resources', reason: `Insufficient ${name}`, final: needed > total, detail });
  }
  return refusals ?? NO_REFUSAL;
};

/** A host port can be taken once on each address; one on every address excludes all others of that number. */
export const hostPorts: Filter = (pod, node) => {
  if (pod.hostPorts.length === 0 || node.hostPorts.size === 0) return NO_REFUSAL;
  const taken = [...node.hostPorts.keys()];
  const clash = pod.hostPorts.find((port) => taken.some((other) => portsClash(port, other)));
  if (clash === undefined) return NO_REFUSAL;
  const reason = "node(s) didn't have free ports for the requested pod ports";
  return [{ kind: 'ports', reason, detail: () => `${clash} is taken` }];
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
