import { jsonEqual } from '../json.ts';
import { ageColumn, integer, nameColumn, text } from '../print/cells.ts';
import {
  validateConfigMap,
  validateConfigMapUpdate,
  validateSecret,
  validateSecretUpdate,
} from '../validate/config.ts';
import { labelNameErrors } from '../validate/names.ts';
import { validateSecurityLabels } from '../validate/pod-security.ts';
import type { ConfigMap, Namespace, Secret, ServiceAccount } from './core.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';

const size = (map: object | undefined): number => Object.keys(map ?? {}).length;

/** v1 Namespace. */
export const namespaceKind = defineKind<Namespace>(
  {
    kind: 'Namespace',
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    hasStatus: true,
    columns: [
      nameColumn(),
      text('Status', 'Active, or Terminating while its content is deleted.', (ns) => ns.status?.phase ?? ''),
      ageColumn(),
    ],
    fieldSelectors: { 'status.phase': (ns) => ns.status?.phase ?? '' },
    prepareCreate: (ns) => {
      ns.spec = { ...ns.spec, finalizers: [...new Set([...(ns.spec?.finalizers ?? []), 'kubernetes'])] };
      ns.status = { phase: 'Active' };
    },
  },
  {
    nameRule: labelNameErrors,
    validateCreate: ({ metadata = {} }) => validateSecurityLabels(metadata.labels),
    // A namespace that an older hub let in must still be able to go.
    validateUpdate: ({ metadata = {} }, previous) =>
      jsonEqual(metadata.labels, previous.metadata?.labels) ? [] : validateSecurityLabels(metadata.labels),
    setDefaults: (ns) => {
      ns.status ??= {};
      ns.status.phase ??= 'Active';
      const name = ns.metadata?.name;
      if (ns.metadata === undefined || !name) return;
      ns.metadata.labels = { ...ns.metadata.labels, 'kubernetes.io/metadata.name': name };
    },
  },
);

/** v1 ConfigMap. */
export const configMapKind = defineKind<ConfigMap>(
  {
    kind: 'ConfigMap',
    plural: 'configmaps',
    shortNames: ['cm'],
    columns: [
      nameColumn(),
      integer('Data', 'Number of entries.', (map) => size(map.data) + size(map.binaryData)),
      ageColumn(),
    ],
  },
  { validate: validateConfigMap, validateUpdate: validateConfigMapUpdate },
);

/** Base64 of a text as UTF-8. */
function base64(value: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(value)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function defaultSecret(secret: Loose<Secret>): void {
  secret.type ||= 'Opaque';
  if (secret.stringData === undefined) return;
  const encoded = Object.entries(secret.stringData).map(
    ([key, value]) => [key, base64(value ?? '')] as const,
  );
  secret.data = Object.fromEntries([...Object.entries(secret.data ?? {}), ...encoded]);
  delete secret.stringData;
}

/** v1 Secret; `stringData` is folded into `data` and never kept. */
export const secretKind = defineKind<Secret>(
  {
    kind: 'Secret',
    plural: 'secrets',
    columns: [
      nameColumn(),
      text('Type', 'What the secret is for.', (secret) => secret.type ?? ''),
      integer('Data', 'Number of entries.', (secret) => size(secret.data)),
      ageColumn(),
    ],
    fieldSelectors: { type: (secret) => secret.type ?? '' },
  },
  { setDefaults: defaultSecret, validate: validateSecret, validateUpdate: validateSecretUpdate },
);

/** v1 ServiceAccount. */
export const serviceAccountKind = defineKind<ServiceAccount>({
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  columns: [
    nameColumn(),
    integer('Secrets', 'Number of secrets it may use.', (account) => (account.secrets ?? []).length),
    ageColumn(),
  ],
});
