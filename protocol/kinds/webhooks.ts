import type { KubeObject, LabelSelector } from './meta.ts';

/** Where a webhook is asked: a URL, or a Service of the cluster. */
export interface WebhookClientConfig {
  url?: string;
  service?: { namespace: string; name: string; path?: string; port?: number };
  caBundle?: string;
}

/** Which requests a webhook hears of. */
export interface WebhookRule {
  operations?: string[];
  apiGroups?: string[];
  apiVersions?: string[];
  resources?: string[];
  scope?: string;
}

/** One webhook; `reinvocationPolicy` of mutating ones only. */
export interface Webhook {
  name: string;
  clientConfig: WebhookClientConfig;
  rules?: WebhookRule[];
  failurePolicy?: string;
  matchPolicy?: string;
  namespaceSelector?: LabelSelector;
  objectSelector?: LabelSelector;
  sideEffects?: string;
  timeoutSeconds?: number;
  admissionReviewVersions?: string[];
  reinvocationPolicy?: string;
  matchConditions?: { name: string; expression: string }[];
}

export interface ValidatingWebhookConfiguration extends KubeObject {
  kind: 'ValidatingWebhookConfiguration';
  webhooks?: Webhook[];
}

export interface MutatingWebhookConfiguration extends KubeObject {
  kind: 'MutatingWebhookConfiguration';
  webhooks?: Webhook[];
}
