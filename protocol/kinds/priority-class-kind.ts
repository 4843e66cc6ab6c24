import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { forbidden, invalidValue, notSupported, unless } from '../validate/field-errors.ts';
import { defineKind } from './define-kind.ts';
import type { PriorityClass } from './policy.ts';

const MAX_USER_PRIORITY = 1_000_000_000;
const SYSTEM = ['system-node-critical', 'system-cluster-critical'];
const POLICIES = ['Never', 'PreemptLowerPriority'];

/** scheduling.k8s.io/v1 PriorityClass. */
export const priorityClassKind = defineKind<PriorityClass>(
  {
    kind: 'PriorityClass',
    group: 'scheduling.k8s.io',
    plural: 'priorityclasses',
    shortNames: ['pc'],
    namespaced: false,
    hasGeneration: true,
    columns: [
      nameColumn(),
      integer('Value', 'Priority of its pods.', (pc) => pc.value ?? 0),
      text('Global-Default', 'Whether pods that name no class get it.', (pc) =>
        String(pc.globalDefault ?? false),
      ),
      ageColumn(),
      text('PreemptionPolicy', 'Whether its pods may drive out others.', (pc) => pc.preemptionPolicy ?? ''),
    ],
  },
  {
    setDefaults: (pc) => {
      pc.preemptionPolicy ??= 'PreemptLowerPriority';
      pc.value ??= 0;
    },
    validate: (pc) => {
      const name = pc.metadata?.name ?? '';
      const isSystem = name.startsWith('system-');
      return [
        ...unless(!isSystem || SYSTEM.includes(name), () =>
          forbidden(
            'metadata.name',
            "priority class names with 'system-' prefix are reserved for system use only",
          ),
        ),
        ...unless(isSystem || (pc.value ?? 0) <= MAX_USER_PRIORITY, () =>
          forbidden('value', `maximum allowed value of a user defined priority is ${MAX_USER_PRIORITY}`),
        ),
        ...unless(POLICIES.includes(pc.preemptionPolicy ?? ''), () =>
          notSupported('preemptionPolicy', pc.preemptionPolicy, POLICIES),
        ),
      ];
    },
    validateUpdate: (next, previous) => [
      ...unless(next.value === previous.value, () => forbidden('value', 'may not be changed in an update.')),
      ...unless(next.preemptionPolicy === previous.preemptionPolicy, () =>
        invalidValue('preemptionPolicy', next.preemptionPolicy, 'field is immutable'),
      ),
    ],
  },
);
