import { isRecord, own } from '../json.ts';

/** One step into a value; gives everything it leads to. */
type Walk = (value: unknown) => unknown[];

const NAME = /^\.([A-Za-z_][\w-]*|\*)/;
const QUOTED = /^\[\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*\]/;
const INDEX = /^\[\s*(-?\d{1,9}|\*)\s*\]/;
const FILTER = /^\[\?\(\s*@((?:\.[A-Za-z_][\w-]*)+)\s*==\s*(?:'([^']*)'|"([^"]*)"|([\w.-]+))\s*\)\]/;
const ESCAPED_NAME = /^\.((?:[\w-]|\\.)+)/;

/**
 * Reads the part of JSONPath that definitions use: `.spec.x`, `['a b']`, `[0]`, `[*]`, `[?(@.type=="Ready")].status`.
 * Undefined for anything else. What it gives never throws.
 */
export function parseJsonPath(path: string): ((value: unknown) => unknown[]) | undefined {
  const steps: Walk[] = [];
  let rest = path.replace(/^\{(.*)\}$/s, '$1').replace(/^\$/, '');
  if (rest !== '' && !rest.startsWith('.') && !rest.startsWith('[')) return undefined;
  while (rest !== '' && rest !== '.') {
    const step = readStep(rest);
    if (step === undefined) return undefined;
    steps.push(step.walk);
    rest = rest.slice(step.length);
  }
  return (value) => steps.reduce((values, walk) => values.flatMap(walk), [value]);
}

function readStep(text: string): { walk: Walk; length: number } | undefined {
  const rest = text.startsWith('.[') ? text.slice(1) : text;
  const skipped = text.length - rest.length;
  const found = (match: RegExpExecArray, walk: Walk): { walk: Walk; length: number } => ({
    walk,
    length: match[0].length + skipped,
  });
  const name = NAME.exec(rest);
  if (name !== null && rest[name[0].length] !== '\\')
    return found(name, name[1] === '*' ? children : member(name[1] ?? ''));
  const escaped = ESCAPED_NAME.exec(rest);
  if (escaped !== null) return found(escaped, member((escaped[1] ?? '').replace(/\\(.)/g, '$1')));
  const quoted = QUOTED.exec(rest);
  if (quoted !== null) return found(quoted, member((quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1')));
  const index = INDEX.exec(rest);
  if (index !== null) return found(index, index[1] === '*' ? children : element(Number(index[1])));
  const filter = FILTER.exec(rest);
  if (filter === null) return undefined;
  const [, path = '', single, double, bare] = filter;
  return found(filter, where(path.slice(1).split('.'), single ?? double ?? bare ?? ''));
}

const member =
  (name: string): Walk =>
  (value) => {
    const found = isRecord(value) ? own(value, name) : undefined;
    return found === undefined ? [] : [found];
  };

const element =
  (index: number): Walk =>
  (value) => {
    const found: unknown = Array.isArray(value) ? value.at(index) : undefined;
    return found === undefined ? [] : [found];
  };

const children: Walk = (value) => {
  if (Array.isArray(value)) return value as unknown[];
  return isRecord(value) ? Object.values(value) : [];
};

const where =
  (path: readonly string[], wanted: string): Walk =>
  (value) =>
    children(value).filter((entry) => {
      const found = path.reduce<unknown[]>((values, name) => values.flatMap(member(name)), [entry]);
      return found.some((one) => String(one) === wanted);
    });

/** Sets a plain path such as `.spec.replicas` in a copy of the object, making what is missing on the way. */
export function withValueAt(
  object: Record<string, unknown>,
  path: string,
  value: unknown,
): Record<string, unknown> {
  const set = (target: Record<string, unknown>, names: readonly string[]): Record<string, unknown> => {
    const [name = '', ...rest] = names;
    const inner = own(target, name);
    const next = rest.length === 0 ? value : set(isRecord(inner) ? inner : {}, rest);
    return { ...target, [name]: next };
  };
  return set(
    object,
    path.split('.').filter((name) => name !== ''),
  );
}
