import { ageColumn, nameColumn, text } from '../print/cells.ts';
import { invalidValue, unless } from '../validate/field-errors.ts';
import { nonNegative } from '../validate/numbers.ts';
import type { Lease } from './core.ts';
import { defineKind } from './define-kind.ts';

/** coordination.k8s.io/v1 Lease; in memory only. */
export const leaseKind = defineKind<Lease>(
  {
    kind: 'Lease',
    group: 'coordination.k8s.io',
    plural: 'leases',
    durable: false,
    createOnUpdate: true,
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
