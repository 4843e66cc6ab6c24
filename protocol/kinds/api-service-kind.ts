import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { defineKind } from './define-kind.ts';
import type { Condition, KubeObject } from './meta.ts';

export interface APIService extends KubeObject {
  kind: 'APIService';
  spec: { group?: string; version?: string; groupPriorityMinimum: number; versionPriority: number };
  status?: { conditions?: Condition[] };
}

/** apiregistration.k8s.io/v1 APIService: what the hub serves, computed and never stored; all of it is the hub's own. */
export const apiServiceKind = defineKind<APIService>({
  kind: 'APIService',
  group: 'apiregistration.k8s.io',
  plural: 'apiservices',
  categories: ['api-extensions'],
  namespaced: false,
  columns: [
    nameColumn(),
    text('Service', 'Who serves it.', () => 'Local'),
    text('Available', 'Whether it is served.', (service) =>
      (service.status?.conditions ?? []).some((c) => c.type === 'Available' && c.status === 'True')
        ? 'True'
        : 'False',
    ),
    ageColumn(),
  ],
});
