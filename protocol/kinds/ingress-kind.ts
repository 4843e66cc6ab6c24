import { ageColumn, nameColumn, orNone, text } from '../print/cells.ts';
import {
  at,
  invalidEach,
  invalidShown,
  invalidValue,
  notSupported,
  required,
  shown,
  unless,
} from '../validate/field-errors.ts';
import { ipErrors, labelNameErrors, portNumberErrors, subdomainErrors } from '../validate/names.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { Ingress, IngressBackend } from './network.ts';

const PATH_TYPES = ['Exact', 'ImplementationSpecific', 'Prefix'];

function backendErrors(backend: Loose<IngressBackend> | undefined, path: string): FieldError[] {
  const { service, resource } = backend ?? {};
  if (service !== undefined && resource !== undefined)
    return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (service === undefined)
    return unless(resource !== undefined, () => required(path, 'port name or number is required'));
  const { name = '', number = 0 } = service.port ?? {};
  const field = `${path}.service`;
  const errors = service.name
    ? invalidEach(`${field}.name`, service.name, labelNameErrors(service.name))
    : [required(`${field}.name`)];
  if (name !== '' && number !== 0)
    return [...errors, invalidValue(path, '', 'cannot set both port name & port number')];
  if (name === '' && number === 0) return [...errors, required(path, 'port name or number is required')];
  return name === ''
    ? [...errors, ...invalidEach(`${field}.port.number`, number, portNumberErrors(number))]
    : errors;
}

function hostErrors(host: string, field: string): FieldError[] {
  if (host === '') return [];
  if (ipErrors(host).length === 0)
    return [invalidValue(field, host, 'must be a DNS name, not an IP address')];
  return invalidEach(field, host, subdomainErrors(host.replace(/^\*\./, '')));
}

function pathErrors(
  entry: {
    path?: string | undefined;
    pathType?: string | undefined;
    backend?: Loose<IngressBackend> | undefined;
  },
  field: string,
): FieldError[] {
  const { path = '', pathType } = entry;
  const isRooted = path.startsWith('/');
  const mustBeRooted = pathType === 'Exact' || pathType === 'Prefix' || path !== '';
  return [
    ...(pathType === undefined
      ? [required(`${field}.pathType`, 'pathType must be specified')]
      : unless(PATH_TYPES.includes(pathType), () => notSupported(`${field}.pathType`, pathType, PATH_TYPES))),
    ...unless(!mustBeRooted || isRooted, () =>
      invalidValue(`${field}.path`, path, 'must be an absolute path'),
    ),
    ...backendErrors(entry.backend, `${field}.backend`),
  ];
}

function validate({ spec = {} }: Loose<Ingress>): FieldError[] {
  const rules = spec.rules ?? [];
  return [
    ...unless(rules.length > 0 || spec.defaultBackend !== undefined, () =>
      invalidShown('spec', shown(spec), 'either `defaultBackend` or `rules` must be specified'),
    ),
    ...(spec.defaultBackend === undefined ? [] : backendErrors(spec.defaultBackend, 'spec.defaultBackend')),
    ...rules.flatMap((rule, i) => {
      const field = at('spec.rules', i);
      const paths = rule.http?.paths ?? [];
      return [
        ...hostErrors(rule.host ?? '', `${field}.host`),
        ...unless(rule.http === undefined || paths.length > 0, () => required(`${field}.http.paths`)),
        ...paths.flatMap((path, j) => pathErrors(path, at(`${field}.http.paths`, j))),
      ];
    }),
    ...(spec.ingressClassName === undefined
      ? []
      : invalidEach('spec.ingressClassName', spec.ingressClassName, subdomainErrors(spec.ingressClassName))),
  ];
}

function hostsText({ spec = {} }: Loose<Ingress>): string {
  const hosts = (spec.rules ?? []).map(({ host }) => host ?? '').filter((host) => host !== '');
  const more = hosts.length - 3;
  if (hosts.length === 0) return '*';
  return hosts.slice(0, 3).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

const OLD_CLASS = 'kubernetes.io/ingress.class';

/** networking.k8s.io/v1 Ingress. */
export const ingressKind = defineKind<Ingress>(
  {
    kind: 'Ingress',
    group: 'networking.k8s.io',
    plural: 'ingresses',
    shortNames: ['ing'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object, isNew) => {
      const { metadata = {}, spec = {} } = object as Loose<Ingress>;
      const isOld = metadata.annotations?.[OLD_CLASS] !== undefined && spec.ingressClassName === undefined;
      return isNew && isOld
        ? [`annotation "${OLD_CLASS}" is deprecated, please use 'spec.ingressClassName' instead`]
        : [];
    },
    columns: [
      nameColumn(),
      text('Class', 'Which controller serves it.', ({ spec }) => orNone(spec?.ingressClassName)),
      text('Hosts', 'Names it answers for.', hostsText),
      text('Address', 'Where it answers.', ({ status }) =>
        (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '').join(','),
      ),
      text('Ports', 'Ports it answers on.', ({ spec }) => ((spec?.tls ?? []).length > 0 ? '80, 443' : '80')),
      ageColumn(),
    ],
    prepareCreate: (ingress) => {
      ingress.status = { loadBalancer: {} };
    },
  },
  {
    setDefaults: (ingress) => {
      ingress.spec ??= {};
    },
    validate,
  },
);
