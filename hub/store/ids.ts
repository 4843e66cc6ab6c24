import { randomInt, randomUUID } from 'node:crypto';

/** Chance as a dependency: uids, and numbers for generated names. */
export interface IdSource {
  /** A new RFC 4122 uid, never given before. */
  uid(): string;
  /** A random whole number in 0..limit-1. */
  below(limit: number): number;
}

/** The machine's cryptographic randomness. */
export const systemIds: IdSource = { uid: () => randomUUID(), below: (limit) => randomInt(limit) };

/** Kubernetes' alphabet for generated names: no vowels, so no words; nothing easily misread. */
const SUFFIX_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const LONGEST_BASE = 58;

/** `generateName` cut to 58 characters and 5 random ones. */
export function generatedName(base: string, ids: IdSource): string {
  return base.slice(0, LONGEST_BASE) + randomSuffix(ids);
}

/** The five random characters at the end of generated names. */
export function randomSuffix(ids: IdSource): string {
  const letters = Array.from(
    { length: SUFFIX_LENGTH },
    () => SUFFIX_LETTERS[ids.below(SUFFIX_LETTERS.length)] ?? '',
  );
  return letters.join('');
}
