import { idOf, type KindSpec, type ScaleView } from './kind.ts';
import type { KubeObject, LabelSelector } from './meta.ts';

/** Kinds whose `/scale` is `spec.replicas`, `status.replicas` and `spec.selector`. */
const PLAIN = new Set(['Deployment', 'ReplicaSet', 'ReplicationController', 'StatefulSet']);

interface Scalable extends KubeObject {
  spec: { replicas?: number; selector?: LabelSelector | Record<string, string> };
  status?: { replicas?: number };
}

const plainView: ScaleView = {
  read: (object) => {
    const { spec, status, kind } = object as Scalable;
    // A ReplicationController selects by a plain map of labels.
    const selector = kind === 'ReplicationController' ? { matchLabels: spec.selector } : spec.selector;
    return {
      replicas: spec.replicas ?? 0,
      current: status?.replicas ?? 0,
      selector: selectorQuery(selector as LabelSelector | undefined),
    };
  },
  write: (object, replicas) =>
    ({ ...object, spec: { ...(object as Scalable).spec, replicas } }) as KubeObject,
};

/** How the numbers of a kind's `/scale` are read and written; undefined for kinds without one. */
export function scaleViewOf(spec: Pick<KindSpec, 'id' | 'kind' | 'scale'>): ScaleView | undefined {
  return spec.scale ?? (PLAIN.has(idOf(spec)) ? plainView : undefined);
}

/** A selector as the `labelSelector` query takes it, `a=b,c in (d,e)`; empty when there is none. Pure. */
export function selectorQuery(selector: LabelSelector | undefined): string {
  const equal = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const sets = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${(values ?? []).toSorted().join(',')})`;
  });
  return [...equal.toSorted(), ...sets.toSorted()].join(',');
}
