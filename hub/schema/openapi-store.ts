import { createHash } from 'node:crypto';
import { apiVersionOf } from '../../protocol/kinds/kind.ts';
import { builtinTypes } from '../../protocol/schema/builtin.ts';
import { type OpenApiKind, openApiDocument } from '../../protocol/schema/openapi.ts';
import { DocsLoader } from './docs-loader.ts';

/** One OpenAPI document as it goes over the wire; `hash` changes exactly when `json` does. */
export interface OpenApiFile {
  readonly json: string;
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

  /**
   * `directory` holds the files of `scripts/build-schema.ts`. Kinds that come and go are given as a function, which gives
   * the same array as long as nothing changes.
   */
  constructor(kinds: readonly OpenApiKind[] | (() => readonly OpenApiKind[]), directory: string) {
    this.#source = typeof kinds === 'function' ? kinds : () => kinds;
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
    const [first] = kinds;
    if (first === undefined) return undefined;
    const json = JSON.stringify(openApiDocument(first, kinds, builtinTypes, this.#docs.find));
    const hash = createHash('sha512').update(json).digest('hex').toUpperCase();
    const file = { json, hash };
    this.#files.set(apiVersion, file);
    this.#hashes.set(apiVersion, hash);
    return file;
  }

  /** The kinds of now; forgets what was made of others. */
  #kinds(): readonly OpenApiKind[] {
    const now = this.#source();
    if (now !== this.#known) {
      this.#known = now;
      this.#files.clear();
      this.#hashes.clear();
    }
    return now;
  }

  /** Frees the documents and descriptions; they are made again when asked for. */
  drop(): void {
    this.#files.clear();
    this.#docs.drop();
  }
}
