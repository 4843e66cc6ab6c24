import { isRecord, jsonEqual, own } from '../json.ts';
import { type FieldSet, FieldSetBuilder, NO_FIELDS } from './field-set.ts';
import { byElement, itemShape, itemsOf } from './items.ts';
import { formOf, innerShape, type Shape } from './shape.ts';

type Path = readonly string[];

/**
 * The fields that a configuration names: leaves, items of lists, keys of maps and empty objects; structs on the way
 * to them are not members. This is what applying it takes ownership of.
 */
export function fieldsOf(shape: Shape, value: unknown): FieldSet {
  const found = new FieldSetBuilder();
  collect(found, shape, value, []);
  return found.set;
}

function collect(found: FieldSetBuilder, shape: Shape, value: unknown, path: Path): void {
  const form = formOf(shape, value);
  if (form === 'record' && isRecord(value)) {
    for (const [name, entry] of Object.entries(value)) {
      if (entry === undefined) continue;
      const inner = [...path, `f:${name}`];
      const isEmpty = entry === null || (isRecord(entry) && Object.keys(entry).length === 0);
      if (isEmpty || shape.is !== 'struct') found.add(inner);
      collect(found, innerShape(shape, name).shape, entry, inner);
    }
  } else if (form === 'list') {
    for (const item of itemsOf(shape, value)) {
      const inner = [...path, item.element];
      found.add(inner);
      collect(found, itemShape(shape), item.value, inner);
    }
  } else if (path.length > 0) found.add(path);
}

/** What differs between two states of an object; containers that come or go are paths too. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

interface Findings {
  readonly added: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
}

/** Compares two states of an object. Parts shared by both are not walked. Pure. */
export function compareFields(shape: Shape, before: unknown, after: unknown): Comparison {
  const findings = {
    added: new FieldSetBuilder(),
    modified: new FieldSetBuilder(),
    removed: new FieldSetBuilder(),
  };
  compare(findings, shape, before, after, []);
  const { added, modified, removed } = findings;
  return { added: added.set, modified: modified.set, removed: removed.set };
}

function compare(found: Findings, shape: Shape, before: unknown, after: unknown, path: Path): void {
  const [was, is] = [before ?? undefined, after ?? undefined];
  if (was === is) return;
  if (was !== undefined && is !== undefined && formOf(shape, was) !== formOf(shape, is)) {
    compare(found, shape, was, undefined, path);
    compare(found, shape, undefined, is, path);
    return;
  }
  const form = formOf(shape, is ?? was);
  if (form === 'record') compareRecords(found, shape, was, is, path);
  else if (form === 'list') compareLists(found, shape, was, is, path);
  else if (was !== undefined && is !== undefined && !jsonEqual(was, is)) found.modified.add(path);
  if (path.length === 0) return;
  if (was === undefined) found.added.add(path);
  if (is === undefined) found.removed.add(path);
}

function compareRecords(found: Findings, shape: Shape, before: unknown, after: unknown, path: Path): void {
  const was = isRecord(before) ? before : undefined;
  const is = isRecord(after) ? after : undefined;
  for (const name of new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])) {
    const { shape: inner, always } = innerShape(shape, name);
    const [left, right] = [was, is].map((side) =>
      side === undefined ? undefined : (own(side, name) ?? (always ? {} : undefined)),
    );
    compare(found, inner, left, right, [...path, `f:${name}`]);
  }
}

function compareLists(found: Findings, shape: Shape, before: unknown, after: unknown, path: Path): void {
  const was = byElement(itemsOf(shape, before));
  const is = byElement(itemsOf(shape, after));
  for (const element of new Set([...was.keys(), ...is.keys()])) {
    const [left, right] = [was.get(element), is.get(element)];
    const inner = [...path, element];
    const isDouble = (left?.length ?? 0) > 1 || (right?.length ?? 0) > 1;
    // Items that share an identity cannot be told apart: they are one value.
    if (isDouble) compare(found, { is: 'leaf' }, left, right, inner);
    else compare(found, itemShape(shape), left?.[0], right?.[0], inner);
  }
}

/** The value without the paths of a set and all below them; undefined when nothing is left of it. */
export function withoutFields(shape: Shape, value: unknown, set: FieldSet): unknown {
  if (set.inner.size === 0) return value;
  const form = formOf(shape, value);
  if (form === 'record' && isRecord(value)) {
    const kept = Object.entries(value).flatMap(([name, entry]): [string, unknown][] => {
      const below = set.inner.get(`f:${name}`) ?? NO_FIELDS;
      const left = below.here ? undefined : withoutFields(innerShape(shape, name).shape, entry, below);
      return left === undefined ? [] : [[name, left]];
    });
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  }
  if (form !== 'list') return value;
  const kept = itemsOf(shape, value).flatMap((item) => {
    const below = set.inner.get(item.element) ?? NO_FIELDS;
    const left = below.here ? undefined : withoutFields(itemShape(shape), item.value, below);
    return left === undefined ? [] : [left];
  });
  return kept.length === 0 ? undefined : kept;
}

/** The set together with the structs that its paths lead through. */
export function withStructs(shape: Shape, set: FieldSet): FieldSet {
  const inner = new Map<string, FieldSet>();
  for (const [element, below] of set.inner) {
    const isField = element.startsWith('f:');
    const next = isField ? innerShape(shape, element.slice(2)).shape : itemShape(shape);
    const isStructField = isField && shape.is === 'struct' && shape.field(element.slice(2)) !== undefined;
    const grown = withStructs(next, below);
    inner.set(element, isStructField ? { ...grown, here: true } : grown);
  }
  return { here: set.here, inner };
}
