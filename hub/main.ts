import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from '../kit/clock.ts';
import { ConfigError, readConfig, setting } from '../kit/config.ts';
import { describeConfig, describeFlags } from '../kit/describe-config.ts';
import { createLogger, type Logger } from '../kit/logger.ts';
import { forgoNumberTable } from '../kit/mqtt-packet.ts';
import { hubSettings } from './config.ts';
import { Hub } from './hub.ts';

const HELP = `The Coxswain hub: API, store, scheduler, controllers and broker, one process

Usage
  cox hub [flags]

Examples
  cox hub --advertise hub.shop.lan,10.0.0.5
  cox hub --data-dir /srv/hub --api-port 7443
  cox hub --broker mqtts://broker.shop.lan:8883
  cox hub --print-config

Flags
${describeFlags(hubSettings)}
  --config FILE           JSON file with the same names in camelCase
  --print-config          print what would be used and where it came from
  --help                  print this text

It writes a kubeconfig into its data directory. Let devices in: cox token create
`;

/** Exit code of sysexits.h for a command line that cannot be followed. */
const EX_USAGE = 64;
/** The build puts the descriptions beside the bundle; sources find them in dist/. */
const SCHEMA_DIRS = { built: './schema', sources: '../dist/schema' };

/**
 * V8 lets the heap grow to four times what is in use before it tidies up where the machine has much memory. Twice is what it does on
 * a small one: measured with 1,000 watchers, that saves a third of the hub's memory and costs a tenth of processor time.
 */
const HEAP_GROWTH = '--heap-growing-percent=100';

function fail(log: Logger, text: string, err: unknown): void {
  log.error(text, { err });
  process.exitCode = 1;
}

/** What a person can do something about comes first. */
function whyNot(err: unknown): string {
  const { code, port, path } = err as NodeJS.ErrnoException & { readonly port?: number };
  if (code === 'EADDRINUSE') return `port ${port} is taken; choose others with --api-port and --mqtt-port`;
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address; see --bind';
  if (code === 'EACCES')
    return `${path ?? 'something'} may not be written; run it as root, or see --data-dir`;
  return err instanceof Error ? err.message : String(err);
}

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h')) {
    process.stdout.write(HELP);
    return;
  }
  const table = { ...hubSettings, printConfig: setting.flag('print the configuration and end') };
  const { values, origins } = readConfig(table, argv, process.env);
  const { printConfig, ...settings } = values;
  const { logLevel, ...options } = settings;
  if (printConfig) {
    process.stdout.write(`${describeConfig(settings, origins)}\n`);
    return;
  }
  const log = createLogger(logLevel);
  setFlagsFromString(HEAP_GROWTH);
  forgoNumberTable();
  const isBuilt = import.meta.url.endsWith('.js');
  const schemaDir = fileURLToPath(
    new URL(isBuilt ? SCHEMA_DIRS.built : SCHEMA_DIRS.sources, import.meta.url),
  );
  const hub = new Hub({ ...options, schemaDir, clock: systemClock, log });
  let ending = false;
  const end = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info('hub stopping', { signal });
    // Timers of libraries must not hold a stopped hub: everything acknowledged is on disk.
    hub.stop().then(
      () => process.exit(),
      (err: unknown) => {
        fail(log, 'hub did not stop cleanly', err);
        process.exit();
      },
    );
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  try {
    await hub.start();
  } catch (err) {
    fail(log, `hub cannot start: ${whyNot(err)}`, err);
    await hub.stop();
    process.exit();
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`cox hub: ${error.message}\n`);
  process.exitCode = EX_USAGE;
}
