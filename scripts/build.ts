/** Bundles hub, agent and cox into one JavaScript file each under dist/, with the notices of what is inside. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile, type Plugin } from 'esbuild';
import { fromYaml } from '../kit/yaml.ts';
import { buildSchema } from './build-schema.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const version = (JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string }).version;

/**
 * Modules that packages import but that no path of ours reaches, by the importing file. dockerode: image build sessions over
 * gRPC, Docker over ssh; mqtt: SOCKS proxies, browser timers and the transports of browsers and phones; systeminformation:
 * all but board and processor; pino: worker threads. Leaving them out saves a device about 15 MB of resident memory.
 */
const UNREACHED: readonly { readonly importer: RegExp; readonly module: RegExp }[] = [
  { importer: /\/(dockerode|docker-modem)\//, module: /^(@grpc\/.*|protobufjs|ssh2|cpu-features)$/ },
  { importer: /\/mqtt\//, module: /^(worker-timers|socks|\.\/ws|\.\/wx|\.\/ali)$/ },
  { importer: /\/systeminformation\/lib\/index\.js$/, module: /^\.\/(?!util$|system$|cpu$)/ },
  { importer: /\/pino\//, module: /^thread-stream$/ },
];

/** What packages import for Node versions and browsers we do not have: readable-stream is node:stream, its documented switch. */
const NATIVE = { 'readable-stream': 'stream' } as const;

const leaveOut: Plugin = {
  name: 'leave-out',
  setup(b) {
    b.onResolve({ filter: /^[^/]/ }, ({ path, importer }) =>
      UNREACHED.some((u) => u.importer.test(importer) && u.module.test(path))
        ? { path, namespace: 'unreached' }
        : undefined,
    );
    b.onLoad({ filter: /.*/, namespace: 'unreached' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** CommonJS packages inside an ES module bundle still call require for node's own modules. */
const BANNER = [
  "import { createRequire as __cr } from 'node:module';",
  'const require = __cr(import.meta.url);',
  "import { fileURLToPath as __fp } from 'node:url'; import { dirname as __dn } from 'node:path';",
  'const __filename = __fp(import.meta.url); const __dirname = __dn(__filename);',
].join('\n');

/** Device profiles go into the agent's bundle as data: a board reads no YAML. */
const nodeProfiles = Object.fromEntries(
  readdirSync(`${root}/profiles/nodes`)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => [
      name.replace(/\.yaml$/, ''),
      fromYaml(readFileSync(`${root}/profiles/nodes/${name}`, 'utf8')),
    ]),
);

/** The folder of the package a bundled file belongs to, e.g. `node_modules/bl`; undefined for our own. */
function packageFolder(file: string): string | undefined {
  return /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

/** Licences of everything that is inside the bundles: most of them ask to travel along. Throws on a package without one. */
function notices(folders: ReadonlySet<string>): string {
  const texts = [...folders].sort().map((folder) => {
    const path = join(root, folder);
    const about = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<string, unknown>;
    const file = readdirSync(path).find((name) => /^licen[cs]e/i.test(name));
    if (file === undefined && about['license'] === undefined) throw new Error(`${folder} names no licence`);
    const text = file === undefined ? `Licence: ${about['license']}` : readFileSync(join(path, file), 'utf8');
    return `${about['name']} ${about['version']}\n\n${text.trim()}\n`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

const bundled = new Set<string>();
const note = ({ inputs }: Metafile): void => {
  for (const file of Object.keys(inputs)) {
    const folder = packageFolder(file);
    if (folder !== undefined && existsSync(join(root, folder, 'package.json'))) bundled.add(folder);
  }
};

mkdirSync(`${root}/dist`, { recursive: true });
const entries = { hub: 'hub/main.ts', agent: 'edge-agent/main.ts', cox: 'cli/main.ts' };
for (const [name, entry] of Object.entries(entries)) {
  rmSync(`${root}/dist/${name}.js`, { force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: [`${root}/${entry}`],
    outfile: `${root}/dist/${name}.js`,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    banner: { js: name === 'cox' ? `#!/usr/bin/env node\n${BANNER}` : BANNER },
    define: {
      __COXSWAIN_VERSION__: JSON.stringify(version),
      __COXSWAIN_NODE_PROFILES__: JSON.stringify(nodeProfiles),
    },
    alias: NATIVE,
    plugins: [leaveOut],
    logLevel: 'warning',
  });
  note(metafile);
}
writeFileSync(`${root}/dist/NOTICES.txt`, notices(bundled));
buildSchema(`${root}/dist/schema`);
chmodSync(`${root}/dist/cox.js`, 0o755);
process.stdout.write(`built dist/hub.js, dist/agent.js, dist/cox.js (version ${version})\n`);
