import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Code finds files of the tree by where its source is, not by where the bundle is. */
const keepUrls: Plugin = {
  name: 'keep-urls',
  setup(b) {
    b.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      if (!source.includes('import.meta.url')) return undefined;
      return {
        loader: 'ts',
        contents: `const __url = ${JSON.stringify(pathToFileURL(path).href)}; ${source}`,
      };
    });
  },
};

/**
 * The given sources as plain JavaScript with shared parts, in a temporary folder: loading them takes half of what tsx takes.
 * Traces of errors name the JavaScript; `traced` translates them. Call `remove` when no process uses the bundle any more.
 */
export class Bundle {
  readonly #folder: string;
  readonly #maps = new Map<string, SourceMap>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Builds it; rejects when a source does not compile. */
  static async of(sources: readonly string[]): Promise<Bundle> {
    const folder = mkdtempSync(join(tmpdir(), 'coxswain-tests-'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    await build({
      entryPoints: [...sources],
      outdir: folder,
      outbase: root,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      packages: 'external',
      platform: 'node',
      format: 'esm',
      target: 'node20',
      sourcemap: true,
      define: { 'import.meta.url': '__url' },
      plugins: [keepUrls],
      logLevel: 'warning',
    });
    return new Bundle(folder);
  }

  /** The JavaScript file of a source. */
  fileOf(source: string): string {
    return join(this.#folder, relative(root, source)).replace(/\.ts$/, '.mjs');
  }

  /** A text whose places in the bundle are named as places in the sources. */
  traced(text: string): string {
    const place = new RegExp(`(?:file://)?${this.#folder}/([\\w./-]+\\.mjs):(\\d+):(\\d+)`, 'g');
    return text.replace(place, (whole, file: string, line: string, column: string) => {
      const path = join(this.#folder, file);
      const found = this.#mapOf(path).findEntry(Number(line) - 1, Number(column) - 1);
      if (!('originalSource' in found)) return whole;
      const source = relative(root, join(path, '..', found.originalSource));
      return `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`;
    });
  }

  #mapOf(path: string): SourceMap {
    const map = this.#maps.get(path) ?? new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')));
    this.#maps.set(path, map);
    return map;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
