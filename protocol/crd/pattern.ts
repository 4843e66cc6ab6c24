import { isWord, PatternError, type PatternNode, parsePattern } from './pattern-parser.ts';

/** Tests a text; its time grows with the text's length times the pattern's, whatever both contain. */
export type Matcher = (text: string) => boolean;

/** A compiled pattern may have this many steps; counted repetitions multiply. */
const MAX_STEPS = 10_000;

type Step =
  | { readonly do: 'read'; readonly has: (code: number) => boolean }
  | { readonly do: 'fork'; to: number; or: number }
  | { readonly do: 'jump'; to: number }
  | { readonly do: 'check'; readonly what: 'start' | 'end' | 'boundary' | 'no-boundary' }
  | { readonly do: 'match' };

/**
 * Compiles a pattern of Go's syntax. JavaScript's own engine backtracks, and a definition could make it run for hours;
 * this one follows all ways at once. Why not, when it is no pattern.
 */
export function compilePattern(
  pattern: string,
): { readonly ok: true; readonly matches: Matcher } | { readonly ok: false; readonly why: string } {
  const steps: Step[] = [];
  try {
    emit(steps, parsePattern(pattern));
  } catch (error) {
    if (error instanceof PatternError) return { ok: false, why: error.message };
    throw error;
  }
  push(steps, { do: 'match' });
  return {
    ok: true,
    matches: (text) =>
      run(
        steps,
        [...text].map((c) => c.codePointAt(0) ?? 0),
      ),
  };
}

function push(steps: Step[], step: Step): number {
  if (steps.length >= MAX_STEPS) throw new PatternError('expression is too large');
  steps.push(step);
  return steps.length - 1;
}

function emit(steps: Step[], node: PatternNode): void {
  switch (node.is) {
    case 'set':
      push(steps, { do: 'read', has: node.has });
      return;
    case 'all':
      for (const part of node.of) emit(steps, part);
      return;
    case 'any':
      emitAny(steps, node.of);
      return;
    case 'repeat':
      emitRepeat(steps, node.of, node.min, node.max);
      return;
    case 'empty':
      return;
    default:
      push(steps, { do: 'check', what: node.is });
  }
}

function emitAny(steps: Step[], branches: readonly PatternNode[]): void {
  const ends: { to: number }[] = [];
  branches.forEach((branch, i) => {
    if (i === branches.length - 1) {
      emit(steps, branch);
      return;
    }
    const fork = { do: 'fork' as const, to: steps.length + 1, or: 0 };
    push(steps, fork);
    emit(steps, branch);
    const jump = { do: 'jump' as const, to: 0 };
    push(steps, jump);
    ends.push(jump);
    fork.or = steps.length;
  });
  for (const end of ends) end.to = steps.length;
}

function emitRepeat(steps: Step[], node: PatternNode, min: number, max: number): void {
  for (let i = 0; i < min; i++) emit(steps, node);
  if (max === Number.POSITIVE_INFINITY) {
    const fork = { do: 'fork' as const, to: steps.length + 1, or: 0 };
    const at = push(steps, fork);
    emit(steps, node);
    push(steps, { do: 'jump', to: at });
    fork.or = steps.length;
    return;
  }
  const forks: { or: number }[] = [];
  for (let i = min; i < max; i++) {
    const fork = { do: 'fork' as const, to: steps.length + 1, or: 0 };
    push(steps, fork);
    forks.push(fork);
    emit(steps, node);
  }
  for (const fork of forks) fork.or = steps.length;
}

/** Follows all ways through the program at once, beginning anew at every position. */
function run(steps: readonly Step[], codes: readonly number[]): boolean {
  let now = new Set<number>();
  for (let at = 0; at <= codes.length; at++) {
    if (follow(steps, codes, at, [...now, 0], now)) return true;
    const code = codes[at];
    if (code === undefined) return false;
    const next = new Set<number>();
    for (const index of now) {
      const step = steps[index];
      if (step?.do === 'read' && step.has(code)) next.add(index + 1);
    }
    now = next;
  }
  return false;
}

/** Adds to `reached` every step that needs no character to get to; true when one of them is the match. */
function follow(
  steps: readonly Step[],
  codes: readonly number[],
  at: number,
  from: number[],
  reached: Set<number>,
): boolean {
  const seen = new Set<number>();
  for (let index = from.pop(); index !== undefined; index = from.pop()) {
    if (seen.has(index)) continue;
    seen.add(index);
    reached.add(index);
    const step = steps[index];
    if (step?.do === 'match') return true;
    if (step?.do === 'jump') from.push(step.to);
    if (step?.do === 'fork') from.push(step.or, step.to);
    if (step?.do === 'check' && holds(step.what, codes, at)) from.push(index + 1);
  }
  return false;
}

function holds(what: PatternNode['is'], codes: readonly number[], at: number): boolean {
  if (what === 'start') return at === 0;
  if (what === 'end') return at === codes.length;
  const isWordAt = (i: number): boolean => {
    const code = codes[i];
    return code !== undefined && isWord(code);
  };
  return (isWordAt(at - 1) !== isWordAt(at)) === (what === 'boundary');
}
