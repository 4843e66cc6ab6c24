import type { Container } from '../../protocol/kinds/pod.ts';

/**
 * Names the part of a container's spec that may change while the pod lives: its image. Everything else of a pod is
 * immutable, and hashing it would restart every container of the fleet when a newer hub sets a new default.
 * Eight hexadecimal digits.
 */
export function specHash(container: Pick<Container, 'name' | 'image'>): string {
  return fnv1a(JSON.stringify([container.name, container.image]));
}

/** 32-bit FNV-1a of a text as eight hexadecimal digits: quick, stable for ever, not for secrets. */
export function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
