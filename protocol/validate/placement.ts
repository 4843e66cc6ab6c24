import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { NodeSelectorRequirement, NodeSelectorTerm, Taint, Toleration } from '../kinds/node.ts';
import type { Affinity, PodAffinityRules, PodAffinityTerm, PodSpec } from '../kinds/pod.ts';
import {
  at,
  duplicate,
  forbidden,
  invalidEach,
  invalidValue,
  notSupported,
  required,
  unless,
} from './field-errors.ts';
import { validateLabelSelector } from './label-selector.ts';
import { labelValueErrors, qualifiedNameErrors } from './names.ts';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

function effectErrors(effect: string | undefined, field: string): FieldError[] {
  if (!effect) return [required(field)];
  return unless(EFFECTS.includes(effect), () => notSupported(field, effect, EFFECTS));
}

/** Checks the taints of a node; one of a key and effect. */
export function validateTaints(taints: readonly Loose<Taint>[], path: string): FieldError[] {
  const seen = new Set<string>();
  return taints.flatMap((taint, i) => {
    const field = at(path, i);
    const key = taint.key ?? '';
    const id = `${key}:${taint.effect ?? ''}`;
    const errors = [
      ...invalidEach(`${field}.key`, key, qualifiedNameErrors(key)),
      ...invalidEach(`${field}.value`, taint.value ?? '', labelValueErrors(taint.value ?? '')),
      ...effectErrors(taint.effect, `${field}.effect`),
    ];
    if (seen.has(id)) errors.push(duplicate(field, taint));
    seen.add(id);
    return errors;
  });
}

/** Checks the tolerations of a pod. */
export function validateTolerations(tolerations: readonly Loose<Toleration>[], path: string): FieldError[] {
  return tolerations.flatMap((toleration, i) => tolerationErrors(toleration, at(path, i)));
}

function tolerationErrors(t: Loose<Toleration>, field: string): FieldError[] {
  const errors = t.key ? invalidEach(`${field}.key`, t.key, qualifiedNameErrors(t.key)) : [];
  if (!t.key && t.operator !== 'Exists') {
    const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalidValue(`${field}.operator`, t.operator ?? '', why));
  }
  if (t.tolerationSeconds !== undefined && t.effect !== 'NoExecute') {
    const why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    errors.push(invalidValue(`${field}.effect`, t.effect ?? '', why));
  }
  errors.push(...tolerationOperatorErrors(t, `${field}.operator`));
  return t.effect ? [...errors, ...effectErrors(t.effect, `${field}.effect`)] : errors;
}

function tolerationOperatorErrors(t: Loose<Toleration>, field: string): FieldError[] {
  switch (t.operator ?? '') {
    case '':
    case 'Equal':
      return invalidEach(field, t.value ?? '', labelValueErrors(t.value ?? ''));
    case 'Exists':
      return unless(!t.value, () =>
        invalidValue(field, t, "value must be empty when `operator` is 'Exists'"),
      );
    default:
      return [notSupported(field, t.operator, ['Equal', 'Exists'])];
  }
}

/** Checks node affinity, pod affinity and pod anti-affinity. */
export function validateAffinity(affinity: Loose<Affinity> | undefined, path: string): FieldError[] {
  if (affinity === undefined) return [];
  const node = affinity.nodeAffinity;
  const hard = node?.requiredDuringSchedulingIgnoredDuringExecution;
  const soft = node?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const hardPath = `${path}.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution`;
  const softPath = `${path}.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution`;
  return [
    ...(hard === undefined
      ? []
      : nodeTermsErrors(hard.nodeSelectorTerms ?? [], `${hardPath}.nodeSelectorTerms`)),
    ...soft.flatMap((term, i) => [
      ...weightErrors(term.weight, `${at(softPath, i)}.weight`),
      ...nodeTermErrors(term.preference ?? {}, `${at(softPath, i)}.preference`),
    ]),
    ...podRulesErrors(affinity.podAffinity, `${path}.podAffinity`),
    ...podRulesErrors(affinity.podAntiAffinity, `${path}.podAntiAffinity`),
  ];
}

function weightErrors(weight: number | undefined, field: string): FieldError[] {
  return unless(weight !== undefined && weight >= 1 && weight <= 100, () =>
    invalidValue(field, weight ?? 0, 'must be in the range 1-100'),
  );
}

function nodeTermsErrors(terms: readonly Loose<NodeSelectorTerm>[], path: string): FieldError[] {
  if (terms.length === 0) return [required(path, 'must have at least one node selector term')];
  return terms.flatMap((term, i) => nodeTermErrors(term, at(path, i)));
}

function nodeTermErrors(term: Loose<NodeSelectorTerm>, path: string): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((e, i) => [
      ...nodeExpressionErrors(e, at(`${path}.matchExpressions`, i)),
      ...invalidEach(
        `${at(`${path}.matchExpressions`, i)}.key`,
        e.key ?? '',
        qualifiedNameErrors(e.key ?? ''),
      ),
    ]),
    ...(term.matchFields ?? []).flatMap((e, i) => nodeFieldErrors(e, at(`${path}.matchFields`, i))),
  ];
}

function nodeExpressionErrors(e: Loose<NodeSelectorRequirement>, path: string): FieldError[] {
  const count = (e.values ?? []).length;
  const field = `${path}.values`;
  switch (e.operator) {
    case 'In':
    case 'NotIn':
      return unless(count > 0, () => required(field, "must be specified when `operator` is 'In' or 'NotIn'"));
    case 'Exists':
    case 'DoesNotExist':
      return unless(count === 0, () =>
        forbidden(field, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      );
    case 'Gt':
    case 'Lt':
      return unless(count === 1, () =>
        required(field, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
      );
    default:
      return [invalidValue(`${path}.operator`, e.operator ?? '', 'not a valid selector operator')];
  }
}

function nodeFieldErrors(e: Loose<NodeSelectorRequirement>, path: string): FieldError[] {
  const errors = unless(e.operator === 'In' || e.operator === 'NotIn', () =>
    invalidValue(`${path}.operator`, e.operator ?? '', 'not a valid selector operator'),
  );
  if ((e.values ?? []).length !== 1)
    errors.push(
      required(
        `${path}.values`,
        'must be only one value when `operator` is In or NotIn for node field selector',
      ),
    );
  if (e.key !== 'metadata.name')
    errors.push(invalidValue(`${path}.key`, e.key ?? '', 'not a valid field selector key'));
  return errors;
}

function podRulesErrors(rules: Loose<PodAffinityRules> | undefined, path: string): FieldError[] {
  const hard = rules?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const soft = rules?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const softPath = `${path}.preferredDuringSchedulingIgnoredDuringExecution`;
  return [
    ...hard.flatMap((term, i) =>
      podTermErrors(term, at(`${path}.requiredDuringSchedulingIgnoredDuringExecution`, i)),
    ),
    ...soft.flatMap((term, i) => [
      ...weightErrors(term.weight, `${at(softPath, i)}.weight`),
      ...podTermErrors(term.podAffinityTerm ?? {}, `${at(softPath, i)}.podAffinityTerm`),
    ]),
  ];
}

function topologyKeyErrors(key: string | undefined, field: string): FieldError[] {
  return key ? invalidEach(field, key, qualifiedNameErrors(key)) : [required(field, 'can not be empty')];
}

function podTermErrors(term: Loose<PodAffinityTerm>, path: string): FieldError[] {
  return [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
    ...topologyKeyErrors(term.topologyKey, `${path}.topologyKey`),
  ];
}

/** Checks the spread constraints of a pod. */
export function validateSpread(spec: Loose<PodSpec>, path: string): FieldError[] {
  const actions = ['DoNotSchedule', 'ScheduleAnyway'];
  return (spec.topologySpreadConstraints ?? []).flatMap((c, i) => {
    const field = at(`${path}.topologySpreadConstraints`, i);
    return [
      ...unless((c.maxSkew ?? 0) > 0, () =>
        invalidValue(`${field}.maxSkew`, c.maxSkew ?? 0, 'must be greater than zero'),
      ),
      ...topologyKeyErrors(c.topologyKey, `${field}.topologyKey`),
      ...unless(actions.includes(c.whenUnsatisfiable ?? ''), () =>
        notSupported(`${field}.whenUnsatisfiable`, c.whenUnsatisfiable, actions),
      ),
      ...validateLabelSelector(c.labelSelector, `${field}.labelSelector`),
    ];
  });
}
