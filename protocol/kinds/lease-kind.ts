import { jsonEqual } from '../json.ts';
import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { invalidValue, unless } from '../validate/field-errors.ts';
import { nonNegative } from '../validate/numbers.ts';
import type { Lease } from './core.ts';
import { defineKind } from './define-kind.ts';

/** Leases of devices, which the hub gives out afresh when it starts. */
const OF_DEVICES = 'kube-node-lease';

/**
 * coordination.k8s.io/v1 Lease. Who holds one outlives a restart of the hub, so that never two lead at once; renewals live in memory,
 * where those who wait for a lease count its time from what they last saw of it. Leases of devices live in memory only.
 */
export const leaseKind = defineKind<Lease>(
  {
    kind: 'Lease',
    group: 'coordination.k8s.io',
    plural: 'leases',
    createOnUpdate: true,
    isFleeting: (lease, previous) =>
      lease.metadata.namespace === OF_DEVICES ||
      (previous !== undefined && jsonEqual(besidesRenewal(lease), besidesRenewal(previous))),
    columns: [
      nameColumn(),
      text('Holder', 'Who holds it.', (lease) => lease.spec?.holderIdentity ?? ''),
      ageColumn(),
    ],
  },
  {
    validate: (lease) => {
      const seconds = lease.spec?.leaseDurationSeconds;
      return [
        ...unless(seconds === undefined || seconds > 0, () =>
          invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0'),
        ),
        ...nonNegative('spec.leaseTransitions', lease.spec?.leaseTransitions),
      ];
    },
  },
);

function besidesRenewal({ metadata, spec, ...rest }: Lease): object {
  const { resourceVersion: _version, managedFields: _owners, ...named } = metadata;
  const { renewTime: _renewed, ...held } = spec ?? {};
  return { ...rest, metadata: named, spec: held };
}
