import type { Origin, Setting, Settings } from './config.ts';

/** Where the text of a flag begins, and where a line must end for a terminal of 80 columns. */
const TEXT_AT = 26;
const WIDTH = 79;

/** The command-line flag of a setting: `apiPort` is `--api-port`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
}

/** A value as it would be written on the command line. */
export function asText(value: unknown): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** The table behind `--help`, at most 80 columns wide: flag, what it does, its variable and its default. */
export function describeFlags(settings: Settings): string {
  return Object.entries(settings)
    .map(([name, setting]) => entry([flagOf(name), setting.takes ?? ''].join(' ').trimEnd(), about(setting)))
    .join('\n');
}

/** The table behind `--print-config`: name, value, where it came from. */
export function describeConfig(
  values: Readonly<Record<string, unknown>>,
  origins: Readonly<Record<string, Origin>>,
): string {
  return Object.entries(values)
    .map(([name, value]) => `${name.padEnd(20)} ${asText(value).padEnd(40)} ${origins[name] ?? ''}`)
    .join('\n');
}

function about(setting: Setting<unknown>): string {
  const fallback = asText(setting.fallback);
  const notes = [
    ...(setting.takes === undefined || fallback === '' ? [] : [`default ${fallback}`]),
    ...(setting.env === undefined ? [] : [`$${setting.env}`]),
  ];
  return notes.length === 0 ? setting.help : `${setting.help} [${notes.join(', ')}]`;
}

function entry(flag: string, text: string): string {
  const lines: string[] = [];
  let line = `  ${flag}`.padEnd(TEXT_AT - 1);
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = ' '.repeat(TEXT_AT - 1);
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
