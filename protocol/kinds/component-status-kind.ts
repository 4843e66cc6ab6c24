import { nameColumn, text } from '../print/cells.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { KubeObject } from './meta.ts';

/** One of the programs that a cluster of Kubernetes is made of; here all are the hub. */
export interface ComponentStatus extends KubeObject {
  kind: 'ComponentStatus';
  conditions?: { type: string; status: string; message?: string; error?: string }[];
}

function health({ conditions = [] }: Loose<ComponentStatus>): string {
  const found = conditions.find(({ type }) => type === 'Healthy');
  if (found === undefined) return 'Unknown';
  return found.status === 'True' ? 'Healthy' : 'Unhealthy';
}

/** v1 ComponentStatus: deprecated, computed and never stored. */
export const componentStatusKind = defineKind<ComponentStatus>({
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  shortNames: ['cs'],
  namespaced: false,
  columns: [
    nameColumn(),
    text('Status', 'Status of the component conditions', health),
    text(
      'Message',
      'Message of the component conditions',
      ({ conditions = [] }) => conditions[0]?.message ?? '',
    ),
    text('Error', 'Error of the component conditions', ({ conditions = [] }) => conditions[0]?.error ?? ''),
  ],
});
