import type { FieldError } from '../../protocol/kinds/kind.ts';
import { ApiError, invalid } from '../../protocol/status.ts';

/** Query of a list or watch, checked. */
export interface ListOptions {
  readonly labelSelector: string;
  readonly fieldSelector: string;
  readonly limit: number;
  readonly continue: string;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: '' | 'NotOlderThan' | 'Exact';
  readonly watch: boolean;
  readonly allowWatchBookmarks: boolean;
  /** Absent when the client says nothing of it. */
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutSeconds: number | undefined;
}

/** Query of a create, update or patch, checked. */
export interface WriteQuery {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore';
}

/** Query of a server-side apply, checked. */
export interface ApplyQuery extends WriteQuery {
  readonly force: boolean;
}

/** False when absent, `0` or `false` in any case; everything else is true, also an empty value: as Kubernetes reads flags. */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

/** A decimal number of the query; undefined when absent; throws BadRequest on anything else. */
export function count(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^-?\d{1,15}$/.test(value)) throw new ApiError('BadRequest', `${name}: "${value}" is no number`);
  return Number(value);
}

/** A resourceVersion as a number; throws BadRequest when it is not one of ours. */
export function revisionOf(value: string): number {
  if (!/^\d{1,15}$/.test(value))
    throw new ApiError('BadRequest', `invalid resource version "${value}": must be a decimal number`);
  return Number(value);
}

/** Reads the options of list and watch; throws BadRequest or Invalid. */
export function listOptions(query: URLSearchParams): ListOptions {
  const match = query.get('resourceVersionMatch') ?? '';
  const options: ListOptions = {
    labelSelector: query.get('labelSelector') ?? '',
    fieldSelector: query.get('fieldSelector') ?? '',
    limit: Math.max(0, count(query, 'limit') ?? 0),
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: match === 'NotOlderThan' || match === 'Exact' ? match : '',
    watch: flag(query, 'watch'),
    allowWatchBookmarks: flag(query, 'allowWatchBookmarks'),
    sendInitialEvents: query.has('sendInitialEvents') ? flag(query, 'sendInitialEvents') : undefined,
    timeoutSeconds: count(query, 'timeoutSeconds'),
  };
  if (options.resourceVersion !== '') revisionOf(options.resourceVersion);
  const errors = matchErrors(options, match);
  if (errors.length > 0) throw invalid(META('ListOptions'), '', errors);
  return options;
}

const META = (kind: string): { kind: string; group: string; plural: string } => ({
  kind,
  group: 'meta.k8s.io',
  plural: '',
});

function matchErrors(options: ListOptions, match: string): FieldError[] {
  const field = 'resourceVersionMatch';
  const forbidden = (message: string, of = field): FieldError[] => [
    { reason: 'FieldValueForbidden', field: of, message: `Forbidden: ${message}` },
  ];
  if (match !== '' && options.resourceVersionMatch === '')
    return [unsupported(field, match, ['Exact', 'NotOlderThan', ''])];
  const asksInitial = options.sendInitialEvents !== undefined;
  if (options.watch && asksInitial && match !== 'NotOlderThan')
    return forbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (!options.watch && asksInitial)
    return forbidden('sendInitialEvents is forbidden for list', 'sendInitialEvents');
  if (match === '') return [];
  if (options.watch && !asksInitial)
    return forbidden('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  if (options.continue !== '')
    return forbidden('resourceVersionMatch is forbidden when continue is provided');
  if (options.watch) return [];
  if (options.resourceVersion === '')
    return forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (match === 'Exact' && options.resourceVersion === '0')
    return forbidden('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"');
  return [];
}

function unsupported(field: string, value: string, allowed: readonly string[]): FieldError {
  const list = allowed.map((v) => `"${v}"`).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    field,
    message: `Unsupported value: "${value}": supported values: ${list}`,
  };
}

/** True for `dryRun=All`, throws Invalid on another value. `values` come from the query or a DeleteOptions body. */
export function dryRunOf(values: readonly string[], kind: string): boolean {
  const wrong = values.find((v) => v !== 'All');
  if (wrong !== undefined) throw invalid(META(kind), '', [unsupported('dryRun', wrong, ['All'])]);
  return values.length > 0;
}

/** Reads the options of a server-side apply, which must name its manager. Throws Invalid. */
export function applyQuery(query: URLSearchParams): ApplyQuery {
  const options = writeQuery(query, 'PatchOptions');
  if (options.fieldManager === '')
    throw invalid(META('PatchOptions'), '', [
      {
        reason: 'FieldValueRequired',
        field: 'fieldManager',
        message: 'Required value: is required for apply patch',
      },
    ]);
  return { ...options, force: flag(query, 'force') };
}

/** Reads the options of any other patch, which takes nothing by force. Throws Invalid. */
export function patchQuery(query: URLSearchParams): WriteQuery {
  if (query.has('force'))
    throw invalid(META('PatchOptions'), '', [
      {
        reason: 'FieldValueForbidden',
        field: 'force',
        message: 'Forbidden: may not be specified for non-apply patch',
      },
    ]);
  return writeQuery(query, 'PatchOptions');
}

/** Reads the options of a write; `kind` names the options in error texts (`CreateOptions`). Throws Invalid. */
export function writeQuery(query: URLSearchParams, kind: string): WriteQuery {
  const fieldManager = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const errors: FieldError[] = [];
  if (fieldManager.length > 128)
    errors.push({
      reason: 'FieldValueTooLong',
      field: 'fieldManager',
      message: 'Too long: may not be more than 128 bytes',
    });
  if (/[^\P{C}]/u.test(fieldManager))
    errors.push({
      reason: 'FieldValueInvalid',
      field: 'fieldManager',
      message: `Invalid value: ${JSON.stringify(fieldManager)}: should only contain printable characters`,
    });
  const modes = ['', 'Ignore', 'Strict', 'Warn'];
  if (!modes.includes(validation)) errors.push(unsupported('fieldValidation', validation, modes));
  if (errors.length > 0) throw invalid(META(kind), '', errors);
  return {
    dryRun: dryRunOf(query.getAll('dryRun'), kind),
    fieldManager,
    fieldValidation: validation === 'Strict' || validation === 'Ignore' ? validation : 'Warn',
  };
}
