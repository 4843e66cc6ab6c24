import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { IngressClass } from './network.ts';

function validate({ spec = {} }: Loose<IngressClass>): FieldError[] {
  const { controller = '', parameters } = spec;
  const scopes = ['Cluster', 'Namespace'];
  return [
    ...unless(controller === '' || /^[^/]+\/.+$/.test(controller), () =>
      invalidValue('spec.controller', controller, 'must be a domain-prefixed path (such as "acme.io/foo")'),
    ),
    ...(parameters === undefined
      ? []
      : [
          ...unless(!!parameters.kind, () => required('spec.parameters.kind', 'kind is required')),
          ...unless(!!parameters.name, () => required('spec.parameters.name', 'name is required')),
          ...unless(scopes.includes(parameters.scope ?? ''), () =>
            notSupported('spec.parameters.scope', parameters.scope, scopes),
          ),
        ]),
  ];
}

/** networking.k8s.io/v1 IngressClass. */
export const ingressClassKind = defineKind<IngressClass>(
  {
    kind: 'IngressClass',
    group: 'networking.k8s.io',
    plural: 'ingressclasses',
    namespaced: false,
    hasGeneration: true,
    columns: [
      nameColumn(),
      text('Controller', 'Who serves ingresses of this class.', ({ spec }) => spec?.controller ?? ''),
      text('Parameters', 'Object with more settings.', ({ spec }) => {
        const { apiGroup, kind = '', name = '' } = spec?.parameters ?? {};
        if (spec?.parameters === undefined) return '<none>';
        return apiGroup ? `${kind}.${apiGroup}/${name}` : `${kind}/${name}`;
      }),
      ageColumn(),
    ],
  },
  {
    setDefaults: (object) => {
      if (object.spec?.parameters !== undefined) object.spec.parameters.scope ??= 'Cluster';
    },
    validate,
    validateUpdate: (next, previous) =>
      unless((next.spec?.controller ?? '') === (previous.spec?.controller ?? ''), () =>
        invalidValue('spec.controller', next.spec?.controller ?? '', 'field is immutable'),
      ),
  },
);
