import { jsonEqual } from '../json.ts';
import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { invalidValue, required, unless } from '../validate/field-errors.ts';
import { nonNegative } from '../validate/numbers.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { ControllerRevision } from './workloads.ts';

/** `statefulset.apps/web`: the controller that keeps the revision. */
function controllerText(revision: Loose<ControllerRevision>): string {
  const owner = (revision.metadata?.ownerReferences ?? []).find((o) => o.controller === true);
  if (owner === undefined) return '<none>';
  const group = owner.apiVersion?.includes('/') ? `.${owner.apiVersion.split('/')[0] ?? ''}` : '';
  return `${(owner.kind ?? '').toLowerCase()}${group}/${owner.name ?? ''}`;
}

/** apps/v1 ControllerRevision. */
export const controllerRevisionKind = defineKind<ControllerRevision>(
  {
    kind: 'ControllerRevision',
    group: 'apps',
    plural: 'controllerrevisions',
    columns: [
      nameColumn(),
      text('Controller', 'What keeps this revision.', controllerText),
      integer('Revision', 'Number of the revision.', (revision) => revision.revision ?? 0),
      ageColumn(),
    ],
  },
  {
    setDefaults: (revision) => {
      revision.revision ??= 0;
    },
    validate: (revision) => [
      ...unless(revision.data !== undefined, () => required('data', 'data is mandatory')),
      ...nonNegative('revision', revision.revision),
    ],
    validateUpdate: (next, previous) =>
      unless(jsonEqual(next.data, previous.data), () =>
        invalidValue('data', next.data, 'field is immutable'),
      ),
  },
);
