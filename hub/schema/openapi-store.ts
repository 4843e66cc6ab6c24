import { createHash } from 'node:crypto';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import { builtinTypes } from '../../protocol/schema/builtin.ts';
import { COMPUTED_KINDS } from '../../protocol/schema/computed-kinds.ts';
import { openApiDocument } from '../../protocol/schema/openapi.ts';
import type { OpenApiKind } from '../../protocol/schema/openapi-operations.ts';
import { type OpenApiV2, openApiV2 } from '../../protocol/schema/openapi-v2.ts';
import { DocsLoader } from './docs-loader.ts';
import { openApiV2Protobuf } from './openapi-v2-protobuf.ts';

/** One OpenAPI document as it goes over the wire; `hash` changes exactly when `json` does. */
export interface OpenApiFile {
  readonly json: string;
  readonly hash: string;
}

/** The document of all kinds in the form of OpenAPI 2.0; `hash` changes with the bytes. */
export interface OpenApiV2File {
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/**
 * The OpenAPI documents of the hub's kinds. A document is made when first asked for and kept until `drop`; the hashes
 * stay, because `/openapi/v3` lists them and documents are large.
 */
export class OpenApiStore {
  readonly #docs: DocsLoader;
  readonly #source: () => readonly OpenApiKind[];
  #known: readonly OpenApiKind[] = [];
  readonly #files = new Map<string, OpenApiFile>();
  readonly #hashes = new Map<string, string>();
  readonly #v2 = new Map<'json' | 'protobuf', OpenApiV2File>();

  /**
   * `directory` holds the files of `scripts/build-schema.ts`. Kinds that come and go are given as a function, which gives
   * the same array as long as nothing changes.
   */
  constructor(kinds: readonly OpenApiKind[] | (() => readonly OpenApiKind[]), directory: string) {
    const source = typeof kinds === 'function' ? kinds : () => kinds;
    let of: readonly OpenApiKind[] = [];
    let all: readonly OpenApiKind[] = COMPUTED_KINDS;
    this.#source = () => {
      const now = source();
      if (now !== of) all = [...now, ...COMPUTED_KINDS];
      of = now;
      return all;
    };
    this.#docs = new DocsLoader(directory);
  }

  /** The API versions that have a document, `v1` and `apps/v1` for instance, in the order of the kinds. */
  groupVersions(): string[] {
    return [...new Set(this.#kinds().map(apiVersionOf))];
  }

  /** Hash of a document, made if need be; undefined for an API version without kinds. */
  hash(apiVersion: string): string | undefined {
    this.#kinds();
    return this.#hashes.get(apiVersion) ?? this.file(apiVersion)?.hash;
  }

  /** The document of an API version; undefined when no kind has it. */
  file(apiVersion: string): OpenApiFile | undefined {
    const all = this.#kinds();
    const known = this.#files.get(apiVersion);
    if (known !== undefined) return known;
    const kinds = all.filter((kind) => apiVersionOf(kind) === apiVersion);
    if (kinds.length === 0) return undefined;
    const json = JSON.stringify(openApiDocument(kinds, builtinTypes, this.#docs.find));
    const hash = hashOf(json);
    const file = { json, hash };
    this.#files.set(apiVersion, file);
    this.#hashes.set(apiVersion, hash);
    return file;
  }

  /** All kinds in one OpenAPI 2.0 document, as JSON or as clients before OpenAPI v3 want it. */
  v2(format: 'json' | 'protobuf'): OpenApiV2File {
    const kinds = this.#kinds();
    const known = this.#v2.get(format);
    if (known !== undefined) return known;
    const document = openApiV2(kinds, builtinTypes, this.#docs.find);
    const bytes = format === 'json' ? jsonOf(document) : openApiV2Protobuf(document);
    const file = { bytes, hash: hashOf(bytes) };
    this.#v2.set(format, file);
    return file;
  }

  /** The kinds of now; forgets what was made of others. */
  #kinds(): readonly OpenApiKind[] {
    const now = this.#source();
    if (now !== this.#known) {
      this.#known = now;
      this.#files.clear();
      this.#hashes.clear();
      this.#v2.clear();
    }
    return now;
  }

  /** Frees the documents and descriptions; they are made again when asked for. */
  drop(): void {
    this.#files.clear();
    this.#v2.clear();
    this.#docs.drop();
  }
}

const hashOf = (content: string | Uint8Array): string =>
  createHash('sha512').update(content).digest('hex').toUpperCase();

/** Written piece by piece, so that the whole document is never there as objects. */
function jsonOf({ swagger, info, paths, definitions }: OpenApiV2): Uint8Array {
  const object = (entries: Iterable<readonly [string, unknown]>): Buffer[] => {
    const parts: Buffer[] = [];
    for (const [key, value] of entries)
      parts.push(
        Buffer.from(`${parts.length === 0 ? '{' : ','}${JSON.stringify(key)}:${JSON.stringify(value)}`),
      );
    return [...(parts.length === 0 ? [Buffer.from('{')] : parts), Buffer.from('}')];
  };
  return Buffer.concat([
    Buffer.from(`{"swagger":"${swagger}","info":${JSON.stringify(info)},"paths":`),
    ...object(paths()),
    Buffer.from(',"definitions":'),
    ...object(definitions()),
    Buffer.from('}'),
  ]);
}
