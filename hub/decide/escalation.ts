import type { PolicyRule } from '../../protocol/kinds/rbac.ts';
import { type Asker, urlCovers } from './authorize.ts';

/** The rights of cluster-admin: everything. */
export const FULL_AUTHORITY: readonly PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * What of `wanted` nobody could do who has only `held`, as rules of one verb on one resource each; empty when all is covered.
 * This is how the hub keeps people from granting more than they have. Pure; never throws.
 */
export function missingRights(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(brokenDown).filter((single) => !held.some((rule) => ruleCovers(rule, single)));
}

/** A rule as the rules of one verb, group, resource and name each that say the same. */
function brokenDown(rule: PolicyRule): PolicyRule[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const singles: PolicyRule[] = [];
  for (const group of apiGroups)
    for (const resource of resources)
      for (const verb of verbs) {
        const single: PolicyRule = { apiGroups: [group], resources: [resource], verbs: [verb] };
        if (resourceNames.length === 0) singles.push(single);
        else for (const name of resourceNames) singles.push({ ...single, resourceNames: [name] });
      }
  for (const url of nonResourceURLs)
    for (const verb of verbs) singles.push({ nonResourceURLs: [url], verbs: [verb] });
  return singles;
}

function ruleCovers(rule: PolicyRule, single: PolicyRule): boolean {
  const names = rule.resourceNames ?? [];
  const wantedNames = single.resourceNames ?? [];
  const nameMatches =
    names.length === 0 || (wantedNames.length > 0 && wantedNames.every((n) => names.includes(n)));
  return (
    all(rule.verbs, single.verbs) &&
    all(rule.apiGroups, single.apiGroups) &&
    (single.resources ?? []).every((resource) => resourceCovers(rule.resources ?? [], resource)) &&
    (single.nonResourceURLs ?? []).every((path) =>
      (rule.nonResourceURLs ?? []).some((url) => urlCovers(url, path)),
    ) &&
    nameMatches
  );
}

function all(list: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
  const held = list ?? [];
  return held.includes('*') || (wanted ?? []).every((value) => held.includes(value));
}

function resourceCovers(list: readonly string[], resource: string): boolean {
  if (list.includes('*') || list.includes(resource)) return true;
  const slash = resource.indexOf('/');
  return slash >= 0 && list.includes(`*/${resource.slice(slash + 1)}`);
}

/** Why somebody may not grant `missing`, word for word as Kubernetes says it. */
export function escalationText(asker: Asker, missing: readonly PolicyRule[]): string {
  const rules = new Set(compacted(missing).map(ruleText));
  return `user ${JSON.stringify(asker.name)} (groups=${goList(asker.groups)}) is attempting to grant RBAC permissions not currently held:\n${[...rules].sort().join('\n')}`;
}

/** Rules of one verb that differ only in it become one rule. */
function compacted(singles: readonly PolicyRule[]): PolicyRule[] {
  const rules = new Map<string, PolicyRule>();
  for (const { verbs, ...rest } of singles) {
    const key = JSON.stringify([
      rest.apiGroups ?? [],
      rest.resources ?? [],
      rest.resourceNames ?? [],
      rest.nonResourceURLs ?? [],
      rest.nonResourceURLs === undefined ? '' : verbs,
    ]);
    const held = rules.get(key);
    rules.set(key, { ...rest, verbs: [...new Set([...(held?.verbs ?? []), ...verbs])] });
  }
  return [...rules.values()];
}

function ruleText(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  const shown = parts.filter(([, list]) => (list?.length ?? 0) > 0);
  return `{${shown.map(([name, list]) => `${name}:${goList(list ?? [])}`).join(', ')}}`;
}

/** A list of texts as Go's `%q` writes it: `["a" "b"]`. */
function goList(list: readonly string[]): string {
  return `[${list.map((text) => JSON.stringify(text)).join(' ')}]`;
}
