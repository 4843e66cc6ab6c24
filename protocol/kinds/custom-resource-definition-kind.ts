import { parseJsonPath } from '../crd/json-path.ts';
import { hasRules, schemaErrors } from '../crd/schema-errors.ts';
import type { CustomResourceDefinition, CustomVersion } from '../crd/types.ts';
import { jsonEqual } from '../json.ts';
import { nameColumn } from '../print/cells.ts';
import { at, invalidEach, invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
import { serviceNameErrors, subdomainErrors } from '../validate/names.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';

/** Holds a definition that is being deleted until its objects are gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';
const SCOPES = ['Cluster', 'Namespaced'];
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

function setDefaults(definition: Loose<CustomResourceDefinition>): void {
  definition.spec ??= {};
  const { spec } = definition;
  spec.names ??= {};
  const { kind } = spec.names;
  if (kind) {
    spec.names.singular ||= kind.toLowerCase();
    spec.names.listKind ||= `${kind}List`;
  }
  spec.conversion ??= { strategy: 'None' };
}

function nameErrors({ spec = {} }: Loose<CustomResourceDefinition>): FieldError[] {
  const { plural = '', singular = '', kind = '', listKind = '', shortNames = [] } = spec.names ?? {};
  const word = (value: string, field: string): FieldError[] =>
    value === '' ? [required(field)] : invalidEach(field, value, serviceNameErrors(value));
  const kindErrors = (value: string, field: string): FieldError[] =>
    value === '' ? [required(field)] : invalidEach(field, value, serviceNameErrors(value.toLowerCase()));
  return [
    ...word(plural, 'spec.names.plural'),
    ...(singular === '' ? [] : word(singular, 'spec.names.singular')),
    ...shortNames.flatMap((name, i) => word(name, at('spec.names.shortNames', i))),
    ...kindErrors(kind, 'spec.names.kind'),
    ...kindErrors(listKind, 'spec.names.listKind'),
    ...unless(kind === '' || kind !== listKind, () =>
      invalidValue('spec.names.listKind', listKind, 'kind and listKind may not be the same'),
    ),
  ];
}

function groupErrors(group: string): FieldError[] {
  if (group === '') return [required('spec.group')];
  const texts = subdomainErrors(group);
  if (texts.length > 0) return invalidEach('spec.group', group, texts);
  return unless(group.includes('.'), () =>
    invalidValue('spec.group', group, 'should be a domain with at least one dot'),
  );
}

function versionErrors(version: Loose<CustomVersion>, path: string): FieldError[] {
  const { name = '', subresources } = version;
  const scale = subresources?.scale;
  return [
    ...(name === ''
      ? [required(`${path}.name`)]
      : invalidEach(`${path}.name`, name, serviceNameErrors(name))),
    ...schemaErrors(version.schema?.openAPIV3Schema, `${path}.schema.openAPIV3Schema`),
    ...(version.additionalPrinterColumns ?? []).flatMap((column, i) => {
      const field = at(`${path}.additionalPrinterColumns`, i);
      const type = column.type ?? '';
      return [
        ...unless(!!column.name, () => required(`${field}.name`)),
        ...unless(COLUMN_TYPES.includes(type), () =>
          invalidValue(`${field}.type`, type, `must be one of ${COLUMN_TYPES.join(',')}`),
        ),
        ...pathErrors(column.jsonPath, `${field}.jsonPath`),
      ];
    }),
    ...(scale === undefined
      ? []
      : [
          ...replicasPathErrors(
            scale.specReplicasPath,
            '.spec',
            `${path}.subresources.scale.specReplicasPath`,
          ),
          ...replicasPathErrors(
            scale.statusReplicasPath,
            '.status',
            `${path}.subresources.scale.statusReplicasPath`,
          ),
        ]),
  ];
}

function pathErrors(path: string | undefined, field: string): FieldError[] {
  if (!path) return [required(field)];
  return unless(parseJsonPath(path) !== undefined, () =>
    invalidValue(field, path, 'is an invalid path: only names, indices, [*] and [?(@.x=="y")] are supported'),
  );
}

function replicasPathErrors(path: string | undefined, root: string, field: string): FieldError[] {
  if (!path) return [required(field)];
  return unless(path.startsWith(`${root}.`) && /^[.\w-]+$/.test(path), () =>
    invalidValue(field, path, `should be a json path under ${root}`),
  );
}

function validate(definition: Loose<CustomResourceDefinition>): FieldError[] {
  const { spec = {}, metadata = {} } = definition;
  const versions = spec.versions ?? [];
  const { group = '', scope = '' } = spec;
  const name = `${spec.names?.plural ?? ''}.${group}`;
  const stored = versions.filter((version) => version.storage === true).length;
  const shownVersions = versions.map((version) => version.name ?? '');
  const strategy = spec.conversion?.strategy ?? '';
  return [
    ...unless(metadata.name === name, () =>
      invalidValue('metadata.name', metadata.name ?? '', 'must be spec.names.plural+"."+spec.group'),
    ),
    ...groupErrors(group),
    ...(scope === ''
      ? [required('spec.scope')]
      : unless(SCOPES.includes(scope), () => notSupported('spec.scope', scope, SCOPES))),
    ...nameErrors(definition),
    ...unless(stored === 1, () =>
      invalidValue('spec.versions', shownVersions, 'must have exactly one version marked as storage version'),
    ),
    ...unless(new Set(shownVersions).size === versions.length, () =>
      invalidValue('spec.versions', shownVersions, 'must contain unique version names'),
    ),
    ...versions.flatMap((version, i) => versionErrors(version, at('spec.versions', i))),
    ...unless(strategy === 'None' || strategy === 'Webhook', () =>
      notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook']),
    ),
    ...unless(spec.preserveUnknownFields !== true, () =>
      invalidValue(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    ),
  ];
}

/** What is stored hangs on the group, the kind and the scope. */
function validateUpdate(
  next: Loose<CustomResourceDefinition>,
  previous: Loose<CustomResourceDefinition>,
): FieldError[] {
  const established = (previous.status?.conditions ?? []).some(
    (c) => c.type === 'Established' && c.status === 'True',
  );
  const names = (next.spec?.versions ?? []).map((version) => version.name);
  const fixed = (field: string, after: unknown, before: unknown): FieldError[] =>
    unless(jsonEqual(after, before), () => invalidValue(field, after, 'field is immutable'));
  return [
    ...fixed('spec.group', next.spec?.group, previous.spec?.group),
    ...fixed('spec.names.plural', next.spec?.names?.plural, previous.spec?.names?.plural),
    ...(established
      ? [
          ...fixed('spec.scope', next.spec?.scope, previous.spec?.scope),
          ...fixed('spec.names.kind', next.spec?.names?.kind, previous.spec?.names?.kind),
        ]
      : []),
    ...(previous.status?.storedVersions ?? []).flatMap((version, i) =>
      unless(names.includes(version), () =>
        invalidValue(at('status.storedVersions', i), version, 'must appear in spec.versions'),
      ),
    ),
  ];
}

function warnings(definition: CustomResourceDefinition): string[] {
  const { versions = [], conversion } = (definition as Loose<CustomResourceDefinition>).spec ?? {};
  const withRules = versions.filter((version) => hasRules(version.schema?.openAPIV3Schema));
  return [
    ...withRules.map(
      ({ name = '' }) =>
        `version "${name}": x-kubernetes-validations are kept but not evaluated: this hub does not run CEL rules`,
    ),
    ...(conversion?.strategy === 'Webhook'
      ? ['conversion webhooks are not called: versions differ only in their apiVersion']
      : []),
  ];
}

/** A definition does not go before its objects, whoever writes it without knowing of that. */
function keepCleanup(definition: Loose<CustomResourceDefinition>): void {
  const { finalizers = [] } = definition.metadata ?? {};
  if (finalizers.includes(CLEANUP_FINALIZER)) return;
  definition.metadata = { ...definition.metadata, finalizers: [...finalizers, CLEANUP_FINALIZER] };
}

/** apiextensions.k8s.io/v1 CustomResourceDefinition. */
export const customResourceDefinitionKind = defineKind<CustomResourceDefinition>(
  {
    kind: 'CustomResourceDefinition',
    group: 'apiextensions.k8s.io',
    plural: 'customresourcedefinitions',
    shortNames: ['crd', 'crds'],
    categories: ['api-extensions'],
    namespaced: false,
    hasStatus: true,
    hasGeneration: true,
    columns: [
      nameColumn(),
      {
        name: 'Created At',
        type: 'date',
        description: 'When the object was created.',
        priority: 0,
        cell: (definition) => definition.metadata.creationTimestamp ?? '',
      },
    ],
    prepareCreate: (definition) => {
      const storage = ((definition as Loose<CustomResourceDefinition>).spec?.versions ?? []).find(
        (version) => version.storage === true,
      );
      definition.status = {
        conditions: [],
        acceptedNames: { plural: '', kind: '' },
        storedVersions: storage?.name === undefined ? [] : [storage.name],
      };
    },
    completeCreate: keepCleanup,
    warnings,
  },
  {
    plainFinalizers: true,
    setDefaults,
    validate,
    validateUpdate,
    prepareUpdate: (next, { metadata }) => {
      if (metadata?.deletionTimestamp === undefined) keepCleanup(next);
    },
  },
);
