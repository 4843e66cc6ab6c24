import { ageSince } from '../human-duration.ts';
import { isRecord } from '../json.ts';
import { defineKind } from '../kinds/define-kind.ts';
import { type Column, type DecodedFields, idOf, type KindSpec, type ScaleView } from '../kinds/kind.ts';
import type { KubeObject } from '../kinds/meta.ts';
import { ageColumn, nameColumn } from '../print/cells.ts';
import { builtinTypes } from '../schema/builtin.ts';
import { checkFields } from '../schema/check.ts';
import { pruneFields } from '../schema/prune.ts';
import { forbidden, unless } from '../validate/field-errors.ts';
import { parseJsonPath, withValueAt } from './json-path.ts';
import { applyDefaults, prunedResource } from './prune.ts';
import type { CustomResourceDefinition, CustomVersion, JsonSchema, PrinterColumn } from './types.ts';
import { type Patterns, validateValue } from './validate.ts';

type Names = CustomResourceDefinition['spec']['names'];

/** The name a definition's objects are stored by. */
export const customId = (kind: string, group: string): string => `${kind}.${group}`;

/** What a definition makes the hub serve. */
export interface CustomKinds {
  /** What the store keeps: the storage version's. */
  readonly stored: KindSpec;
  /** What the API serves, one for each served version, the most mature first; each a view of the stored one. */
  readonly served: readonly KindSpec[];
}

/** The kinds of an accepted definition; undefined when no version is the storage version. Pure. */
export function customKinds(definition: CustomResourceDefinition): CustomKinds | undefined {
  const { spec } = definition;
  const storage = spec.versions.find((version) => version.storage);
  if (storage === undefined) return undefined;
  const stored = kindOf(definition, storage);
  const served = spec.versions
    .filter((version) => version.served)
    .toSorted((a, b) => compareVersions(a.name, b.name))
    .map((version) => viewOf(definition, version, stored));
  return { stored, served };
}

const VERSION = /^v(\d{1,9})(?:(alpha|beta)(\d{1,9}))?$/;

/** v2, v1, v1beta2, v1beta1, v1alpha1, then all other names. */
function compareVersions(a: string, b: string): number {
  const rank = (name: string): number[] => {
    const match = VERSION.exec(name);
    if (match === null) return [0, 0, 0];
    const [, major, stage, minor] = match;
    return [stage === undefined ? 3 : stage === 'beta' ? 2 : 1, Number(major), Number(minor ?? 0)];
  };
  const [left, right] = [rank(a), rank(b)];
  const difference = left.map((value, i) => (right[i] ?? 0) - value).find((d) => d !== 0);
  return difference ?? (a < b ? -1 : a > b ? 1 : 0);
}

function schemaOf(version: CustomVersion): JsonSchema {
  return version.schema?.openAPIV3Schema ?? { 'x-kubernetes-preserve-unknown-fields': true };
}

function kindOf(definition: CustomResourceDefinition, version: CustomVersion): KindSpec {
  const { group, names, scope } = definition.spec;
  const schema = schemaOf(version);
  const patterns: Patterns = new Map();
  const check = (object: KubeObject): ReturnType<KindSpec['validate']> => {
    const { metadata: _metadata, apiVersion: _apiVersion, kind: _kind, ...rest } = object;
    const required = (schema.required ?? []).filter((name) => name !== 'metadata');
    return validateValue({ ...schema, required }, rest, '', patterns);
  };
  const hasStatus = version.subresources?.status !== undefined;
  return defineKind<KubeObject>(
    {
      ...described(names),
      id: customId(names.kind, group),
      group,
      version: version.name,
      namespaced: scope === 'Namespaced',
      hasStatus,
      hasGeneration: true,
      openApi: openApiOf(schema),
      columns: columnsOf(version),
      fieldSelectors: selectorsOf(version),
      ...(hasStatus
        ? { prepareCreate: (object: KubeObject) => void Reflect.deleteProperty(object, 'status') }
        : {}),
    },
    {
      plainFinalizers: true,
      setDefaults: (object) => applyDefaults(schema, object),
      validate: (object) => check(object as KubeObject),
      validateStatusUpdate: (object) => check(object as KubeObject),
      // What came now would be left behind when the definition goes.
      validateCreate: () =>
        unless(definition.metadata.deletionTimestamp === undefined, () =>
          forbidden('metadata', 'create not allowed while custom resource definition is terminating'),
        ),
    },
  );
}

const described = (
  names: Names,
): Pick<KindSpec, 'kind' | 'plural' | 'singular' | 'shortNames' | 'categories'> => ({
  kind: names.kind,
  plural: names.plural,
  singular: names.singular || names.kind.toLowerCase(),
  shortNames: names.shortNames ?? [],
  categories: names.categories ?? [],
});

function viewOf(definition: CustomResourceDefinition, version: CustomVersion, stored: KindSpec): KindSpec {
  const { group, names } = definition.spec;
  const own = kindOf(definition, version);
  const schema = schemaOf(version);
  const apiVersion = `${group}/${version.name}`;
  const scale = scaleOf(version);
  return {
    ...own,
    id: `${names.kind}.${version.name}.${group}`,
    view: {
      of: idOf(stored),
      toStored: (object) => ({ ...object, apiVersion: `${group}/${stored.version}` }),
      fromStored: (object) => {
        if (object.apiVersion === apiVersion) return object;
        const shown = structuredClone(
          prunedResource(schema, object as unknown as Record<string, unknown>, []),
        );
        applyDefaults(schema, shown);
        return { ...shown, apiVersion } as unknown as KubeObject;
      },
    },
    decode: (value) => decode(schema, value),
    ...(scale === undefined ? {} : { scale }),
    ...(version.deprecated === true
      ? {
          warnings: () => [version.deprecationWarning ?? `${apiVersion} ${names.kind} is deprecated`],
        }
      : {}),
  };
}

/** Prunes a body and finds what is unknown; metadata is checked as that of every object. */
function decode(schema: JsonSchema, value: Record<string, unknown>): DecodedFields {
  const unknown: string[] = [];
  const { metadata, ...rest } = prunedResource(schema, value, unknown);
  const root = builtinTypes('meta/v1.ObjectMeta');
  if (metadata === undefined || root === undefined) return { unknown, typeErrors: [], value: rest };
  const types = { types: builtinTypes, root };
  const found = checkFields(types, metadata);
  const inMetadata = found.unknown.map((text) => text.replace('unknown field "', 'unknown field "metadata.'));
  return {
    unknown: [...inMetadata, ...unknown],
    typeErrors: found.typeErrors,
    value: { ...rest, metadata: isRecord(metadata) ? pruneFields(types, metadata) : metadata },
  };
}

function columnsOf(version: CustomVersion): Column<KubeObject>[] {
  const columns = version.additionalPrinterColumns ?? [];
  if (columns.length === 0) return [nameColumn(), ageColumn()];
  return [nameColumn(), ...columns.map(columnOf)];
}

function columnOf(column: PrinterColumn): Column<KubeObject> {
  const read = parseJsonPath(column.jsonPath) ?? (() => []);
  const isNumber = column.type === 'integer' || column.type === 'number';
  return {
    name: column.name,
    type: column.type === 'integer' ? 'integer' : column.type === 'date' ? 'date' : 'string',
    format: column.format ?? '',
    description:
      column.description ?? `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
    priority: column.priority ?? 0,
    cell: (object, { nowMs }) => {
      const values = read(object);
      const [first] = values;
      if (first === undefined || first === null) return '';
      if (column.type === 'date') return typeof first === 'string' ? ageSince(first, nowMs) : '';
      if (isNumber) return typeof first === 'number' ? first : '';
      return values.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join(',');
    },
  };
}

function selectorsOf(version: CustomVersion): KindSpec['fieldSelectors'] {
  return Object.fromEntries(
    (version.selectableFields ?? []).map(({ jsonPath }) => {
      const read = parseJsonPath(jsonPath) ?? (() => []);
      return [jsonPath.replace(/^\./, ''), (object: KubeObject) => String(read(object)[0] ?? '')];
    }),
  );
}

function scaleOf(version: CustomVersion): ScaleView | undefined {
  const scale = version.subresources?.scale;
  if (scale === undefined) return undefined;
  const first = (object: KubeObject, path: string): unknown => (parseJsonPath(path) ?? (() => []))(object)[0];
  const count = (value: unknown): number => (typeof value === 'number' ? value : 0);
  return {
    read: (object) => ({
      replicas: count(first(object, scale.specReplicasPath)),
      current: count(first(object, scale.statusReplicasPath)),
      selector: String(scale.labelSelectorPath ? (first(object, scale.labelSelectorPath) ?? '') : ''),
    }),
    write: (object, replicas) =>
      withValueAt(
        object as unknown as Record<string, unknown>,
        scale.specReplicasPath,
        replicas,
      ) as unknown as KubeObject,
  };
}

/** What `kubectl explain` reads: the schema with the members every object has. */
function openApiOf(schema: JsonSchema): Record<string, unknown> {
  const text = { type: 'string' };
  const metadata = {
    description: 'Standard object metadata.',
    allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }],
  };
  return {
    ...schema,
    type: 'object',
    properties: {
      ...schema.properties,
      apiVersion: schema.properties?.['apiVersion'] ?? text,
      kind: schema.properties?.['kind'] ?? text,
      metadata,
    },
  };
}
