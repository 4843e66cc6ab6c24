import { parse, stringify } from 'yaml';

/** Writes a value as one YAML document without anchors. */
export function toYaml(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** Reads one YAML document as JSON values; throws on malformed text, several documents or a bomb of aliases. */
export function fromYaml(text: string): unknown {
  // Through JSON, so that dates, binary and other YAML-only values cannot get in. Warnings would go to the log of the process.
  const value: unknown = parse(text, { maxAliasCount: 100, schema: 'core', merge: true, logLevel: 'error' });
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}
