import { toTime } from '../../kit/clock.ts';
import { type Shape, shapeOfKind } from '../../protocol/apply/shape.ts';
import { trackUpdate } from '../../protocol/apply/update.ts';
import { apiVersionOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject, ManagedFieldsEntry } from '../../protocol/kinds/meta.ts';
import { deepFreeze } from './json.ts';
import type { PlanContext } from './plan.ts';
import type { FieldWriter } from './store-options.ts';

/**
 * Gives `next` the managers it has after a write. `given`: it brings them itself, as an apply does. No writer: those of `live`
 * stay as they are. Cheap for an object that nobody manages, which is what loops create.
 */
export function trackFields(
  context: PlanContext,
  spec: KindSpec,
  live: KubeObject | undefined,
  next: KubeObject,
  writer: FieldWriter | 'given' | undefined,
): void {
  const entries = entriesAfter(context, spec, live, next, writer);
  if (entries === undefined || entries.length === 0) delete next.metadata.managedFields;
  else next.metadata.managedFields = context.fields.share(entries, live?.metadata.managedFields);
}

function entriesAfter(
  context: PlanContext,
  spec: KindSpec,
  live: KubeObject | undefined,
  next: KubeObject,
  writer: FieldWriter | 'given' | undefined,
): ManagedFieldsEntry[] | undefined {
  const own = live?.metadata.managedFields;
  if (writer === 'given') return next.metadata.managedFields;
  if (writer === undefined || (live !== undefined && own === undefined)) return own;
  return trackUpdate({
    shape: context.fields.shapeOf(spec),
    live,
    next,
    manager: writer.manager,
    subresource: writer.subresource ?? '',
    hasStatus: spec.hasStatus,
    apiVersion: apiVersionOf(spec),
    now: toTime(context.nowMs()),
  });
}

const KEEP = 256;
const LONGEST = 16_384;

/**
 * Makes objects that were written alike share one copy of their field sets, which are often larger than the objects: the pods of
 * a thousand identical manifests hold it once. Knows the 256 sets used last.
 */
export class SharedFields {
  readonly #known = new Map<string, Record<string, unknown>>();
  readonly #shapes = new WeakMap<KindSpec, Shape>();

  /** The shape of a kind's objects, made once. */
  shapeOf(spec: KindSpec): Shape {
    const shape = this.#shapes.get(spec) ?? shapeOfKind(spec);
    this.#shapes.set(spec, shape);
    return shape;
  }

  /** The entries with shared, frozen field sets; `before` itself when nothing differs from it. */
  share(
    entries: readonly ManagedFieldsEntry[],
    before?: readonly ManagedFieldsEntry[],
  ): ManagedFieldsEntry[] {
    if (before?.length === entries.length && entries.every((entry, i) => entry === before[i]))
      return before as ManagedFieldsEntry[];
    return entries.map((entry) => {
      if (entry.fieldsV1 === undefined || Object.isFrozen(entry.fieldsV1)) return entry;
      return { ...entry, fieldsV1: this.#shared(entry.fieldsV1) };
    });
  }

  #shared(fields: Record<string, unknown>): Record<string, unknown> {
    const text = JSON.stringify(fields);
    if (text.length > LONGEST) return fields;
    const known = this.#known.get(text) ?? fields;
    deepFreeze(known);
    this.#known.delete(text);
    this.#known.set(text, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KEEP && oldest !== undefined) this.#known.delete(oldest);
    return known;
  }
}
