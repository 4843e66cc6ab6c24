import type { DocSource } from './docs.ts';
import { isAtomicStruct } from './merge-keys.ts';
import {
  type Field,
  type FieldType,
  packageOf,
  type ScalarName,
  type StructType,
  shortNameOf,
  type TypeSource,
} from './types.ts';

/** A JSON value of an OpenAPI document. */
export type OpenApi = Record<string, unknown>;

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';
const RAW = 'io.k8s.apimachinery.pkg.runtime.RawExtension';

/** `io.k8s.api.core.v1.PodSpec` for `core/v1.PodSpec`. */
export function openApiName(struct: string): string {
  const name = packageOf(struct);
  const [group = '', version = ''] = name.split('/');
  // Packages of the built-in groups have no dots; what has one is a custom resource's group.
  if (group.includes('.'))
    return `${group.split('.').toReversed().join('.')}.${version}.${shortNameOf(struct)}`;
  const path = name === 'meta/v1' ? META : `io.k8s.api.${name.replace('/', '.')}`;
  return `${path}.${shortNameOf(struct)}`;
}

export const schemaRef = (name: string): OpenApi => ({ $ref: `#/components/schemas/${name}` });

/** Schemas of the leaf types that have a name of their own. */
const NAMED: Readonly<Record<string, OpenApi>> = {
  [`${META}.Time`]: {
    description: 'Time is a wrapper around time.Time which supports correct marshaling to YAML and JSON.',
    type: 'string',
    format: 'date-time',
  },
  [`${META}.MicroTime`]: {
    description: 'MicroTime is version of Time with microsecond level precision.',
    type: 'string',
    format: 'date-time',
  },
  [`${META}.FieldsV1`]: {
    description: 'FieldsV1 stores a set of fields in a data structure like a Trie, in JSON format.',
    type: 'object',
  },
  [QUANTITY]: {
    description: 'Quantity is a fixed-point number with a unit: 100m, 128Mi, 2.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
  [INT_OR_STRING]: {
    description: 'IntOrString is a type that can hold an int32 or a string.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [RAW]: { description: 'RawExtension holds any JSON object.', type: 'object' },
};

const SCALARS: Readonly<Record<ScalarName, OpenApi>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
  Quantity: schemaRef(QUANTITY),
  IntOrString: schemaRef(INT_OR_STRING),
  Time: schemaRef(`${META}.Time`),
  MicroTime: schemaRef(`${META}.MicroTime`),
  FieldsV1: schemaRef(`${META}.FieldsV1`),
  RawExtension: schemaRef(RAW),
};

/**
 * The schemas of `roots` and of everything they refer to, by OpenAPI name. `gvkOf` gives the kinds a struct stands
 * for, as `x-kubernetes-group-version-kind`.
 */
export function openApiSchemas(
  types: TypeSource,
  docs: DocSource,
  roots: readonly string[],
  gvkOf: (struct: string) => readonly OpenApi[],
): Record<string, OpenApi> {
  const schemas: Record<string, OpenApi> = { ...NAMED };
  const waiting = [...roots];
  const seen = new Set(waiting);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const type = types(name);
    if (type === undefined) continue;
    const gvk = gvkOf(name);
    schemas[openApiName(name)] = {
      ...structSchema(type, docs),
      ...(gvk.length === 0 ? {} : { 'x-kubernetes-group-version-kind': gvk }),
    };
    for (const inner of [...type.fields.values()].flatMap((f) => structsIn(f.type)))
      if (!seen.has(inner)) {
        seen.add(inner);
        waiting.push(inner);
      }
  }
  return schemas;
}

function structsIn(type: FieldType): string[] {
  if (type.is === 'struct') return [type.name];
  return type.is === 'scalar' ? [] : structsIn(type.of);
}

const TYPE_META: Readonly<Record<string, OpenApi>> = {
  apiVersion: {
    type: 'string',
    description:
      'APIVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  },
  kind: {
    type: 'string',
    description:
      'Kind is a string value representing the REST resource this object represents. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
  },
};

function structSchema(type: StructType, docs: DocSource): OpenApi {
  const doc = docs(type.name);
  const properties = [...type.fields.values()].map((field): [string, OpenApi] => [
    field.name,
    fieldSchema(field, doc?.fields[field.name] ?? COMMON[field.name] ?? typeDescription(field.type, docs)),
  ]);
  const all = [...(type.hasTypeMeta ? Object.entries(TYPE_META) : []), ...properties];
  return {
    ...(doc?.description === undefined ? {} : { description: doc.description }),
    type: 'object',
    ...(doc?.required === undefined || doc.required.length === 0 ? {} : { required: doc.required }),
    properties: Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    ...(isAtomicStruct(type.name) ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  };
}

/** Fields that hold a struct are not described in what the documents are made from; these are the ones people ask about most. */
const COMMON: Readonly<Record<string, string>> = {
  metadata:
    "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
  spec: 'What is desired. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#spec-and-status',
  status:
    'What was observed last, written by the system. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#spec-and-status',
  template: 'What is created from it, over and over: labels, annotations and spec.',
  jobTemplate: 'The jobs that are created when the schedule says so.',
  selector: 'Which objects it is about, by their labels.',
  resources: 'Compute resources that are required, and how much may be used.',
  strategy: 'How existing pods are replaced by new ones.',
  updateStrategy: 'How existing pods are replaced by new ones.',
  rollingUpdate: 'How a rolling update goes; only with type RollingUpdate.',
  affinity: 'Where the pod may run or should rather run: rules about nodes and about other pods.',
  securityContext: 'Security attributes to run with.',
  livenessProbe: 'When it fails, the container is restarted.',
  readinessProbe: 'While it fails, the container is not ready and gets no requests of services.',
  startupProbe: 'Until it succeeds once, no other probe runs; when it fails, the container is restarted.',
  lifecycle: 'What is done right after the container was started and before it is stopped.',
};

/** A field that nobody described is at least described by what it holds. */
function typeDescription(type: FieldType, docs: DocSource): string | undefined {
  const [struct] = structsIn(type);
  return struct === undefined ? undefined : docs(struct)?.description;
}

function fieldSchema(field: Field, description: string | undefined): OpenApi {
  return {
    ...(description === undefined ? {} : { description }),
    ...typeSchema(field.type),
    ...extensions(field),
  };
}

/** A reference may have no siblings in OpenAPI 3.0, so it is wrapped. */
function typeSchema(type: FieldType): OpenApi {
  if (type.is === 'list' || type.is === 'wrapped') return { type: 'array', items: typeSchema(type.of) };
  if (type.is === 'map') return { type: 'object', additionalProperties: typeSchema(type.of) };
  const plain = type.is === 'scalar' ? SCALARS[type.name] : schemaRef(openApiName(type.name));
  if (!Object.hasOwn(plain, '$ref')) return plain;
  return { ...(type.is === 'struct' ? { default: {} } : {}), allOf: [plain] };
}

function extensions({ type, merge }: Field): OpenApi {
  const strategies = [
    ...(merge?.patchKey !== undefined || merge?.patchSet === true ? ['merge'] : []),
    ...(merge?.retainKeys === true ? ['retainKeys'] : []),
    ...(merge?.replace === true ? ['replace'] : []),
  ];
  return {
    ...(merge?.patchKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': merge.patchKey }),
    ...(strategies.length === 0 ? {} : { 'x-kubernetes-patch-strategy': strategies.join(',') }),
    ...(type.is === 'list' ? { 'x-kubernetes-list-type': merge?.listType ?? 'atomic' } : {}),
    ...(merge?.listKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': merge.listKeys }),
    ...(merge?.atomic === true ? { 'x-kubernetes-map-type': 'atomic' } : {}),
  };
}
