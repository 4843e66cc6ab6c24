/** The agent of a device: settings in, signals out. What it does is in agent.ts. */
import { accessSync, constants } from 'node:fs';
import { ConfigError, readConfig } from '../kit/config.ts';
import { describeConfig, describeFlags } from '../kit/describe-config.ts';
import { DirectoryInUseError } from '../kit/directory-lock.ts';
import { createLogger, type Logger } from '../kit/logger.ts';
import { Agent } from './agent.ts';
import { agentSettings } from './config.ts';
import { ProfileError } from './decide/profile.ts';
import { NotJoinedError, openState } from './open.ts';
import { readInventory } from './sensors/inventory.ts';

/** EX_CONFIG of sysexits.h: a person must do something first. */
const EXIT_CONFIG = 78;
const EXIT_USAGE = 64;
/** Worth trying again: the other agent may be about to end. */
const EXIT_IN_USE = 1;
/** Longest a clean stop may take before the process ends anyway, in ms. */
const STOP_MS = 10_000;

const HELP = `The Coxswain agent: runs the pods of this device

Usage
  cox agent [flags]

Examples
  cox agent
  cox agent --profile pi-4,metered
  cox agent --data-dir /srv/agent --log-level debug
  cox agent --offline
  cox agent --print-config

Flags
${describeFlags(agentSettings)}
  --config FILE           JSON file with the same names in camelCase

A device joins first, with the line that cox token create prints on the hub.
`;

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('-h') || argv.includes('--help')) {
    process.stdout.write(HELP);
    return;
  }
  const { values, origins } = readConfig(agentSettings, argv, process.env);
  if (values.printConfig) {
    const { printConfig: _asked, printInventory: _other, help: _help, ...settings } = values;
    process.stdout.write(`${describeConfig(settings, origins)}\n`);
    return;
  }
  if (values.printInventory) {
    process.stdout.write(`${JSON.stringify(await readInventory())}\n`);
    return;
  }
  if (!isWritable(values.dataDir)) {
    process.stderr.write(
      `cox agent: ${values.dataDir} may not be written; run it as root, or see --data-dir\n`,
    );
    process.exitCode = EXIT_CONFIG;
    return;
  }
  const log = createLogger(values.logLevel);
  process.on('uncaughtException', (err) => {
    log.error('agent failed, ending for a restart', { err });
    process.exit(1);
  });
  const program = process.argv[1] ?? '';
  const options = {
    ...values,
    log,
    inventoryCommand: [process.execPath, ...process.execArgv, program, '--print-inventory'] as const,
  };
  const agent = new Agent(options, await openState(options));
  // Timers do not keep the process alive; an agent cut off from hub and engine must stay.
  const alive = setInterval(() => undefined, 2 ** 30);
  const end = stopper(agent, log, () => clearInterval(alive));
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  await agent.start();
}

/** False for a directory that is there and may not be written: the agent would run blind, without cache or identity. */
function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES';
  }
}

function stopper(agent: Agent, log: Logger, ended: () => void): () => void {
  let isStopping = false;
  return () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => {
      log.warn('agent did not stop in time, ending anyway', { limitMs: STOP_MS });
      process.exit(0);
    }, STOP_MS).unref();
    void agent.stop().then(() => {
      ended();
      process.exit(0);
    });
  };
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof ConfigError || error instanceof ProfileError) {
    process.stderr.write(`cox agent: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  } else if (error instanceof NotJoinedError) {
    process.stderr.write(
      'cox agent: this device has not joined a hub yet.\n' +
        'On the hub run: cox token create\nHere run the line it prints, which begins with: cox join https://\n',
    );
    process.exitCode = EXIT_CONFIG;
  } else if (error instanceof DirectoryInUseError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_IN_USE;
  } else {
    throw error;
  }
}
