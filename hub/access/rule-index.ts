import type { PolicyRule } from '../../protocol/kinds/rbac.ts';
import { type Ask, ruleAllows } from '../decide/authorize.ts';

/** One rule and whom it comes from. */
interface Entry<T> {
  readonly rule: PolicyRule;
  readonly owner: T;
}

type Table<T> = Map<string, Entry<T>[]>;

/** A rule that would stand in more places than this is read one by one instead. */
const MAX_PLACES = 512;
/** Places of one index, some 10 MB: whoever writes roles must not make the hub's memory grow many times as fast as their text. */
const MAX_ALL_PLACES = 100_000;

/**
 * Many rules, found by what they are about: verb and resource, or verb, resource and name for rules that name objects. A rule that
 * stands in the way is compared by `ruleAllows` itself, so that the index cannot allow what the rule does not.
 */
export class RuleIndex<T> {
  readonly #resources: Table<T> = new Map();
  readonly #paths: Table<T> = new Map();
  /** Rules that are about too much, that came too late, or that are about paths with a `*`. */
  readonly #others: Entry<T>[] = [];
  #places = 0;

  /** Takes a rule in; rules are never taken out. */
  add(rule: PolicyRule, owner: T): void {
    const entry = { rule, owner };
    const { verbs, resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
    const exact = nonResourceURLs.filter((url) => !url.endsWith('*'));
    const names = resourceNames.length === 0 ? [''] : resourceNames;
    const places = (verbs?.length ?? 0) * (resources.length * names.length + exact.length);
    const isTooMuch = places > MAX_PLACES || this.#places + places > MAX_ALL_PLACES;
    if (exact.length < nonResourceURLs.length || isTooMuch) {
      this.#others.push(entry);
      return;
    }
    this.#places += places;
    for (const verb of verbs ?? []) {
      for (const resource of resources)
        for (const name of names) place(this.#resources, keyOf(verb, resource, name), entry);
      for (const url of exact) place(this.#paths, keyOf(verb, url, ''), entry);
    }
  }

  /** Whose rule allows it; undefined when none does. Of several, any. */
  find(ask: Ask): T | undefined {
    const found = 'path' in ask ? this.#ofPath(ask) : this.#ofResource(ask);
    return (found ?? allowing(this.#others, ask))?.owner;
  }

  #ofPath(ask: Ask & { readonly path: string }): Entry<T> | undefined {
    if (this.#paths.size === 0) return undefined;
    return (
      allowing(this.#paths.get(keyOf(ask.verb, ask.path, '')), ask) ??
      allowing(this.#paths.get(keyOf('*', ask.path, '')), ask)
    );
  }

  #ofResource(ask: Exclude<Ask, { readonly path: string }>): Entry<T> | undefined {
    if (this.#resources.size === 0) return undefined;
    const { verb, resource, subresource, name } = ask;
    const isPart = subresource !== undefined && subresource !== '';
    const resources = isPart ? [`${resource}/${subresource}`, `*/${subresource}`, '*'] : [resource, '*'];
    const names = name === undefined || name === '' ? [''] : ['', name];
    for (const known of [verb, '*'])
      for (const kind of resources)
        for (const own of names) {
          const found = allowing(this.#resources.get(keyOf(known, kind, own)), ask);
          if (found !== undefined) return found;
        }
    return undefined;
  }
}

const keyOf = (verb: string, about: string, name: string): string => `${verb} ${about} ${name}`;

function place<T>(table: Table<T>, key: string, entry: Entry<T>): void {
  const held = table.get(key);
  if (held === undefined) table.set(key, [entry]);
  else held.push(entry);
}

function allowing<T>(entries: readonly Entry<T>[] | undefined, ask: Ask): Entry<T> | undefined {
  return entries?.find(({ rule }) => ruleAllows(rule, ask));
}
