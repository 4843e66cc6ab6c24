/** Bundles hub, agent and cox into one JavaScript file each under dist/, with the notices of what is inside. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { fromYaml } from '../kit/yaml.ts';
import { buildSchema } from './build-schema.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const version = (JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { version: string }).version;

/**
 * Modules that dockerode and mqtt import but that no path of ours reaches: image build sessions over gRPC, Docker
 * over ssh, SOCKS proxies, browser timers. Leaving them out saves about 15 MB of resident memory on a device.
 */
const UNREACHED = /^(@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|ssh2|cpu-features|worker-timers|socks)$/;

const emptyUnreached: Plugin = {
  name: 'empty-unreached',
  setup(b) {
    b.onResolve({ filter: UNREACHED }, (args) => ({ path: args.path, namespace: 'unreached' }));
    b.onLoad({ filter: /.*/, namespace: 'unreached' }, () => ({
      contents: 'module.exports = {};',
      loader: 'js',
    }));
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

mkdirSync(`${root}/dist`, { recursive: true });
const entries = { hub: 'hub/main.ts', agent: 'edge-agent/main.ts', cox: 'cli/main.ts' };
for (const [name, entry] of Object.entries(entries)) {
  rmSync(`${root}/dist/${name}.js`, { force: true });
  await build({
    entryPoints: [`${root}/${entry}`],
    outfile: `${root}/dist/${name}.js`,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'linked',
    banner: { js: name === 'cox' ? `#!/usr/bin/env node\n${BANNER}` : BANNER },
    define: {
      __COXSWAIN_VERSION__: JSON.stringify(version),
      __COXSWAIN_NODE_PROFILES__: JSON.stringify(nodeProfiles),
    },
    plugins: [emptyUnreached],
    logLevel: 'warning',
  });
}
buildSchema(`${root}/dist/schema`);
chmodSync(`${root}/dist/cox.js`, 0o755);
process.stdout.write(`built dist/hub.js, dist/agent.js, dist/cox.js (version ${version})\n`);
