/**
 * Writes what people wrote about the structs of the Kubernetes API into dist/schema, one JSON file per package, for
 * the hub's OpenAPI documents. The texts come from the models of @kubernetes/client-node.
 *
 *   node --import tsx scripts/build-schema.ts [DIRECTORY]
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { builtinTypes } from '../protocol/schema/builtin.ts';
import { docFileOf, type TypeDoc } from '../protocol/schema/docs.ts';
import table from '../protocol/schema/fields.json' with { type: 'json' };
import { packageOf, type StructType, shortNameOf } from '../protocol/schema/types.ts';

/** Writes one file per package into `directory` and returns their names. */
export function buildSchema(directory: string): string[] {
  const models = join(
    dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')),
    'gen/models',
  );
  const packages = new Map<string, Record<string, TypeDoc>>();
  for (const name of Object.keys(table)) {
    const type = builtinTypes(name);
    const doc = type === undefined ? undefined : readDoc(models, type);
    if (doc === undefined) continue;
    const docs = packages.get(packageOf(name)) ?? {};
    docs[shortNameOf(name)] = doc;
    packages.set(packageOf(name), docs);
  }
  mkdirSync(directory, { recursive: true });
  return [...packages].map(([name, docs]) => {
    writeFileSync(join(directory, docFileOf(name)), JSON.stringify(docs));
    return docFileOf(name);
  });
}

/** The model of a struct: named for its version, and for its group where two groups share the name. */
function modelOf(models: string, struct: string): string | undefined {
  const [group = '', version = ''] = packageOf(struct).split('/');
  const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);
  const plain = `${capital(version)}${shortNameOf(struct)}`;
  return [`${capital(group)}${plain}`, plain].find((name) => existsSync(join(models, `${name}.d.ts`)));
}

function readDoc(models: string, type: StructType): TypeDoc | undefined {
  const model = modelOf(models, type.name);
  if (model === undefined) return undefined;
  const text = readFileSync(join(models, `${model}.d.ts`), 'utf8');
  const jsonNames = readJsonNames(readFileSync(join(models, `${model}.js`), 'utf8'));
  const header = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*export declare class/.exec(text);
  const fields: Record<string, string> = {};
  const required: string[] = [];
  const member = /(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?^ {4}'(\w+)'(\??):/gm;
  for (const [, comment, property = '', optional] of text.matchAll(member)) {
    const name = jsonNames.get(property) ?? property;
    if (!type.fields.has(name)) continue;
    if (comment !== undefined) fields[name] = plainText(comment);
    if (optional === '') required.push(name);
  }
  const description = header?.[1] === undefined ? '' : plainText(header[1]);
  return {
    ...(description === '' ? {} : { description }),
    ...(required.length === 0 ? {} : { required }),
    fields,
  };
}

const plainText = (comment: string): string =>
  comment
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join(' ')
    .replaceAll('\\"', '"')
    .trim();

/** Property names that are no good in JavaScript are spelt otherwise there: `_continue` for `continue`. */
function readJsonNames(source: string): Map<string, string> {
  const list = /attributeTypeMap = (\[[\s\S]*?\n\]);/.exec(source)?.[1] ?? '[]';
  const attributes = JSON.parse(list) as { name: string; baseName: string }[];
  return new Map(attributes.map(({ name, baseName }) => [name, baseName]));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const directory = process.argv[2] ?? join(root, 'dist/schema');
  const files = buildSchema(directory);
  process.stdout.write(`wrote ${files.length} schema files\n`);
}
