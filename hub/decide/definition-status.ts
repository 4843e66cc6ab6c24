import type { CustomNames, CustomResourceDefinition } from '../../protocol/crd/types.ts';
import type { Condition, Time } from '../../protocol/kinds/meta.ts';

type Status = NonNullable<CustomResourceDefinition['status']>;

/** Names of one group that somebody else has. */
export interface TakenNames {
  readonly plurals: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/** Resource names (plural, singular, short) and kind names (kind, list kind) that these names claim. */
export function claimedNames(names: CustomNames): { resources: string[]; kinds: string[] } {
  const resources = [names.plural, names.singular ?? '', ...(names.shortNames ?? [])];
  return {
    resources: resources.filter((name) => name !== ''),
    kinds: [names.kind, names.listKind ?? ''].filter((name) => name !== ''),
  };
}

/** True when the definition's kinds are served. */
export function isEstablished(definition: CustomResourceDefinition): boolean {
  return (definition.status?.conditions ?? []).some((c) => c.type === 'Established' && c.status === 'True');
}

/**
 * The status a definition should have: its names are accepted unless another of its group has them, and it is established
 * from then on. Conditions that do not change keep their time. Pure.
 */
export function definitionStatus(definition: CustomResourceDefinition, taken: TakenNames, now: Time): Status {
  const before = definition.status ?? {};
  const { names, versions } = definition.spec;
  const storage = versions.find((version) => version.storage)?.name;
  const clash = conflictOf(names, taken);
  const wasEstablished = isEstablished(definition);
  const conditions: Condition[] = [
    clash === undefined
      ? { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
      : { type: 'NamesAccepted', status: 'False', ...clash },
    clash === undefined || wasEstablished
      ? {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        }
      : {
          type: 'Established',
          status: 'False',
          reason: 'NotAccepted',
          message: 'not all names are accepted',
        },
    ...(definition.metadata.deletionTimestamp === undefined
      ? []
      : [
          {
            type: 'Terminating',
            status: 'True' as const,
            reason: 'InstanceDeletionInProgress',
            message: 'CustomResource deletion is in progress',
          },
        ]),
  ];
  const stored = before.storedVersions ?? [];
  return {
    ...before,
    conditions: merged(before.conditions ?? [], conditions, now),
    acceptedNames: clash === undefined ? names : (before.acceptedNames ?? { plural: '', kind: '' }),
    storedVersions: storage === undefined || stored.includes(storage) ? stored : [...stored, storage],
  };
}

function conflictOf(names: CustomNames, taken: TakenNames): { reason: string; message: string } | undefined {
  const claims: readonly (readonly [string, string | undefined, ReadonlySet<string>])[] = [
    ['PluralConflict', names.plural, taken.plurals],
    ['SingularConflict', names.singular, taken.plurals],
    ...(names.shortNames ?? []).map((name) => ['ShortNamesConflict', name, taken.plurals] as const),
    ['KindConflict', names.kind, taken.kinds],
    ['ListKindConflict', names.listKind, taken.kinds],
  ];
  const found = claims.find(([, name, set]) => name !== undefined && name !== '' && set.has(name));
  return found === undefined ? undefined : { reason: found[0], message: `"${found[1]}" is already in use` };
}

/** The conditions with their times; those of other types, which somebody else keeps, stay. */
function merged(before: readonly Condition[], wanted: readonly Condition[], now: Time): Condition[] {
  const own = wanted.map((condition) => {
    const known = before.find((c) => c.type === condition.type);
    const same = known?.status === condition.status && known.lastTransitionTime !== undefined;
    return { ...condition, lastTransitionTime: same ? known.lastTransitionTime : now };
  });
  return [...own, ...before.filter((c) => !wanted.some((w) => w.type === c.type))] as Condition[];
}
