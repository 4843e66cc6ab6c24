import { apiVersionOf, type Column, type KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';
import { ApiError } from '../../protocol/status.ts';
import type { ListDocument } from './exchange.ts';
import type { Projection } from './media.ts';

/** What a Table row carries beside its cells. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

const META_V1 = 'meta.k8s.io/v1';

/** Reads `includeObject`; throws BadRequest on an unknown value. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw new ApiError('BadRequest', `unrecognized includeObject value: "${value}"`);
}

/** `metadata` of a list or Table. */
export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

export interface ProjectOptions {
  readonly as: Projection;
  readonly include: IncludeObject;
  readonly nowMs: number;
}

/** A list in the form asked for. Items of a plain list carry neither kind nor apiVersion, as in Kubernetes. */
export function projectList(
  spec: KindSpec,
  items: readonly KubeObject[],
  metadata: ListMeta,
  options: ProjectOptions,
): ListDocument {
  if (options.as === 'Table') {
    const head = tableHead(spec, metadata, true);
    return { head, field: 'rows', items: each(items, (object) => row(spec, object, options)) };
  }
  if (options.as === 'PartialObjectMetadataList') {
    const head = { kind: options.as, apiVersion: META_V1, metadata };
    return { head, field: 'items', items: each(items, partial) };
  }
  const head = { kind: `${spec.kind}List`, apiVersion: apiVersionOf(spec), metadata };
  return { head, field: 'items', items: each(items, untyped) };
}

function* each(items: readonly KubeObject[], shown: (object: KubeObject) => object): Generator<object, void> {
  for (const item of items) yield shown(item);
}

function untyped({ kind: _kind, apiVersion: _apiVersion, ...rest }: KubeObject): object {
  return rest;
}

/** One object in the form asked for; `headed` is false for the later Tables of one watch. */
export function projectOne(
  spec: KindSpec,
  object: KubeObject,
  options: ProjectOptions,
  headed = true,
): object {
  if (options.as === 'Table') {
    const head = tableHead(spec, { resourceVersion: object.metadata.resourceVersion }, headed);
    return { ...head, rows: [row(spec, object, options)] };
  }
  return options.as === 'PartialObjectMetadata' ? partial(object) : object;
}

/** A Table without its rows. */
function tableHead(spec: KindSpec, metadata: ListMeta, headed: boolean): object {
  return {
    kind: 'Table',
    apiVersion: META_V1,
    metadata,
    columnDefinitions: headed ? spec.columns.map(definition) : null,
  };
}

function definition(column: Column<KubeObject>): object {
  const { name, type, format, description, priority } = column;
  return { name, type, format: format ?? '', description, priority };
}

function row(spec: KindSpec, object: KubeObject, options: ProjectOptions): object {
  const cells = spec.columns.map((c) => c.cell(object, { nowMs: options.nowMs }));
  if (options.include === 'None') return { cells, object: null };
  return { cells, object: options.include === 'Object' ? object : partial(object) };
}

function partial(object: KubeObject): object {
  return { kind: 'PartialObjectMetadata', apiVersion: META_V1, metadata: object.metadata };
}
