import type { PolicyRule, Subject } from '../../protocol/kinds/rbac.ts';
import { FULL_AUTHORITY } from './escalation.ts';

/** A ClusterRole that is there from the first start. */
export interface DefaultRole {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly rules: readonly PolicyRule[];
  /** Labels by which other ClusterRoles add to it. */
  readonly aggregates?: Readonly<Record<string, string>>;
}

/** A ClusterRoleBinding that is there from the first start; named for its role. */
export interface DefaultBinding {
  readonly role: string;
  readonly subjects: readonly Subject[];
}

const RBAC = 'rbac.authorization.k8s.io';
const AUTHORIZATION = 'authorization.k8s.io';
const AUTHENTICATION = 'authentication.k8s.io';
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];

const on = (verbs: readonly string[], group: string, ...resources: string[]): PolicyRule => ({
  verbs: [...verbs],
  apiGroups: [group],
  resources,
});
const paths = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ['get'], nonResourceURLs });
const aggregateTo = (role: string): string => `${RBAC}/aggregate-to-${role}`;

const HEALTH = ['/healthz', '/livez', '/readyz'];
const VERSION = ['/version', '/version/'];

/** Plain workloads, as `edit` writes and `view` reads them. */
const CORE = ['configmaps', 'events', 'persistentvolumeclaims', 'replicationcontrollers'];
const APPS = ['daemonsets', 'deployments', 'replicasets', 'statefulsets'];
const SCALES = ['deployments/scale', 'replicasets/scale', 'statefulsets/scale'];

const VIEW: readonly PolicyRule[] = [
  on(
    READ,
    '',
    ...CORE.filter((name) => name !== 'events'),
    'endpoints',
    'persistentvolumeclaims/status',
    'pods',
    'replicationcontrollers/scale',
    'serviceaccounts',
    'services',
    'services/status',
  ),
  on(
    READ,
    '',
    'bindings',
    'events',
    'limitranges',
    'namespaces/status',
    'pods/log',
    'pods/status',
    'replicationcontrollers/status',
    'resourcequotas',
    'resourcequotas/status',
  ),
  on(READ, '', 'namespaces'),
  on(READ, 'discovery.k8s.io', 'endpointslices'),
  on(READ, 'apps', 'controllerrevisions', ...APPS, ...APPS.map((name) => `${name}/status`), ...SCALES),
  on(READ, 'autoscaling', 'horizontalpodautoscalers', 'horizontalpodautoscalers/status'),
  on(READ, 'batch', 'cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'),
  on(READ, 'policy', 'poddisruptionbudgets', 'poddisruptionbudgets/status'),
  on(READ, 'networking.k8s.io', 'ingresses', 'ingresses/status', 'networkpolicies'),
];

/** Secrets and accounts are here, not in `view`: who reads a token acts as its owner. */
const EDIT: readonly PolicyRule[] = [
  on(READ, '', 'pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'secrets', 'services/proxy'),
  on(['impersonate'], '', 'serviceaccounts'),
  on(
    WRITE,
    '',
    'pods',
    'pods/attach',
    'pods/exec',
    'pods/portforward',
    'pods/proxy',
    ...CORE,
    'replicationcontrollers/scale',
    'secrets',
    'serviceaccounts',
    'services',
    'services/proxy',
  ),
  on(['create'], '', 'pods/eviction', 'serviceaccounts/token'),
  on(WRITE, 'apps', ...APPS, ...SCALES, 'deployments/rollback'),
  on(WRITE, 'autoscaling', 'horizontalpodautoscalers'),
  on(WRITE, 'batch', 'cronjobs', 'jobs'),
  on(WRITE, 'policy', 'poddisruptionbudgets'),
  on(WRITE, 'networking.k8s.io', 'ingresses', 'networkpolicies'),
  on([...READ, ...WRITE], 'coordination.k8s.io', 'leases'),
];

const ADMIN: readonly PolicyRule[] = [
  on(['create'], AUTHORIZATION, 'localsubjectaccessreviews'),
  on([...READ, ...WRITE], RBAC, 'rolebindings', 'roles'),
];

const CERTIFICATES = 'certificates.k8s.io';
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client';

/** The ClusterRoles of Kubernetes that mean something on a hub, and those of Coxswain. */
export const DEFAULT_ROLES: readonly DefaultRole[] = [
  { name: 'cluster-admin', rules: FULL_AUTHORITY },
  {
    name: 'system:discovery',
    rules: [paths('/api', '/api/*', '/apis', '/apis/*', ...HEALTH, '/openapi', '/openapi/*', ...VERSION)],
  },
  { name: 'system:public-info-viewer', rules: [paths(...HEALTH, ...VERSION)] },
  { name: 'system:monitoring', rules: [paths('/metrics', '/metrics/*', ...HEALTH)] },
  {
    name: 'system:basic-user',
    rules: [
      on(['create'], AUTHORIZATION, 'selfsubjectaccessreviews', 'selfsubjectrulesreviews'),
      on(['create'], AUTHENTICATION, 'selfsubjectreviews'),
    ],
  },
  { name: 'admin', rules: [], aggregates: { [aggregateTo('admin')]: 'true' } },
  {
    name: 'edit',
    labels: { [aggregateTo('admin')]: 'true' },
    rules: [],
    aggregates: { [aggregateTo('edit')]: 'true' },
  },
  {
    name: 'view',
    labels: { [aggregateTo('edit')]: 'true' },
    rules: [],
    aggregates: { [aggregateTo('view')]: 'true' },
  },
  { name: 'system:aggregate-to-admin', labels: { [aggregateTo('admin')]: 'true' }, rules: ADMIN },
  { name: 'system:aggregate-to-edit', labels: { [aggregateTo('edit')]: 'true' }, rules: EDIT },
  { name: 'system:aggregate-to-view', labels: { [aggregateTo('view')]: 'true' }, rules: VIEW },
  {
    name: 'system:aggregated-metrics-reader',
    labels: { [aggregateTo('view')]: 'true' },
    rules: [on(READ, 'metrics.k8s.io', 'pods', 'nodes')],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      on(['create'], AUTHENTICATION, 'tokenreviews'),
      on(['create'], AUTHORIZATION, 'subjectaccessreviews'),
    ],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-approver',
    rules: [{ ...on(['approve'], CERTIFICATES, 'signers'), resourceNames: [CLIENT_SIGNER] }],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      paths('/.well-known/openid-configuration', '/.well-known/openid-configuration/', '/openid/v1/jwks'),
    ],
  },
  // What devices may comes from the node authorizer, object by object; this shows it, and is bound to nobody.
  { name: 'system:node', rules: [on(READ, '', 'configmaps', 'nodes', 'pods', 'secrets')] },
  { name: 'coxswain:node-overview', rules: [paths('/coxswain/v1/nodes', '/coxswain/v1/join-info')] },
];

const group = (name: string): Subject => ({ kind: 'Group', apiGroup: RBAC, name });

/** Who has which of the default roles. */
export const DEFAULT_BINDINGS: readonly DefaultBinding[] = [
  { role: 'cluster-admin', subjects: [group('system:masters')] },
  { role: 'system:discovery', subjects: [group('system:authenticated')] },
  { role: 'system:basic-user', subjects: [group('system:authenticated')] },
  {
    role: 'system:public-info-viewer',
    subjects: [group('system:authenticated'), group('system:unauthenticated')],
  },
  { role: 'system:monitoring', subjects: [group('system:monitoring')] },
  { role: 'system:service-account-issuer-discovery', subjects: [group('system:serviceaccounts')] },
  { role: 'system:node', subjects: [] },
];
