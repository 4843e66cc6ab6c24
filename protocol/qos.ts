import type { Loose } from './kinds/loose.ts';
import type { PodSpec } from './kinds/pod.ts';
import { parseQuantity } from './quantity.ts';

type Amounts = Loose<Record<string, string>>;

/**
 * The quality-of-service class of a pod: `BestEffort` without any request or limit of CPU and memory, `Guaranteed`
 * when all containers have limits for both and requests equal to them, else `Burstable`.
 */
export function qosClass(spec: Loose<PodSpec>): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((c) => ({
    limits: positive(c.resources?.limits),
    requests: positive(c.resources?.requests),
  }));
  if (all.every((c) => c.limits.size === 0 && c.requests.size === 0)) return 'BestEffort';
  const guaranteed = all.every(({ limits, requests }) =>
    ['cpu', 'memory'].every(
      (name) => limits.has(name) && (requests.get(name) ?? limits.get(name)) === limits.get(name),
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function positive(amounts: Amounts | undefined): Map<string, number> {
  const counted = Object.entries(amounts ?? {}).flatMap(([name, text]): [string, number][] => {
    const value = parseQuantity(text ?? '') ?? 0;
    return (name === 'cpu' || name === 'memory') && value > 0 ? [[name, value]] : [];
  });
  return new Map(counted);
}
