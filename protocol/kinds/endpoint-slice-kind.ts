import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { at, invalidEach, invalidValue, notSupported, required, unless } from '../validate/field-errors.ts';
import { ipErrors, subdomainErrors } from '../validate/names.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { EndpointSlice } from './network.ts';

const TYPES = ['FQDN', 'IPv4', 'IPv6'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MAX_SHOWN = 3;

function validate(slice: Loose<EndpointSlice>): FieldError[] {
  const type = slice.addressType ?? '';
  const rule = type === 'FQDN' ? subdomainErrors : ipErrors;
  const isV6 = (address: string): boolean => address.includes(':');
  return [
    ...(type === ''
      ? [required('addressType')]
      : unless(TYPES.includes(type), () => notSupported('addressType', type, TYPES))),
    ...(slice.endpoints ?? []).flatMap(({ addresses = [] }, i) => {
      const field = `${at('endpoints', i)}.addresses`;
      if (addresses.length === 0) return [required(field, 'must contain at least 1 address')];
      return addresses.flatMap((address, j) => [
        ...invalidEach(at(field, j), address, rule(address)),
        ...unless(type !== 'IPv4' || !isV6(address), () =>
          invalidValue(at(field, j), address, 'must be an IPv4 address'),
        ),
        ...unless(type !== 'IPv6' || isV6(address), () =>
          invalidValue(at(field, j), address, 'must be an IPv6 address'),
        ),
      ]);
    }),
    ...(slice.ports ?? []).flatMap(({ protocol = '' }, i) =>
      unless(PROTOCOLS.includes(protocol), () =>
        notSupported(`${at('ports', i)}.protocol`, protocol, PROTOCOLS),
      ),
    ),
  ];
}

function limited(texts: readonly string[]): string {
  if (texts.length === 0) return '<unset>';
  const more = texts.length - MAX_SHOWN;
  return texts.slice(0, MAX_SHOWN).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

/** discovery.k8s.io/v1 EndpointSlice. */
export const endpointSliceKind = defineKind<EndpointSlice>(
  {
    kind: 'EndpointSlice',
    group: 'discovery.k8s.io',
    plural: 'endpointslices',
    hasGeneration: true,
    columns: [
      nameColumn(),
      text('AddressType', 'Form of the addresses.', (slice) => slice.addressType ?? ''),
      text('Ports', 'Ports of every endpoint.', (slice) =>
        limited(
          (slice.ports ?? []).map(({ port, name }) => (port === undefined ? (name ?? '*') : String(port))),
        ),
      ),
      text('Endpoints', 'Addresses.', (slice) =>
        limited((slice.endpoints ?? []).flatMap(({ addresses = [] }) => addresses)),
      ),
      ageColumn(),
    ],
  },
  {
    setDefaults: (slice) => {
      for (const port of slice.ports ?? []) {
        port.name ??= '';
        port.protocol ||= 'TCP';
      }
      slice.endpoints ??= [];
    },
    validate,
    validateUpdate: (next, previous) =>
      unless(next.addressType === previous.addressType, () =>
        invalidValue('addressType', next.addressType, 'field is immutable'),
      ),
  },
);
