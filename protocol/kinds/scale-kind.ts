import { ageColumn, integer, nameColumn } from '../print/cells.ts';
import { defineKind } from './define-kind.ts';
import type { KubeObject } from './meta.ts';

/** What `/scale` of a workload shows: its number of replicas. */
export interface Scale extends KubeObject {
  kind: 'Scale';
  spec: { replicas: number };
  status: { replicas: number; selector?: string };
}

/** autoscaling/v1 Scale: a view of other objects, never stored. */
export const scaleKind = defineKind<Scale>({
  kind: 'Scale',
  group: 'autoscaling',
  plural: 'scales',
  columns: [
    nameColumn(),
    integer('Desired', 'Replicas asked for.', ({ spec }) => spec?.replicas ?? 0),
    integer('Available', 'Replicas that exist.', ({ status }) => status?.replicas ?? 0),
    ageColumn(),
  ],
});
