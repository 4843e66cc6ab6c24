/** The `cox` command. */
import { CliError } from './cli-error.ts';
import { runProgram } from './run-program.ts';

async function main(argv: readonly string[]): Promise<void> {
  const [first = '', ...rest] = argv;
  // Before the command line library is loaded: a device runs `cox agent` for years and pays for every module.
  if (first === 'hub' || first === 'agent') return runProgram(first, rest);
  if (first === 'help' && (rest[0] === 'hub' || rest[0] === 'agent')) return runProgram(rest[0], ['--help']);
  const { runCommand } = await import('./commands.ts');
  return runCommand(argv);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const { code, path } = error as NodeJS.ErrnoException;
  if (error instanceof CliError) process.stderr.write(`cox: ${error.message}\n`);
  else if (code === 'EACCES' && path !== undefined)
    process.stderr.write(
      `cox: ${path}: permission denied; run it as root, or see --help for another place\n`,
    );
  else
    process.stderr.write(`cox: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 1;
});
