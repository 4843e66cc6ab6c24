import { isRecord, jsonEqual } from '../json.ts';
import { byElement, itemShape, itemsOf } from './items.ts';
import { SERVER_FIELDS, STATUS, type WrittenPart } from './ownable.ts';
import { formOf, innerShape, type Shape } from './shape.ts';

type FieldsV1 = Record<string, unknown>;
const NOTHING: FieldsV1 = {};

/**
 * `fieldsV1` of whoever creates this object: the same as comparing it with nothing says, in one walk, because creations are the
 * most frequent writes of people and by far the largest comparisons. Pure.
 */
export function createdFieldsV1(shape: Shape, object: object, part: WrittenPart): FieldsV1 {
  const all = below(shape, object, true);
  const entries = Object.entries(all).flatMap(([element, inner]): [string, unknown][] => {
    const isStatus = element === STATUS;
    if (part.subresource === 'status' ? !isStatus : isStatus && part.hasStatus) return [];
    const own = SERVER_FIELDS.inner.get(element);
    if (own === undefined || !isRecord(inner)) return [[element, inner]];
    const left = Object.entries(inner).filter(([name]) => own.inner.get(name)?.here !== true);
    return left.length === 0 ? [] : [[element, Object.fromEntries(left)]];
  });
  return Object.fromEntries(entries);
}

/** What lies below a value; `there`: an empty form of it counts as present before. */
function below(shape: Shape, value: unknown, there: boolean): FieldsV1 {
  const found: FieldsV1 = {};
  fill(found, shape, value, there);
  return found;
}

/** Puts what lies below a value into `found`; false when there is nothing. */
function fill(found: FieldsV1, shape: Shape, value: unknown, there: boolean): boolean {
  const form = formOf(shape, value);
  let any = false;
  if (form === 'record' && isRecord(value)) {
    for (const name of Object.keys(value).sort()) {
      const { shape: inner, always } = innerShape(shape, name);
      if (add(found, `f:${name}`, inner, value[name], there && always)) any = true;
    }
  } else if (form === 'list') {
    const items = byElement(itemsOf(shape, value));
    for (const element of [...items.keys()].sort()) {
      const same = items.get(element) ?? [];
      if (same.length === 1 && !add(found, element, itemShape(shape), same[0], false)) continue;
      if (same.length > 1) found[element] = NOTHING;
      any = true;
    }
  }
  return any;
}

/** False when the value adds nothing. */
function add(found: FieldsV1, element: string, shape: Shape, value: unknown, there: boolean): boolean {
  if (value === undefined || value === null) return false;
  if (formOf(shape, value) === 'leaf') {
    if (there && jsonEqual(value, {})) return false;
    found[element] = NOTHING;
    return true;
  }
  const inner: FieldsV1 = there ? {} : { '.': NOTHING };
  const any = fill(inner, shape, value, there);
  if (there && !any) return false;
  found[element] = any ? inner : {};
  return true;
}
