import type { LabelSelector, LabelSelectorRequirement } from './kinds/meta.ts';

/** One requirement of a selector on a map of strings. `!=` and `notin` also match when the key is absent. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
  readonly values: readonly string[];
}

/** The outcome of reading a selector text. */
export type ParsedSelector =
  | { readonly ok: true; readonly requirements: readonly Requirement[] }
  | { readonly ok: false; readonly why: string };

const KEY = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** True when every requirement holds on `labels`. */
export function requirementsMatch(
  requirements: readonly Requirement[],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return requirements.every((r) => requirementMatches(r, labels ?? {}));
}

function requirementMatches(r: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, r.key) ? labels[r.key] : undefined;
  switch (r.operator) {
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'In':
      return value !== undefined && r.values.includes(value);
    case 'NotIn':
      return value === undefined || !r.values.includes(value);
  }
}

/** Requirements of an object's label selector; an empty selector gives none and so matches everything. */
export function requirementsOf(selector: LabelSelector): Requirement[] {
  const equal = Object.entries(selector.matchLabels ?? {}).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [value] }),
  );
  const expressions = (selector.matchExpressions ?? []).map(
    (e: LabelSelectorRequirement): Requirement => ({
      key: e.key,
      operator: e.operator,
      values: e.values ?? [],
    }),
  );
  return [...equal, ...expressions];
}

/** True when the selector matches; an absent selector matches nothing, as in Kubernetes. */
export function selectorMatches(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return selector !== undefined && requirementsMatch(requirementsOf(selector), labels);
}

/** Reads `a=b,c!=d,e in (x,y),f notin (z),g,!h`, the `labelSelector` query of the API. */
export function parseSelector(text: string): ParsedSelector {
  const requirements: Requirement[] = [];
  for (const part of splitTopLevel(text)) {
    const requirement = parseRequirement(part.trim());
    if (requirement === undefined)
      return { ok: false, why: `unable to parse requirement: ${JSON.stringify(part.trim())}` };
    requirements.push(requirement);
  }
  return { ok: true, requirements };
}

function splitTopLevel(text: string): string[] {
  if (text.trim() === '') return [];
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    if (text[i] === ')') depth--;
    if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  return [...parts, text.slice(from)];
}

function parseRequirement(text: string): Requirement | undefined {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    return checked({
      key,
      operator: operator === 'in' ? 'In' : 'NotIn',
      values: list.split(',').map((v) => v.trim()),
    });
  }
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$/.exec(text);
  if (equality !== null) {
    const [, key = '', operator, value = ''] = equality;
    return checked({ key, operator: operator === '!=' ? 'NotIn' : 'In', values: [value] });
  }
  if (text.startsWith('!'))
    return checked({ key: text.slice(1).trim(), operator: 'DoesNotExist', values: [] });
  return checked({ key: text, operator: 'Exists', values: [] });
}

function checked(r: Requirement): Requirement | undefined {
  return KEY.test(r.key) && r.values.every((v) => VALUE.test(v)) ? r : undefined;
}
