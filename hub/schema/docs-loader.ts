import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DocSource, docFileOf, type TypeDoc } from '../../protocol/schema/docs.ts';
import { packageOf, shortNameOf } from '../../protocol/schema/types.ts';

type PackageDocs = Readonly<Record<string, TypeDoc>>;

/**
 * Reads the descriptions that `scripts/build-schema.ts` wrote, one file per package, when first asked for. A missing
 * file means no descriptions: everything but `kubectl explain` works without them. `drop` frees the memory.
 */
export class DocsLoader {
  readonly #directory: string;
  readonly #packages = new Map<string, PackageDocs>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Finds what is written about a struct. Throws on a file that is there but cannot be read. */
  readonly find: DocSource = (name) => {
    const docs = this.#load(packageOf(name));
    const short = shortNameOf(name);
    return Object.hasOwn(docs, short) ? docs[short] : undefined;
  };

  /** Forgets what was read; the next question reads again. */
  drop(): void {
    this.#packages.clear();
  }

  #load(packageName: string): PackageDocs {
    const known = this.#packages.get(packageName);
    if (known !== undefined) return known;
    const docs = readDocs(join(this.#directory, docFileOf(packageName)));
    this.#packages.set(packageName, docs);
    return docs;
  }
}

function readDocs(file: string): PackageDocs {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  return JSON.parse(text) as PackageDocs;
}
