import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { LabelSelector, LabelSelectorRequirement } from '../kinds/meta.ts';
import { at, forbidden, invalidEach, invalidValue, required, shownStringMap } from './field-errors.ts';
import { validateLabels } from './metadata.ts';
import { labelValueErrors, qualifiedNameErrors } from './names.ts';

/** Checks a label selector's keys, operators and values. */
export function validateLabelSelector(
  selector: Loose<LabelSelector> | undefined,
  path: string,
): FieldError[] {
  if (selector === undefined) return [];
  return [
    ...validateLabels(selector.matchLabels, `${path}.matchLabels`),
    ...(selector.matchExpressions ?? []).flatMap((e, i) =>
      expressionErrors(e, at(`${path}.matchExpressions`, i)),
    ),
  ];
}

function expressionErrors(e: Loose<LabelSelectorRequirement>, path: string): FieldError[] {
  const values = e.values ?? [];
  return [
    ...operatorErrors(e.operator, values.length, path),
    ...invalidEach(`${path}.key`, e.key ?? '', qualifiedNameErrors(e.key ?? '')),
    ...values.flatMap((v, i) => invalidEach(at(`${path}.values`, i), v, labelValueErrors(v))),
  ];
}

function operatorErrors(operator: string | undefined, values: number, path: string): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values > 0
        ? []
        : [required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      return values === 0
        ? []
        : [forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    default:
      return [invalidValue(`${path}.operator`, operator ?? '', 'not a valid selector operator')];
  }
}

/** True when the selector has neither labels nor expressions. */
export function isEmptySelector(selector: Loose<LabelSelector>): boolean {
  return (
    Object.keys(selector.matchLabels ?? {}).length + Object.keys(selector.matchExpressions ?? []).length === 0
  );
}

/** A selector as Go prints it in Kubernetes' messages. */
export function shownSelector(selector: Loose<LabelSelector> | undefined): string {
  const expressions = (selector?.matchExpressions ?? []).map((e) => {
    const values =
      e.values === undefined
        ? '[]string(nil)'
        : `[]string{${e.values.map((v) => JSON.stringify(v)).join(', ')}}`;
    return `v1.LabelSelectorRequirement{Key:${JSON.stringify(e.key ?? '')}, Operator:${JSON.stringify(e.operator ?? '')}, Values:${values}}`;
  });
  const list = expressions.length === 0 ? '(nil)' : `{${expressions.join(', ')}}`;
  return `v1.LabelSelector{MatchLabels:${shownStringMap(selector?.matchLabels)}, MatchExpressions:[]v1.LabelSelectorRequirement${list}}`;
}
