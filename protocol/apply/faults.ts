import { isRecord } from '../json.ts';
import { elementText } from './field-set.ts';
import { elementOf } from './items.ts';
import { formOf, innerShape, type Shape } from './shape.ts';

/** Most faults that are collected; a hostile object must not make a huge answer. */
const MAX_FAULTS = 20;

/** Why a configuration cannot be applied: fields no schema has, list items without or with the same identity. Never throws. */
export function configFaults(shape: Shape, config: unknown): string[] {
  const faults: string[] = [];
  inspect(faults, shape, config, '');
  return faults.slice(0, MAX_FAULTS);
}

function inspect(faults: string[], shape: Shape, value: unknown, path: string): void {
  if (faults.length >= MAX_FAULTS) return;
  const form = formOf(shape, value);
  if (form === 'list' && Array.isArray(value)) inspectList(faults, shape, value, path);
  if (form !== 'record' || !isRecord(value)) return;
  for (const [name, entry] of Object.entries(value)) {
    const inner = `${path}.${name}`;
    if (shape.is === 'struct' && shape.field(name) === undefined)
      faults.push(`${inner}: field not declared in schema`);
    else inspect(faults, innerShape(shape, name).shape, entry, inner);
  }
}

function inspectList(faults: string[], shape: Shape, list: readonly unknown[], path: string): void {
  const seen = new Set<string>();
  list.forEach((item, i) => {
    const element = elementOf(shape, item);
    if (element === undefined) {
      faults.push(`${path}: element ${i}: ${withoutIdentity(shape)}`);
      return;
    }
    if (seen.has(element)) faults.push(`${path}: duplicate entries for key ${elementText(element)}`);
    seen.add(element);
    if (shape.is === 'items') inspect(faults, shape.of, item, path + elementText(element));
  });
}

function withoutIdentity(shape: Shape): string {
  if (shape.is !== 'items') return 'only scalars may be items of a set';
  const [first = ''] = shape.keys;
  return shape.keys.length === 1
    ? `associative list with keys has an element that omits key field ${JSON.stringify(first)}`
    : `associative list with keys has an element that omits all key fields [${shape.keys.map((k) => JSON.stringify(k)).join(' ')}] (and doesn't have default values for any key fields)`;
}
