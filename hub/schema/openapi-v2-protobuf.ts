import { isRecord } from '../../protocol/json.ts';
import type { OpenApiV2 } from '../../protocol/schema/openapi-v2.ts';

/** How a JSON member is written: a scalar, `any` for a value as YAML text, or a message. Lists are written one by one. */
type Form = 'text' | 'flag' | 'int' | 'double' | 'any' | ((value: unknown) => Buffer);

/** A message: JSON name to field number and form. `vendor` is the number for members that start with `x-`. */
interface Message {
  readonly fields: Readonly<Record<string, readonly [number: number, form: Form]>>;
  readonly vendor?: number;
}

const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

const tag = (number: number, wire: number): Buffer => varint(number * 8 + wire);

function sized(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([tag(number, LENGTH), varint(bytes.length), bytes]);
}

const text = (number: number, value: unknown): Buffer => sized(number, Buffer.from(String(value)));

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** A JSON text is YAML too, and clients read it as that. */
const anyValue = (value: unknown): Buffer => text(2, JSON.stringify(value));

function member(number: number, form: Form, value: unknown): Buffer {
  if (typeof form === 'function') return sized(number, form(value));
  switch (form) {
    case 'text':
      return text(number, value);
    case 'any':
      return sized(number, anyValue(value));
    case 'double':
      return Buffer.concat([tag(number, EIGHT_BYTES), double(Number(value))]);
    case 'int':
    case 'flag':
      return Buffer.concat([tag(number, VARINT), varint(Number(value))]);
  }
}

/** Writes the members a message has; others, which the format has no place for, are left out. */
function written({ fields, vendor }: Message, value: unknown): Buffer {
  const parts: Buffer[] = [];
  for (const [key, one] of isRecord(value) ? Object.entries(value) : []) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field !== undefined) {
      const [number, form] = field;
      for (const entry of Array.isArray(one) && form !== schemaDefault ? one : [one])
        parts.push(member(number, form, entry));
    } else if (vendor !== undefined && key.startsWith('x-'))
      parts.push(sized(vendor, named(key, anyValue(one))));
  }
  return Buffer.concat(parts);
}

const named = (name: string, value: Buffer): Buffer => Buffer.concat([text(1, name), sized(2, value)]);
/** A default is one value, also when it is a list. */
const schemaDefault = (value: unknown): Buffer => anyValue(value);
const inside =
  (number: number, form: (value: unknown) => Buffer) =>
  (value: unknown): Buffer =>
    sized(number, form(value));

const schema = (value: unknown): Buffer => written(SCHEMA, value);
const typeItem = (value: unknown): Buffer => text(1, value);
const additional = (value: unknown): Buffer =>
  typeof value === 'boolean' ? member(2, 'flag', value) : sized(1, schema(value));
const properties = (value: unknown): Buffer =>
  Buffer.concat(
    Object.entries(isRecord(value) ? value : {}).map(([name, one]) => sized(1, named(name, schema(one)))),
  );

const SCHEMA: Message = {
  fields: {
    $ref: [1, 'text'],
    format: [2, 'text'],
    title: [3, 'text'],
    description: [4, 'text'],
    default: [5, schemaDefault],
    multipleOf: [6, 'double'],
    maximum: [7, 'double'],
    exclusiveMaximum: [8, 'flag'],
    minimum: [9, 'double'],
    exclusiveMinimum: [10, 'flag'],
    maxLength: [11, 'int'],
    minLength: [12, 'int'],
    pattern: [13, 'text'],
    maxItems: [14, 'int'],
    minItems: [15, 'int'],
    uniqueItems: [16, 'flag'],
    maxProperties: [17, 'int'],
    minProperties: [18, 'int'],
    required: [19, 'text'],
    enum: [20, 'any'],
    additionalProperties: [21, additional],
    type: [22, typeItem],
    items: [23, inside(1, schema)],
    properties: [25, properties],
  },
  vendor: 31,
};

const BODY: Message = {
  fields: {
    description: [1, 'text'],
    name: [2, 'text'],
    in: [3, 'text'],
    required: [4, 'flag'],
    schema: [5, schema],
  },
};
const QUERY: Message = {
  fields: {
    required: [1, 'flag'],
    in: [2, 'text'],
    description: [3, 'text'],
    name: [4, 'text'],
    type: [6, 'text'],
    uniqueItems: [20, 'flag'],
  },
};
const PATH: Message = {
  fields: {
    required: [1, 'flag'],
    in: [2, 'text'],
    description: [3, 'text'],
    name: [4, 'text'],
    type: [5, 'text'],
    uniqueItems: [19, 'flag'],
  },
};

/** A parameter lies in three messages that each say which kind it is. */
function parameter(value: unknown): Buffer {
  const place = isRecord(value) ? value['in'] : undefined;
  if (place === 'body') return sized(1, sized(1, written(BODY, value)));
  const own = place === 'path' ? sized(4, written(PATH, value)) : sized(3, written(QUERY, value));
  return sized(1, sized(2, own));
}

const RESPONSE: Message = { fields: { description: [1, 'text'], schema: [2, inside(1, schema)] } };
const responses = (value: unknown): Buffer =>
  Buffer.concat(
    Object.entries(isRecord(value) ? value : {}).map(([code, one]) =>
      sized(1, named(code, sized(1, written(RESPONSE, one)))),
    ),
  );

const OPERATION: Message = {
  fields: {
    tags: [1, 'text'],
    description: [3, 'text'],
    operationId: [5, 'text'],
    produces: [6, 'text'],
    consumes: [7, 'text'],
    parameters: [8, parameter],
    responses: [9, responses],
  },
  vendor: 13,
};
const operation = (value: unknown): Buffer => written(OPERATION, value);
const PATH_ITEM: Message = {
  fields: {
    get: [2, operation],
    put: [3, operation],
    post: [4, operation],
    delete: [5, operation],
    patch: [8, operation],
    parameters: [9, parameter],
  },
};
const INFO: Message = { fields: { title: [1, 'text'], version: [2, 'text'] } };

/**
 * An OpenAPI 2.0 document as the protobuf message `openapi.v2.Document` of gnostic, which Go clients before OpenAPI v3 ask for. Every
 * path and definition is written on its own, so that little is held twice.
 */
export function openApiV2Protobuf(document: OpenApiV2): Buffer {
  const paths: Buffer[] = [];
  for (const [path, item] of document.paths()) paths.push(sized(2, named(path, written(PATH_ITEM, item))));
  const definitions: Buffer[] = [];
  for (const [name, one] of document.definitions()) definitions.push(sized(1, named(name, schema(one))));
  return Buffer.concat([
    text(1, document.swagger),
    sized(2, written(INFO, document.info)),
    ...sizedParts(8, paths),
    ...sizedParts(9, definitions),
  ]);
}

/** A field of many pieces, without a copy of them all. */
function sizedParts(number: number, parts: readonly Buffer[]): Buffer[] {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  return [tag(number, LENGTH), varint(bytes), ...parts];
}
