import type { KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { parseSelector, requirementsMatch } from '../../protocol/selector.ts';
import { ApiError } from '../../protocol/status.ts';

/** True for objects a list or watch shows. */
export type Filter = (object: KubeObject) => boolean;

/** One `field=value` of a field selector. */
export interface FieldTerm {
  readonly field: string;
  readonly value: string;
  readonly equal: boolean;
}

/** The filter both selectors make together; undefined when they are empty. Throws BadRequest. */
export function selection(spec: KindSpec, labelSelector: string, fieldSelector: string): Filter | undefined {
  const filters = [labelFilter(labelSelector), fieldFilter(spec, fieldSelector)].filter(
    (f) => f !== undefined,
  );
  const [first, second] = filters;
  if (first === undefined) return undefined;
  return second === undefined ? first : (object) => first(object) && second(object);
}

function labelFilter(text: string): Filter | undefined {
  if (text === '') return undefined;
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new ApiError('BadRequest', parsed.why);
  const { requirements } = parsed;
  return (object) => requirementsMatch(requirements, object.metadata.labels);
}

function fieldFilter(spec: KindSpec, text: string): Filter | undefined {
  const terms = parseFieldSelector(text);
  if (terms.length === 0) return undefined;
  const checks = terms.map(({ field, value, equal }): Filter => {
    const read = reader(spec, field);
    return (object) => (read(object) === value) === equal;
  });
  return (object) => checks.every((check) => check(object));
}

function reader(spec: KindSpec, field: string): (object: KubeObject) => string {
  if (field === 'metadata.name') return (object) => object.metadata.name;
  if (field === 'metadata.namespace') return (object) => object.metadata.namespace ?? '';
  const own = Object.hasOwn(spec.fieldSelectors, field) ? spec.fieldSelectors[field] : undefined;
  if (own !== undefined) return own;
  const none = Object.keys(spec.fieldSelectors).length === 0;
  throw new ApiError(
    'BadRequest',
    none
      ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
      : `field label not supported: ${field}`,
  );
}

/** Reads `a=b,c!=d`; a backslash takes the next comma, equals sign or backslash literally. Throws BadRequest. */
export function parseFieldSelector(text: string): FieldTerm[] {
  const terms = text.match(/(?:\\[\s\S]|[^,\\])+/g) ?? [];
  return terms
    .filter((t) => t.trim() !== '')
    .map((term) => {
      const match = /^((?:\\[\s\S]|[^=!\\])+)(!=|==|=)((?:\\[\s\S]|[^=\\])*)$/.exec(term);
      if (match === null)
        throw new ApiError('BadRequest', `invalid selector: '${text}'; can't understand '${term}'`);
      const [, field = '', operator, value = ''] = match;
      return {
        field: field.trim(),
        value: value.replace(/\\([\s\S])/g, '$1').trim(),
        equal: operator !== '!=',
      };
    });
}
