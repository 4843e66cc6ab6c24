import type { FieldError, KindSpec } from '../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../protocol/kinds/meta.ts';

type Loose = KubeObject & {
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
  data?: unknown;
};

function kind(name: string, more: Partial<KindSpec> = {}): KindSpec {
  const singular = name.toLowerCase();
  return {
    kind: name,
    group: '',
    version: 'v1',
    plural: `${singular}s`,
    singular,
    shortNames: [],
    categories: [],
    namespaced: true,
    durable: true,
    hasStatus: false,
    hasGeneration: false,
    columns: [],
    fieldSelectors: {},
    setDefaults: () => undefined,
    validate: nameErrors,
    validateUpdate: () => [],
    ...more,
  };
}

function nameErrors({ metadata }: KubeObject): FieldError[] {
  if (metadata.name !== '') return [];
  return [
    {
      reason: 'FieldValueRequired',
      field: 'metadata.name',
      message: 'Required value: name or generateName is required',
    },
  ];
}

const status =
  (first: Record<string, unknown>) =>
  (object: KubeObject): void => {
    (object as Loose).status = { ...first };
  };

function replicaErrors(object: KubeObject): FieldError[] {
  const replicas = (object as Loose).spec?.['replicas'];
  if (typeof replicas !== 'number' || replicas >= 0) return nameErrors(object);
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  return [{ reason: 'FieldValueInvalid', field: 'spec.replicas', message }];
}

function immutableErrors(next: KubeObject, previous: KubeObject): FieldError[] {
  if ((previous as Loose & { immutable?: boolean }).immutable !== true) return [];
  if (JSON.stringify((next as Loose).data) === JSON.stringify((previous as Loose).data)) return [];
  return [
    {
      reason: 'FieldValueForbidden',
      field: 'data',
      message: 'Forbidden: field is immutable when `immutable` is set',
    },
  ];
}

/** Small kinds that show every trait the store looks at, without the real ones' rules. */
export const storeKinds: readonly KindSpec[] = [
  kind('Namespace', {
    namespaced: false,
    hasStatus: true,
    prepareCreate: (object) => {
      (object as Loose).spec = { finalizers: ['kubernetes'] };
      status({ phase: 'Active' })(object);
    },
  }),
  kind('Node', { namespaced: false, hasStatus: true }),
  kind('Pod', {
    hasStatus: true,
    prepareCreate: status({ phase: 'Pending' }),
    setDefaults: (object) => {
      const pod = object as Loose;
      pod.spec = { terminationGracePeriodSeconds: 30, ...pod.spec };
    },
  }),
  kind('ConfigMap', { validateUpdate: immutableErrors }),
  kind('Deployment', {
    group: 'apps',
    hasStatus: true,
    hasGeneration: true,
    prepareCreate: status({}),
    setDefaults: (object) => {
      const deployment = object as Loose;
      deployment.spec = { replicas: 1, ...deployment.spec };
    },
    validate: replicaErrors,
  }),
  kind('Lease', { group: 'coordination.k8s.io', durable: false, createOnUpdate: true }),
  kind('Event', { durable: false, createOnUpdate: true }),
];
