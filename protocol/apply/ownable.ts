import { difference, type FieldSet, FieldSetBuilder, NO_FIELDS } from './field-set.ts';

/** What the server alone sets. */
export const SERVER_FIELDS: FieldSet = serverFields();
/** Path element of status. */
export const STATUS = 'f:status';

/** Where a write goes: the main resource when `subresource` is empty. */
export interface WrittenPart {
  readonly subresource: string;
  /** True when the kind has a status of its own, which the main resource ignores. */
  readonly hasStatus: boolean;
}

/** The fields of a set that a write to this part can own: not the server's own, and status only through `/status`. */
export function ownable(set: FieldSet, { subresource, hasStatus }: WrittenPart): FieldSet {
  if (subresource === 'status') {
    const status = set.inner.get(STATUS);
    return status === undefined ? NO_FIELDS : { here: false, inner: new Map([[STATUS, status]]) };
  }
  const own = difference(set, SERVER_FIELDS);
  if (!hasStatus || !own.inner.has(STATUS)) return own;
  return { here: false, inner: new Map([...own.inner].filter(([element]) => element !== STATUS)) };
}

function serverFields(): FieldSet {
  const names =
    'name namespace creationTimestamp selfLink uid clusterName generation managedFields resourceVersion';
  const fields = new FieldSetBuilder();
  for (const name of ['apiVersion', 'kind', 'metadata']) fields.add([`f:${name}`]);
  for (const name of names.split(' ')) fields.add(['f:metadata', `f:${name}`]);
  return fields.set;
}
