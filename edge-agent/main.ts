/** The agent of a device: settings in, signals out. What it does is in agent.ts. */
import { ConfigError, describeConfig, describeFlags, readConfig } from '../kit/config.ts';
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

async function main(argv: readonly string[]): Promise<void> {
  const { values, origins } = readConfig(agentSettings, argv, process.env);
  if (values.help) {
    process.stdout.write(`cox agent: runs the pods of this device\n\n${describeFlags(agentSettings)}\n`);
    return;
  }
  if (values.printConfig) {
    process.stdout.write(`${describeConfig(values, origins)}\n`);
    return;
  }
  if (values.printInventory) {
    process.stdout.write(`${JSON.stringify(await readInventory())}\n`);
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
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  } else if (error instanceof NotJoinedError) {
    process.stderr.write(
      'This device has not joined a hub yet. On the hub run: cox token create\n' +
        'and run the line it prints here: cox join https://HUB:6443 --token … --ca-hash sha256:…\n',
    );
    process.exitCode = EXIT_CONFIG;
  } else if (error instanceof DirectoryInUseError) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = EXIT_IN_USE;
  } else {
    throw error;
  }
}
