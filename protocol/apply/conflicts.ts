import { ApiError } from '../status.ts';
import { pathTexts } from './field-set.ts';
import type { Manager } from './managers.ts';

/** A manager whose fields, `fields` of it, an apply would change. */
export type Conflict = Manager;

/** 409 of an apply that others' fields stand against, as Kubernetes words it. */
export function applyConflict(conflicts: readonly Conflict[]): ApiError {
  const sorted = conflicts.toSorted((a, b) => (managerText(a) < managerText(b) ? -1 : 1));
  const causes = sorted.flatMap((conflict) =>
    pathTexts(conflict.fields).map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${managerText(conflict)}`,
      field,
    })),
  );
  const [first] = causes;
  const text =
    causes.length === 1 && first !== undefined
      ? `1 conflict: ${first.message}: ${first.field}`
      : `${causes.length} conflicts: ${sorted.map(paragraph).join('\n')}`;
  return new ApiError('Conflict', `Apply failed with ${text}`, { causes });
}

function paragraph(conflict: Conflict): string {
  const lines = pathTexts(conflict.fields).map((path) => `- ${path}`);
  return [`conflicts with ${managerText(conflict)}:`, ...lines].join('\n');
}

/** `"m"`, `"m" with subresource "scale" using apps/v1`: an updater is named with its version. */
function managerText({ manager, operation, apiVersion, subresource }: Manager): string {
  const name = JSON.stringify(manager);
  const where = subresource === '' ? name : `${name} with subresource ${JSON.stringify(subresource)}`;
  return operation === 'Update' ? `${where} using ${apiVersion}` : where;
}
