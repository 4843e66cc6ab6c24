import type { KubeObject } from '../../protocol/kinds/meta.ts';
import type { SharedFields } from './field-tracking.ts';
import { deepFreeze } from './json.ts';
import { REVISIONS_KEY } from './write-queue.ts';

/** What was stored: objects by kind, frozen, and the newest revision that may ever have been handed out. */
export interface StoredState {
  readonly objects: ReadonlyMap<string, KubeObject[]>;
  readonly revision: number;
}

/**
 * Reads the entries of the durable map. They are this store's own, checksummed; an entry that is no object all the same is
 * a plain Error: it was written by something else, and going on would overwrite it.
 */
export function readEntries(entries: ReadonlyMap<string, unknown>, fields: SharedFields): StoredState {
  const objects = new Map<string, KubeObject[]>();
  let revision = reservedThrough(entries.get(REVISIONS_KEY));
  for (const [key, value] of entries) {
    if (key === REVISIONS_KEY) continue;
    if (!isStoredObject(value)) throw new Error(`the stored entry ${key} is not an object of this store`);
    const { managedFields } = value.metadata;
    if (managedFields !== undefined) value.metadata.managedFields = fields.share(managedFields);
    deepFreeze(value);
    revision = Math.max(revision, Number(value.metadata.resourceVersion));
    const kind = key.slice(0, key.indexOf('/'));
    const list = objects.get(kind);
    if (list === undefined) objects.set(kind, [value]);
    else list.push(value);
  }
  return { objects, revision };
}

function isStoredObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('kind' in value && 'metadata' in value)) return false;
  const { kind, metadata } = value;
  if (typeof kind !== 'string' || typeof metadata !== 'object' || metadata === null) return false;
  return (
    'name' in metadata &&
    typeof metadata.name === 'string' &&
    'resourceVersion' in metadata &&
    Number.isSafeInteger(Number(metadata.resourceVersion))
  );
}

function reservedThrough(value: unknown): number {
  if (typeof value !== 'object' || value === null || !('reservedThrough' in value)) return 0;
  return typeof value.reservedThrough === 'number' ? value.reservedThrough : 0;
}
