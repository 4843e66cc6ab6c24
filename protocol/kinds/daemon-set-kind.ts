import { defaultTemplate } from '../defaults/workloads.ts';
import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import { templateColumns } from '../print/workload-columns.ts';
import { invalidShown, notSupported, required, shownStringMap } from '../validate/field-errors.ts';
import { atMost100Percent, countOrPercent, nonNegative, shownIntOrString } from '../validate/numbers.ts';
import { templateWarnings } from '../validate/pod-warnings.ts';
import { selectorErrors, validateOwnedTemplate, validateSelectorUpdate } from '../validate/workloads.ts';
import { defineKind } from './define-kind.ts';
import type { FieldError } from './kind.ts';
import type { Loose } from './loose.ts';
import type { IntOrString } from './meta.ts';
import type { DaemonSet, DaemonSetSpec } from './workloads.ts';

function setDefaults(set: Loose<DaemonSet>): void {
  set.spec ??= {};
  const { spec } = set;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  spec.template ??= {};
  defaultTemplate(spec.template);
}

const isZero = (value: IntOrString): boolean => value === 0 || value === '0%';

function strategyErrors(strategy: Loose<DaemonSetSpec['updateStrategy']>): FieldError[] {
  const path = 'spec.updateStrategy';
  if (strategy?.type === 'OnDelete') return [];
  if (strategy?.type !== 'RollingUpdate')
    return [notSupported(`${path}.type`, strategy?.type, ['OnDelete', 'RollingUpdate'])];
  const { maxUnavailable = 1, maxSurge = 0 } = strategy.rollingUpdate ?? {};
  const field = `${path}.rollingUpdate`;
  const errors = [
    ...countOrPercent(`${field}.maxUnavailable`, maxUnavailable),
    ...countOrPercent(`${field}.maxSurge`, maxSurge),
    ...atMost100Percent(`${field}.maxUnavailable`, maxUnavailable),
    ...atMost100Percent(`${field}.maxSurge`, maxSurge),
  ];
  if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    const why = 'may not be set when `maxUnavailable` is non-zero';
    errors.push(invalidShown(`${field}.maxSurge`, shownIntOrString(maxSurge), why));
  } else if (isZero(maxUnavailable) && isZero(maxSurge))
    errors.push(required(`${field}.maxUnavailable`, 'cannot be 0 when `maxSurge` is 0'));
  return errors;
}

function validate(set: Loose<DaemonSet>): FieldError[] {
  const spec = set.spec ?? {};
  const labels = spec.template?.metadata?.labels;
  return [
    // Kubernetes does not ask for a selector here, but one that is absent matches no template.
    ...(spec.selector === undefined
      ? [
          invalidShown(
            'spec.template.metadata.labels',
            shownStringMap(labels),
            '`selector` does not match template `labels`',
          ),
        ]
      : selectorErrors(spec.selector, 'spec.selector', 'daemonset')),
    ...validateOwnedTemplate(spec.template, spec.selector, 'spec.template', 'DaemonSet'),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...strategyErrors(spec.updateStrategy),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
  ];
}

const COUNTS = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
] as const;

/** apps/v1 DaemonSet. */
export const daemonSetKind = defineKind<DaemonSet>(
  {
    kind: 'DaemonSet',
    group: 'apps',
    plural: 'daemonsets',
    shortNames: ['ds'],
    categories: ['all'],
    hasStatus: true,
    hasGeneration: true,
    warnings: (object) => templateWarnings(undefined, (object as Loose<DaemonSet>).spec?.template),
    columns: [
      nameColumn(),
      integer('Desired', 'Nodes that should run the pod.', (set) => set.status?.desiredNumberScheduled ?? 0),
      integer('Current', 'Nodes that have the pod.', (set) => set.status?.currentNumberScheduled ?? 0),
      integer('Ready', 'Nodes whose pod is ready.', (set) => set.status?.numberReady ?? 0),
      integer(
        'Up-to-date',
        'Nodes with a pod of the present template.',
        (set) => set.status?.updatedNumberScheduled ?? 0,
      ),
      integer('Available', 'Nodes whose pod is available.', (set) => set.status?.numberAvailable ?? 0),
      text('Node Selector', 'Labels a node must have.', (set) => {
        const labels = Object.entries(set.spec?.template?.spec?.nodeSelector ?? {});
        if (labels.length === 0) return '<none>';
        return labels
          .map(([key, value]) => `${key}=${value ?? ''}`)
          .toSorted()
          .join(',');
      }),
      ageColumn(),
      ...templateColumns<DaemonSet>((set) => set.spec),
    ],
    prepareCreate: (set) => {
      set.status = {
        currentNumberScheduled: 0,
        numberMisscheduled: 0,
        desiredNumberScheduled: 0,
        numberReady: 0,
      };
    },
  },
  {
    setDefaults,
    validate,
    validateUpdate: validateSelectorUpdate,
    validateStatusUpdate: ({ status = {} }) =>
      COUNTS.flatMap((name) => nonNegative(`status.${name}`, status[name])),
  },
);
