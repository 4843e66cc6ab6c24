import { apiVersionOf, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { Change } from '../cluster.ts';
import { type ProjectOptions, projectOne } from './projection.ts';
import type { Filter } from './selection.ts';

/** What a watcher is told. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

/**
 * The event a watcher with this filter sees of a change: entering the selection is ADDED, leaving it DELETED (the state
 * before, with the leaving change's version). Undefined when the change is none of its business. Pure.
 */
export function eventOf(
  change: Change,
  namespace: string,
  filter: Filter | undefined,
): WatchEvent | undefined {
  const { object, previous, type } = change;
  if (namespace !== '' && object.metadata.namespace !== namespace) return undefined;
  const before = type !== 'added' && (filter?.(previous ?? object) ?? true);
  const after = type !== 'deleted' && (filter?.(object) ?? true);
  if (after) return { type: before ? 'MODIFIED' : 'ADDED', object };
  if (!before) return undefined;
  if (type === 'deleted') return { type: 'DELETED', object };
  const last = previous ?? object;
  const { resourceVersion } = object.metadata;
  return { type: 'DELETED', object: { ...last, metadata: { ...last.metadata, resourceVersion } } };
}

/** A BOOKMARK that says "you have seen everything up to `revision`". */
export function bookmark(spec: KindSpec, revision: number, as: string, initialEnd: boolean): object {
  const metadata = {
    resourceVersion: String(revision),
    ...(initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
  };
  if (as === 'Table')
    return {
      type: 'BOOKMARK',
      object: { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: null, rows: [] },
    };
  const head =
    as === 'PartialObjectMetadata'
      ? { kind: as, apiVersion: 'meta.k8s.io/v1' }
      : { kind: spec.kind, apiVersion: apiVersionOf(spec) };
  return { type: 'BOOKMARK', object: { ...head, metadata } };
}

/**
 * Writes events as lines. The last plain line is kept, because the store tells all watchers of one change in one go,
 * and a thousand of them want the same text.
 */
export class EventEncoder {
  #object: KubeObject | undefined;
  #type = '';
  #line = '';

  plain(event: WatchEvent): string {
    if (this.#object !== event.object || this.#type !== event.type) {
      this.#line = `{"type":"${event.type}","object":${JSON.stringify(event.object)}}\n`;
      this.#object = event.object;
      this.#type = event.type;
    }
    return this.#line;
  }

  /** A Table of one row, or metadata only; `headed` for the first Table of a watch. */
  projected(spec: KindSpec, event: WatchEvent, options: ProjectOptions, headed: boolean): string {
    if (options.as === 'object') return this.plain(event);
    const object = projectOne(spec, event.object, options, headed);
    return `${JSON.stringify({ type: event.type, object })}\n`;
  }
}
