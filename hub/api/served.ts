import { idOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import { scaleViewOf } from '../../protocol/kinds/scale-view.ts';
import { ASKED_KINDS } from '../../protocol/schema/computed-kinds.ts';

/** Group, version and kind of what a path takes or gives. */
export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** `pods/log` and the like. */
export interface Subresource {
  readonly name: string;
  readonly responds: GroupVersionKind;
  readonly verbs: readonly string[];
}

/** One resource as discovery lists it: a stored kind, or one computed on demand (metrics, reviews). */
export interface ServedResource extends GroupVersionKind {
  readonly plural: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
}

const ORDINARY = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const PART = ['get', 'patch', 'update'];
const SCALE: GroupVersionKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

const core = (kind: string): GroupVersionKind => ({ group: '', version: 'v1', kind });
const proxied = (kind: string): Subresource => ({
  name: 'proxy',
  responds: core(kind),
  verbs: ['create', 'delete', 'get', 'patch', 'update'],
});
const POD_SUBRESOURCES: readonly Subresource[] = [
  { name: 'attach', responds: core('PodAttachOptions'), verbs: ['create', 'get'] },
  { name: 'binding', responds: core('Binding'), verbs: ['create'] },
  { name: 'ephemeralcontainers', responds: core('Pod'), verbs: PART },
  { name: 'eviction', responds: { group: 'policy', version: 'v1', kind: 'Eviction' }, verbs: ['create'] },
  { name: 'exec', responds: core('PodExecOptions'), verbs: ['create', 'get'] },
  { name: 'log', responds: core('Pod'), verbs: ['get'] },
  { name: 'portforward', responds: core('PodPortForwardOptions'), verbs: ['create', 'get'] },
  proxied('PodProxyOptions'),
];

const OWN_SUBRESOURCES: ReadonlyMap<string, readonly Subresource[]> = new Map([
  ['Node', [proxied('NodeProxyOptions')]],
  ['Pod', POD_SUBRESOURCES],
  ['Service', [proxied('ServiceProxyOptions')]],
  [
    'CertificateSigningRequest',
    [
      {
        name: 'approval',
        responds: { group: 'certificates.k8s.io', version: 'v1', kind: 'CertificateSigningRequest' },
        verbs: PART,
      },
    ],
  ],
  [
    'ServiceAccount',
    [
      {
        name: 'token',
        responds: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
        verbs: ['create'],
      },
    ],
  ],
]);

/** True when the kind has a `/scale`. */
export function isScalable(spec: Pick<KindSpec, 'id' | 'kind' | 'scale'>): boolean {
  return scaleViewOf(spec) !== undefined;
}

/** A stored kind as discovery lists it. */
export function servedOf(spec: KindSpec): ServedResource {
  const own = { group: spec.group, version: spec.version, kind: spec.kind };
  const subresources: Subresource[] = [
    ...(OWN_SUBRESOURCES.get(idOf(spec)) ?? []),
    ...(isScalable(spec) ? [{ name: 'scale', responds: SCALE, verbs: PART }] : []),
    ...(spec.hasStatus ? [{ name: 'status', responds: own, verbs: PART }] : []),
  ];
  return {
    ...own,
    plural: spec.plural,
    singular: spec.singular,
    namespaced: spec.namespaced,
    shortNames: spec.shortNames,
    categories: spec.categories,
    verbs: idOf(spec) === 'Namespace' ? ORDINARY.filter((v) => v !== 'deletecollection') : ORDINARY,
    subresources,
  };
}

const computed = (
  group: string,
  version: string,
  kind: string,
  plural: string,
  namespaced: boolean,
  verbs: readonly string[],
): ServedResource => ({
  group,
  version,
  kind,
  plural,
  singular: plural === 'nodes' || plural === 'pods' ? '' : kind.toLowerCase(),
  namespaced,
  shortNames: [],
  categories: [],
  verbs,
  subresources: [],
});

/** Resources that are computed, not stored. */
export const COMPUTED: readonly ServedResource[] = [
  ...ASKED_KINDS.map(({ group, version, kind, plural, namespaced }) =>
    computed(group, version, kind, plural, namespaced, ['create']),
  ),
  {
    ...computed('', 'v1', 'ComponentStatus', 'componentstatuses', false, ['get', 'list']),
    shortNames: ['cs'],
  },
  {
    ...computed('apiregistration.k8s.io', 'v1', 'APIService', 'apiservices', false, ['get', 'list']),
    categories: ['api-extensions'],
  },
  computed('metrics.k8s.io', 'v1beta1', 'NodeMetrics', 'nodes', false, ['get', 'list']),
  computed('metrics.k8s.io', 'v1beta1', 'PodMetrics', 'pods', true, ['get', 'list']),
];
