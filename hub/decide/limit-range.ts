import type { Container, Pod } from '../../protocol/kinds/pod.ts';
import type { LimitRange, LimitRangeItem } from '../../protocol/kinds/policy.ts';
import type { PersistentVolumeClaim } from '../../protocol/kinds/storage.ts';
import { formatBytes, formatCpu, parseQuantity } from '../../protocol/quantity.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

type Amounts = Readonly<Record<string, string>>;

/** One of the things a range bounds: what it asks for and may use. */
interface Demand {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

/**
 * Fills in what the containers of a pod leave open, as the ranges of its namespace say, and notes it in an annotation. Changes
 * `pod`, which must be the mutable draft. Never throws.
 */
export function applyLimitRanges(pod: Pick<Pod, 'metadata' | 'spec'>, ranges: Iterable<LimitRange>): void {
  const items = [...ranges]
    .flatMap((range) => range.spec?.limits ?? [])
    .filter((i) => i.type === 'Container');
  if (items.length === 0) return;
  const notes = [
    ...pod.spec.containers.flatMap((container) => fill(container, items, 'container')),
    ...(pod.spec.initContainers ?? []).flatMap((container) => fill(container, items, 'init container')),
  ];
  if (notes.length === 0) return;
  pod.metadata.annotations = {
    ...pod.metadata.annotations,
    [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}`,
  };
}

function fill(container: Container, items: readonly LimitRangeItem[], word: string): string[] {
  const limits = Object.assign({}, ...items.map((item) => item.default));
  const requests = Object.assign({}, ...items.map((item) => item.defaultRequest));
  const notes: string[] = [];
  const complete = (part: 'requests' | 'limits', defaults: Amounts, name: string): void => {
    const own = container.resources?.[part] ?? {};
    const added = Object.keys(defaults)
      .filter((resource) => own[resource] === undefined)
      .sort();
    if (added.length === 0) return;
    container.resources = { ...container.resources, [part]: { ...defaults, ...own } };
    notes.push(`${added.join(', ')} ${name} for ${word} ${container.name}`);
  };
  complete('requests', requests, 'request');
  complete('limits', limits, 'limit');
  return notes;
}

/** What of a new pod is outside the ranges of its namespace, in Kubernetes' words; empty when nothing is. Never throws. */
export function limitErrorsOfPod({ spec }: Pick<Pod, 'spec'>, ranges: Iterable<LimitRange>): string[] {
  const demandOf = (c: Container): Demand => ({
    requests: c.resources?.requests ?? {},
    limits: c.resources?.limits ?? {},
  });
  return [...ranges].flatMap((range) =>
    (range.spec?.limits ?? []).flatMap((item) => {
      if (item.type === 'Container')
        return [...spec.containers, ...(spec.initContainers ?? [])].flatMap((c) =>
          breaches(item, demandOf(c)),
        );
      return item.type === 'Pod' ? breaches(item, podDemand(spec)) : [];
    }),
  );
}

/** As `limitErrorsOfPod`, for the storage a claim asks for. */
export function limitErrorsOfClaim(claim: PersistentVolumeClaim, ranges: Iterable<LimitRange>): string[] {
  const requests = claim.spec?.resources?.requests ?? {};
  const items = [...ranges].flatMap((range) => range.spec?.limits ?? []);
  return items
    .filter((item) => item.type === 'PersistentVolumeClaim')
    .flatMap((item) => [
      ...Object.entries(item.min ?? {}).flatMap(([name, min]) =>
        minErrors(item.type, name, min, { requests, limits: {} }),
      ),
      ...Object.entries(item.max ?? {}).flatMap(([name, max]) => {
        const about = `maximum ${name} usage per ${item.type} is ${max}`;
        const asked = requests[name];
        if (asked === undefined) return [`${about}.  No request is specified`];
        return value(asked) > value(max) ? [`${about}, but request is ${asked}`] : [];
      }),
    ]);
}

function breaches(item: LimitRangeItem, demand: Demand): string[] {
  return [
    ...Object.entries(item.min ?? {}).flatMap(([name, min]) => minErrors(item.type, name, min, demand)),
    ...Object.entries(item.max ?? {}).flatMap(([name, max]) => maxErrors(item.type, name, max, demand)),
    ...Object.entries(item.maxLimitRequestRatio ?? {}).flatMap(([name, ratio]) =>
      ratioErrors(item.type, name, ratio, demand),
    ),
  ];
}

const value = (quantity: string | undefined): number => parseQuantity(quantity ?? '') ?? 0;

function minErrors(type: string, name: string, min: string, { requests, limits }: Demand): string[] {
  const about = `minimum ${name} usage per ${type} is ${min}`;
  const [asked, limit] = [requests[name], limits[name]];
  if (asked === undefined) return [`${about}.  No request is specified`];
  if (value(asked) < value(min)) return [`${about}, but request is ${asked}`];
  return limit !== undefined && value(limit) < value(min) ? [`${about}, but limit is ${limit}`] : [];
}

function maxErrors(type: string, name: string, max: string, { requests, limits }: Demand): string[] {
  const about = `maximum ${name} usage per ${type} is ${max}`;
  const [asked, limit] = [requests[name], limits[name]];
  if (limit === undefined) return [`${about}.  No limit is specified`];
  if (value(limit) > value(max)) return [`${about}, but limit is ${limit}`];
  return asked !== undefined && value(asked) > value(max) ? [`${about}, but request is ${asked}`] : [];
}

function ratioErrors(type: string, name: string, most: string, { requests, limits }: Demand): string[] {
  const about = `${name} max limit to request ratio per ${type} is ${most}`;
  const [asked, limit] = [value(requests[name]), value(limits[name])];
  if (asked === 0) return [`${about}, but no request is specified or request is 0`];
  if (limit === 0) return [`${about}, but no limit is specified or limit is 0`];
  const ratio = limit / asked;
  return ratio > value(most) ? [`${about}, but provided ratio is ${ratio.toFixed(6)}`] : [];
}

/** Containers added up, or the largest init container where that is more. */
function podDemand(spec: Pod['spec']): Demand {
  const total = (part: 'requests' | 'limits'): Amounts => {
    const sum: Record<string, number> = {};
    for (const container of spec.containers)
      for (const [name, q] of Object.entries(container.resources?.[part] ?? {}))
        sum[name] = (sum[name] ?? 0) + value(q);
    for (const container of spec.initContainers ?? [])
      for (const [name, q] of Object.entries(container.resources?.[part] ?? {}))
        sum[name] = Math.max(sum[name] ?? 0, value(q));
    return Object.fromEntries(Object.entries(sum).map(([name, n]) => [name, shownAmount(name, n)]));
  };
  return { requests: total('requests'), limits: total('limits') };
}

function shownAmount(name: string, amount: number): string {
  return name === 'cpu' ? formatCpu(Math.round(amount * 1000)) : formatBytes(amount);
}
