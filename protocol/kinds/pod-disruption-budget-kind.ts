import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { invalidShown, invalidValue, notSupported, shown, unless } from '../validate/field-errors.ts';
import { validateLabelSelector } from '../validate/label-selector.ts';
import { countOrPercent, nonNegative } from '../validate/numbers.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { IntOrString } from './meta.ts';
import type { PodDisruptionBudget } from './policy.ts';

const POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

function amountErrors(field: string, amount: IntOrString | undefined): FieldError[] {
  const tooMuch = typeof amount === 'string' && Number.parseInt(amount, 10) > 100;
  return [
    ...countOrPercent(field, amount),
    ...unless(!tooMuch, () => invalidValue(field, amount, 'must not be greater than 100%')),
  ];
}

/** policy/v1 PodDisruptionBudget. */
export const podDisruptionBudgetKind = defineKind<PodDisruptionBudget>(
  {
    kind: 'PodDisruptionBudget',
    group: 'policy',
    plural: 'poddisruptionbudgets',
    shortNames: ['pdb'],
    hasStatus: true,
    hasGeneration: true,
    columns: [
      nameColumn(),
      text('Min Available', 'Pods that must stay.', (pdb) => String(pdb.spec?.minAvailable ?? 'N/A')),
      text('Max Unavailable', 'Pods that may be away.', (pdb) => String(pdb.spec?.maxUnavailable ?? 'N/A')),
      integer(
        'Allowed Disruptions',
        'Pods that may be evicted now.',
        (pdb) => pdb.status?.disruptionsAllowed ?? 0,
      ),
      ageColumn(),
    ],
    prepareCreate: (pdb) => {
      pdb.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
    },
  },
  {
    setDefaults: (pdb) => {
      pdb.spec ??= {};
    },
    validate: ({ spec = {} }) => [
      ...unless(spec.minAvailable === undefined || spec.maxUnavailable === undefined, () =>
        invalidShown('spec', shown(spec), 'minAvailable and maxUnavailable cannot be both set'),
      ),
      ...amountErrors('spec.minAvailable', spec.minAvailable),
      ...amountErrors('spec.maxUnavailable', spec.maxUnavailable),
      ...validateLabelSelector(spec.selector, 'spec.selector'),
      ...unless(
        spec.unhealthyPodEvictionPolicy === undefined || POLICIES.includes(spec.unhealthyPodEvictionPolicy),
        () => notSupported('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, POLICIES),
      ),
    ],
    validateStatusUpdate: ({ status = {} }) =>
      (['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap((name) =>
        nonNegative(`status.${name}`, status[name]),
      ),
  },
);
