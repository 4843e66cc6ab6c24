import type { ServedResource, Subresource } from './served.ts';

interface GroupView {
  readonly group: string;
  readonly versions: readonly { readonly version: string; readonly resources: readonly ServedResource[] }[];
}

/** Groups in the order of first appearance: kubectl takes the first group that owns a name. */
function groupsOf(resources: readonly ServedResource[]): GroupView[] {
  const names = [...new Set(resources.map((r) => r.group))];
  return names.map((group) => {
    const own = resources.filter((r) => r.group === group);
    const versions = [...new Set(own.map((r) => r.version))];
    return {
      group,
      versions: versions.map((version) => ({ version, resources: own.filter((r) => r.version === version) })),
    };
  });
}

const join = (group: string, version: string): string => (group === '' ? version : `${group}/${version}`);
const byPlural = (a: ServedResource, b: ServedResource): number => (a.plural < b.plural ? -1 : 1);

/** Aggregated discovery: of the core group for `/api`, of all others for `/apis`. */
export function aggregated(resources: readonly ServedResource[], root: 'api' | 'apis'): object {
  const groups = groupsOf(resources).filter((g) => (g.group === '') === (root === 'api'));
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versions.map((v) => ({
        version: v.version,
        freshness: 'Current',
        resources: v.resources.toSorted(byPlural).map(aggregatedResource),
      })),
    })),
  };
}

function aggregatedResource(r: ServedResource): object {
  return {
    resource: r.plural,
    responseKind: { group: r.group, version: r.version, kind: r.kind },
    scope: r.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: r.singular,
    verbs: r.verbs,
    ...(r.shortNames.length === 0 ? {} : { shortNames: r.shortNames }),
    ...(r.categories.length === 0 ? {} : { categories: r.categories }),
    ...(r.subresources.length === 0
      ? {}
      : {
          subresources: r.subresources.map((s) => ({
            subresource: s.name,
            responseKind: s.responds,
            verbs: s.verbs,
          })),
        }),
  };
}

/** `/api`. */
export function apiVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

/** `/apis`. */
export function apiGroupList(resources: readonly ServedResource[]): object {
  const groups = groupsOf(resources).filter((g) => g.group !== '');
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupFields) };
}

/** `/apis/G`; undefined when the group is not served. */
export function apiGroup(resources: readonly ServedResource[], group: string): object | undefined {
  const found = groupsOf(resources).find((g) => g.group === group && group !== '');
  return found === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupFields(found) };
}

function groupFields({ group, versions }: GroupView): { name: string } & Record<string, unknown> {
  const list = versions.map(({ version }) => ({ groupVersion: join(group, version), version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}

/** `/api/v1` and `/apis/G/V`; undefined when not served. */
export function apiResourceList(
  resources: readonly ServedResource[],
  group: string,
  version: string,
): object | undefined {
  const own = resources.filter((r) => r.group === group && r.version === version);
  if (own.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: join(group, version),
    resources: own
      .toSorted(byPlural)
      .flatMap((r) => [plainResource(r), ...r.subresources.map((s) => plainSub(r, s))]),
  };
}

function plainResource(r: ServedResource): object {
  return {
    name: r.plural,
    singularName: r.singular,
    namespaced: r.namespaced,
    kind: r.kind,
    verbs: r.verbs,
    ...(r.shortNames.length === 0 ? {} : { shortNames: r.shortNames }),
    ...(r.categories.length === 0 ? {} : { categories: r.categories }),
  };
}

function plainSub(r: ServedResource, s: Subresource): object {
  const foreign = s.responds.group !== r.group || s.responds.version !== r.version;
  return {
    name: `${r.plural}/${s.name}`,
    singularName: '',
    namespaced: r.namespaced,
    ...(foreign ? { group: s.responds.group, version: s.responds.version } : {}),
    kind: s.responds.kind,
    verbs: s.verbs,
  };
}
