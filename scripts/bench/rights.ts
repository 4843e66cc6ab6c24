import { RbacIndex } from '../../hub/access/rbac-index.ts';
import type { Ask, Asker } from '../../hub/decide/authorize.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { PolicyRule } from '../../protocol/kinds/rbac.ts';
import { type Bench, limitFigure, median } from './figure.ts';

const ROLES = 1_000;
const API_VERSION = 'rbac.authorization.k8s.io/v1';
const READ = ['get', 'list', 'watch'];
const MAX_US = 20;

function clusterRole(i: number): KubeObject {
  const rules: PolicyRule[] = [
    { verbs: READ, apiGroups: [''], resources: ['pods', 'services', 'configmaps'] },
    { verbs: ['*'], apiGroups: ['apps'], resources: [`things${i}`] },
    { verbs: ['get', 'update'], apiGroups: [''], resources: ['secrets'], resourceNames: [`secret-${i}`] },
  ];
  const metadata = { name: `role-${i}`, uid: `role-${i}`, resourceVersion: '1', creationTimestamp: '' };
  return { apiVersion: API_VERSION, kind: 'ClusterRole', metadata, rules } as KubeObject;
}

function toTheTeam(i: number): KubeObject {
  const metadata = { name: `binding-${i}`, uid: `binding-${i}`, resourceVersion: '1', creationTimestamp: '' };
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: `role-${i}` };
  const subjects = [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'team' }];
  return { apiVersion: API_VERSION, kind: 'ClusterRoleBinding', metadata, roleRef, subjects } as KubeObject;
}

const asker: Asker = { name: 'alice', groups: ['team', 'system:authenticated'] };
const ASKS: readonly (readonly [string, Ask])[] = [
  ['refused', { verb: 'delete', group: '', resource: 'nodes', name: 'x' }],
  ['allowed by the last role', { verb: 'create', group: 'apps', resource: `things${ROLES - 1}` }],
  ['allowed by name', { verb: 'get', group: '', resource: 'secrets', namespace: 'a', name: 'secret-998' }],
];

/** Microseconds of one decision, the median of many rounds. */
function microseconds(index: RbacIndex, ask: Ask, rounds: number): number {
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const fromMs = performance.now();
    for (let j = 0; j < 100; j++) index.allows(asker, ask);
    times.push((performance.now() - fromMs) * 10);
  }
  return median(times);
}

/** What a decision about somebody's rights costs when a thousand different roles are bound to one group. */
export const benchRights: Bench = async (report, { quick }) => {
  const index = new RbacIndex();
  for (let i = 0; i < ROLES; i++) {
    index.apply(clusterRole(i), undefined);
    index.apply(toTheTeam(i), undefined);
  }
  for (const [name, ask] of ASKS)
    report(
      limitFigure(
        `rights, ${ROLES} roles, ${name}`,
        microseconds(index, ask, quick ? 50 : 500),
        'us',
        MAX_US,
      ),
    );
};
