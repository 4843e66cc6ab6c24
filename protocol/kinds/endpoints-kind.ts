import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { at, invalidEach, notSupported, required, unless } from '../validate/field-errors.ts';
import { ipErrors, labelNameErrors, portNumberErrors } from '../validate/names.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { Endpoints } from './network.ts';

type Subset = NonNullable<Loose<Endpoints>['subsets']>[number];
const MAX_SHOWN = 3;
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];

function subsetErrors(subset: Subset, path: string): FieldError[] {
  const ready = subset.addresses ?? [];
  const waiting = subset.notReadyAddresses ?? [];
  const ports = subset.ports ?? [];
  return [
    ...unless(ready.length + waiting.length > 0, () =>
      required(path, 'must specify `addresses` or `notReadyAddresses`'),
    ),
    ...ready.flatMap(({ ip = '' }, i) => invalidEach(`${at(`${path}.addresses`, i)}.ip`, ip, ipErrors(ip))),
    ...waiting.flatMap(({ ip = '' }, i) =>
      invalidEach(`${at(`${path}.notReadyAddresses`, i)}.ip`, ip, ipErrors(ip)),
    ),
    ...ports.flatMap(({ name = '', port = 0, protocol = '' }, i) => {
      const field = at(`${path}.ports`, i);
      return [
        ...(name === '' && ports.length > 1 ? [required(`${field}.name`)] : []),
        ...(name === '' ? [] : invalidEach(`${field}.name`, name, labelNameErrors(name))),
        ...invalidEach(`${field}.port`, port, portNumberErrors(port)),
        ...unless(PROTOCOLS.includes(protocol), () => notSupported(`${field}.protocol`, protocol, PROTOCOLS)),
      ];
    }),
  ];
}

/** The first ready ones: `10.0.0.1:80,10.0.0.2:80 + 4 more...`. */
function endpointsText(endpoints: Loose<Endpoints>): string {
  const all = (endpoints.subsets ?? []).flatMap((subset) => {
    const addresses = (subset.addresses ?? []).map(({ ip = '' }) => ip);
    const ports = subset.ports ?? [];
    if (ports.length === 0) return addresses;
    return ports.flatMap(({ port = 0 }) =>
      addresses.map((ip) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)),
    );
  });
  if (all.length === 0) return '<none>';
  const more = all.length - MAX_SHOWN;
  return all.slice(0, MAX_SHOWN).join(',') + (more > 0 ? ` + ${more} more...` : '');
}

/** v1 Endpoints. */
export const endpointsKind = defineKind<Endpoints>(
  {
    kind: 'Endpoints',
    plural: 'endpoints',
    shortNames: ['ep'],
    createOnUpdate: true,
    columns: [nameColumn(), text('Endpoints', 'Addresses and ports.', endpointsText), ageColumn()],
  },
  {
    setDefaults: (endpoints) => {
      for (const subset of endpoints.subsets ?? [])
        for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
    },
    validate: (endpoints) =>
      (endpoints.subsets ?? []).flatMap((subset, i) => subsetErrors(subset, at('subsets', i))),
  },
);
