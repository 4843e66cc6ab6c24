import { ageColumn, integer, nameColumn } from '../print/cells.ts';
import { validateWebhooks } from '../validate/webhooks.ts';
import { defineKind } from './define-kind.ts';
import type { Loose } from './loose.ts';
import type { MutatingWebhookConfiguration, ValidatingWebhookConfiguration, Webhook } from './webhooks.ts';

function defaultWebhook(webhook: Loose<Webhook>): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= 10;
  for (const rule of webhook.rules ?? []) rule.scope ??= '*';
  const service = webhook.clientConfig?.service;
  if (service !== undefined) service.port ??= 443;
}

const columns = <T extends ValidatingWebhookConfiguration | MutatingWebhookConfiguration>(whose: string) => [
  nameColumn<T>(),
  integer<T>(
    'Webhooks',
    `Webhooks indicates the number of webhooks configured in this ${whose}.`,
    (object) => (object as Loose<{ webhooks: Webhook[] }>).webhooks?.length ?? 0,
  ),
  ageColumn<T>(),
];

/** A hub dials into no pod: who relies on a webhook must hear that it does nothing. */
const NOT_CALLED = (effect: string): readonly string[] => [
  `admission webhooks are kept but not called by this hub: objects are not ${effect} by them`,
];

/** admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration: kept for those who install one, never called. */
export const validatingWebhookConfigurationKind = defineKind<ValidatingWebhookConfiguration>(
  {
    kind: 'ValidatingWebhookConfiguration',
    group: 'admissionregistration.k8s.io',
    plural: 'validatingwebhookconfigurations',
    categories: ['api-extensions'],
    namespaced: false,
    hasGeneration: true,
    columns: columns<ValidatingWebhookConfiguration>('validating webhook configuration'),
    warnings: ({ webhooks = [] }) => (webhooks.length === 0 ? [] : NOT_CALLED('checked')),
  },
  {
    setDefaults: ({ webhooks = [] }) => {
      for (const webhook of webhooks) defaultWebhook(webhook);
    },
    validate: ({ webhooks = [] }) => validateWebhooks(webhooks),
  },
);

/** admissionregistration.k8s.io/v1 MutatingWebhookConfiguration: kept for those who install one, never called. */
export const mutatingWebhookConfigurationKind = defineKind<MutatingWebhookConfiguration>(
  {
    kind: 'MutatingWebhookConfiguration',
    group: 'admissionregistration.k8s.io',
    plural: 'mutatingwebhookconfigurations',
    categories: ['api-extensions'],
    namespaced: false,
    hasGeneration: true,
    columns: columns<MutatingWebhookConfiguration>('mutating webhook configuration'),
    warnings: ({ webhooks = [] }) => (webhooks.length === 0 ? [] : NOT_CALLED('changed')),
  },
  {
    setDefaults: ({ webhooks = [] }) => {
      for (const webhook of webhooks) {
        defaultWebhook(webhook);
        webhook.reinvocationPolicy ??= 'Never';
      }
    },
    validate: ({ webhooks = [] }) => validateWebhooks(webhooks),
  },
);
