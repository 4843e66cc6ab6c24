/** Most findings that are collected; a hostile text must not make a huge answer. */
const MAX_FINDINGS = 50;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs;

interface Level {
  /** Keys seen so far; undefined for a list. */
  readonly keys: Set<string> | undefined;
  readonly path: string;
  /** Of the entry being read, in a list. */
  index: number;
  /** The key being read, in an object; undefined before it. */
  key: string | undefined;
}

/**
 * Finds keys that occur twice in one object of a JSON text, which JSON.parse hides: `duplicate field "spec.replicas"`,
 * each path once. The text must be valid JSON; of any other text the result means nothing. Never throws.
 */
export function duplicateFields(json: string): string[] {
  const found = new Set<string>();
  const levels: Level[] = [];
  for (const [token] of json.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === '{' || token === '[')
      levels.push({
        keys: token === '{' ? new Set() : undefined,
        path: level === undefined ? '' : placeIn(level),
        index: 0,
        key: undefined,
      });
    else if (token === '}' || token === ']') levels.pop();
    else if (level === undefined) continue;
    else if (token === ',') nextEntry(level);
    else if (level.keys !== undefined && level.key === undefined) {
      level.key = unquote(token);
      if (level.keys.has(level.key)) found.add(`duplicate field "${placeIn(level)}"`);
      level.keys.add(level.key);
    }
    if (found.size >= MAX_FINDINGS) break;
  }
  return [...found];
}

function nextEntry(level: Level): void {
  level.index++;
  level.key = undefined;
}

/** Path of the entry being read. */
function placeIn(level: Level): string {
  if (level.keys === undefined) return `${level.path}[${level.index}]`;
  const key = level.key ?? '';
  return level.path === '' ? key : `${level.path}.${key}`;
}

function unquote(quoted: string): string {
  const raw = quoted.slice(1, -1);
  if (!raw.includes('\\')) return raw;
  try {
    return JSON.parse(quoted) as string;
  } catch {
    // Only reachable for invalid JSON, of which the result means nothing.
    return raw;
  }
}
