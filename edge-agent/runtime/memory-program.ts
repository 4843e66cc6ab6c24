/** What a process of the memory engine does: prints, lives for a time, ends with a code, and how it takes SIGTERM. */
export interface Program {
  readonly output: string;
  /** Undefined: until it is killed. */
  readonly livesMs?: number;
  readonly exitCode: number;
  /** Exit code on SIGTERM; undefined: the signal is ignored, as by a first process without a handler. */
  readonly onTerm?: number;
}

const KNOWN = new Set(['sh', '/bin/sh', 'sleep', 'true', 'false', 'echo', '/pause']);

/**
 * Reads a command of the small language that tests and simulations use: `sh -c` with `echo`, `sleep`, `exit`, `true`,
 * `false` and `trap "exit N" TERM` joined by `;` or `&&`. Undefined: there is no such program.
 */
export function readProgram(command: readonly string[]): Program | undefined {
  const [name = '', ...args] = command;
  if (!KNOWN.has(name)) return undefined;
  if (name === '/pause') return { output: '', exitCode: 0 };
  const script = name.endsWith('sh') ? (args[1] ?? '') : [name, ...args].join(' ');
  if (name.endsWith('sh') && args[0] !== '-c') return { output: '', exitCode: 0, livesMs: 0 };
  return runScript(script);
}

function runScript(script: string): Program {
  const traps = [...script.matchAll(/trap\s+["']exit (\d+)["']\s+TERM/g)].map((m) => Number(m[1]));
  const trap = traps.at(-1);
  let output = '';
  let livesMs = 0;
  let exitCode = 0;
  for (const statement of script.split(/;|&&/).map((s) => s.trim())) {
    const [word = '', ...rest] = statement.split(/\s+/);
    if (word === 'echo') output += `${rest.join(' ').replace(/^["']|["']$/g, '')}\n`;
    else if (word === 'sleep' || word === 'wait')
      livesMs += rest[0] === undefined ? Infinity : seconds(rest[0]);
    else if (word === 'false') exitCode = 1;
    else if (word === 'true') exitCode = 0;
    if (word === 'exit') {
      exitCode = Number(rest[0] ?? 0);
      break;
    }
  }
  return {
    output,
    exitCode,
    ...(livesMs === Infinity ? {} : { livesMs }),
    ...(trap === undefined ? {} : { onTerm: trap }),
  };
}

const seconds = (text: string): number =>
  text === 'infinity' || text === '&' ? Infinity : Number(text) * 1000;
