/** A regular expression taken apart. `set` tests one code point. */
export type PatternNode =
  | { readonly is: 'set'; readonly has: (code: number) => boolean }
  | { readonly is: 'start' | 'end' | 'boundary' | 'no-boundary' | 'empty' }
  | { readonly is: 'all' | 'any'; readonly of: readonly PatternNode[] }
  | { readonly is: 'repeat'; readonly of: PatternNode; readonly min: number; readonly max: number };

/** Thrown for what is no regular expression of the supported syntax (RE2 without Unicode classes). */
export class PatternError extends Error {}

const MAX_REPEAT = 1000;
const MAX_DEPTH = 100;

type Test = (code: number) => boolean;
const between =
  (low: number, high: number): Test =>
  (code) =>
    code >= low && code <= high;
const either =
  (...tests: readonly Test[]): Test =>
  (code) =>
    tests.some((test) => test(code));
const codeOf = (text: string): number => text.codePointAt(0) ?? 0;
const range = (low: string, high: string): Test => between(codeOf(low), codeOf(high));
const oneOf = (texts: string): Test => either(...[...texts].map((c) => between(codeOf(c), codeOf(c))));
const not =
  (test: Test): Test =>
  (code) =>
    !test(code);

const DIGIT = range('0', '9');
/** True for what `\w` stands for. */
export const isWord: Test = either(DIGIT, range('a', 'z'), range('A', 'Z'), oneOf('_'));
const SPACE = oneOf('\t\n\f\r ');
const CLASSES: Readonly<Record<string, Test>> = {
  d: DIGIT,
  D: not(DIGIT),
  w: isWord,
  W: not(isWord),
  s: SPACE,
  S: not(SPACE),
};
const POSIX: Readonly<Record<string, Test>> = {
  alnum: either(DIGIT, range('a', 'z'), range('A', 'Z')),
  alpha: either(range('a', 'z'), range('A', 'Z')),
  digit: DIGIT,
  lower: range('a', 'z'),
  upper: range('A', 'Z'),
  space: either(SPACE, oneOf('\v')),
  punct: either(range('!', '/'), range(':', '@'), range('[', '`'), range('{', '~')),
  xdigit: either(DIGIT, range('a', 'f'), range('A', 'F')),
  word: isWord,
};
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  f: '\f',
  v: '\v',
  a: '\u0007',
};

/** Takes a pattern apart. Throws PatternError. */
export function parsePattern(pattern: string): PatternNode {
  const parser = new Parser([...pattern]);
  const node = parser.alternatives(0);
  if (!parser.done) throw new PatternError('unexpected )');
  return node;
}

class Parser {
  readonly #text: readonly string[];
  #at = 0;
  #ignoreCase = false;
  #dotAll = false;

  constructor(text: readonly string[]) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  alternatives(depth: number): PatternNode {
    if (depth > MAX_DEPTH) throw new PatternError('expression nests too deeply');
    const branches = [this.#sequence(depth)];
    while (this.#take('|')) branches.push(this.#sequence(depth));
    return branches.length === 1 ? (branches[0] ?? { is: 'empty' }) : { is: 'any', of: branches };
  }

  #sequence(depth: number): PatternNode {
    const nodes: PatternNode[] = [];
    while (!this.done && this.#peek() !== '|' && this.#peek() !== ')') nodes.push(this.#repeated(depth));
    return { is: 'all', of: nodes };
  }

  #repeated(depth: number): PatternNode {
    let node = this.#atom(depth);
    for (let times = 0; ; times++) {
      const bounds = this.#bounds();
      if (bounds === undefined) return node;
      if (times > 0) throw new PatternError('invalid nested repetition operator');
      this.#take('?'); // how greedy a repetition is does not change whether a text matches
      node = { is: 'repeat', of: node, ...bounds };
    }
  }

  #bounds(): { min: number; max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    if (this.#peek() !== '{') return undefined;
    const match = /^\{(\d{1,6})(?:(,)(\d{1,6})?)?\}/.exec(this.#text.slice(this.#at, this.#at + 20).join(''));
    if (match === null) return undefined;
    const [all, low = '0', comma, high] = match;
    const min = Number(low);
    const max = comma === undefined ? min : high === undefined ? Number.POSITIVE_INFINITY : Number(high);
    if (min > MAX_REPEAT || (max > MAX_REPEAT && high !== undefined) || max < min)
      throw new PatternError(`invalid repeat count: \`${all}\``);
    this.#at += all.length;
    return { min, max };
  }

  #atom(depth: number): PatternNode {
    const char = this.#next();
    switch (char) {
      case '(':
        return this.#group(depth);
      case '[':
        return { is: 'set', has: this.#bracket() };
      case '.': {
        const dotAll = this.#dotAll;
        return { is: 'set', has: (code) => dotAll || code !== 10 };
      }
      case '^':
        return { is: 'start' };
      case '$':
        return { is: 'end' };
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw new PatternError(`missing argument to repetition operator: \`${char}\``);
      default:
        return { is: 'set', has: this.#literal(char) };
    }
  }

  #literal(char: string): Test {
    if (!this.#ignoreCase) return between(codeOf(char), codeOf(char));
    return oneOf(char.toLowerCase() + char.toUpperCase());
  }

  #group(depth: number): PatternNode {
    const before = [this.#ignoreCase, this.#dotAll] as const;
    if (this.#take('?') && this.#flags()) return { is: 'empty' };
    const node = this.alternatives(depth + 1);
    if (!this.#take(')')) throw new PatternError('missing closing )');
    [this.#ignoreCase, this.#dotAll] = before;
    return node;
  }

  /** Reads what follows `(?`; true when the group holds nothing but flags, which then hold on. */
  #flags(): boolean {
    const rest = this.#text.slice(this.#at, this.#at + 64).join('');
    const match = /^(?:P?<(?![=!])\w+>|([is]*)(?:-[is]+)?([:)]))/.exec(rest);
    if (match === null)
      throw new PatternError(`invalid or unsupported Perl syntax: \`(?${rest.slice(0, 2)}\``);
    const [all, flags = '', end] = match;
    this.#at += all.length;
    if (flags.includes('i')) this.#ignoreCase = true;
    if (flags.includes('s')) this.#dotAll = true;
    return end === ')';
  }

  #escape(): PatternNode {
    const char = this.#next();
    if (char === 'b') return { is: 'boundary' };
    if (char === 'B') return { is: 'no-boundary' };
    if (char === 'A') return { is: 'start' };
    if (char === 'z') return { is: 'end' };
    return { is: 'set', has: this.#escaped(char) };
  }

  #escaped(char: string): Test {
    const known = Object.hasOwn(CLASSES, char) ? CLASSES[char] : undefined;
    return known ?? this.#literal(this.#escapedChar(char));
  }

  #escapedChar(char: string): string {
    if (Object.hasOwn(ESCAPES, char)) return ESCAPES[char] ?? char;
    if (char === 'x') {
      const match = /^(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2}))/.exec(
        this.#text.slice(this.#at, this.#at + 8).join(''),
      );
      const code = Number.parseInt(match?.[1] ?? match?.[2] ?? '', 16);
      if (match === null || !(code <= 0x10ffff)) throw new PatternError('invalid escape sequence: `\\x`');
      this.#at += match[0].length;
      return String.fromCodePoint(code);
    }
    if (/[A-Za-z0-9]/.test(char)) throw new PatternError(`invalid escape sequence: \`\\${char}\``);
    return char;
  }

  #bracket(): Test {
    const negated = this.#take('^');
    const tests: Test[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const posix = /^\[:(\^?)(\w+):\]/.exec(this.#text.slice(this.#at, this.#at + 14).join(''));
      if (posix !== null) {
        const test = Object.hasOwn(POSIX, posix[2] ?? '') ? POSIX[posix[2] ?? ''] : undefined;
        if (test === undefined) throw new PatternError(`invalid character class range: \`${posix[0]}\``);
        tests.push(posix[1] === '^' ? not(test) : test);
        this.#at += posix[0].length;
      } else tests.push(this.#member());
    }
    this.#next();
    return negated ? not(either(...tests)) : either(...tests);
  }

  #member(): Test {
    const char = this.#next();
    if (char === '\\') {
      const escaped = this.#next();
      if (Object.hasOwn(CLASSES, escaped)) return this.#escaped(escaped);
      return this.#upTo(this.#escapedChar(escaped));
    }
    return this.#upTo(char);
  }

  /** A member that begins with `low`: that alone, or a range. */
  #upTo(low: string): Test {
    if (this.#peek() !== '-' || this.#text[this.#at + 1] === ']') return this.#literal(low);
    this.#next();
    const high = this.#next();
    const last = high === '\\' ? this.#escapedChar(this.#next()) : high;
    if (codeOf(last) < codeOf(low))
      throw new PatternError(`invalid character class range: \`${low}-${last}\``);
    const plain = range(low, last);
    if (!this.#ignoreCase) return plain;
    return (code) => {
      const char = String.fromCodePoint(code);
      return plain(code) || plain(codeOf(char.toLowerCase())) || plain(codeOf(char.toUpperCase()));
    };
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }

  #next(): string {
    const char = this.#text[this.#at++];
    if (char === undefined) throw new PatternError('unexpected end of expression');
    return char;
  }
}
