import type { FieldError } from '../kinds/kind.ts';
import type { Loose } from '../kinds/loose.ts';
import type { Webhook, WebhookClientConfig, WebhookRule } from '../kinds/webhooks.ts';
import { at, duplicate, invalidEach, invalidValue, notSupported, required, unless } from './field-errors.ts';
import { validateLabelSelector } from './label-selector.ts';
import { subdomainErrors } from './names.ts';

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
const POLICIES = ['Fail', 'Ignore'];
const MATCHES = ['Equivalent', 'Exact'];
const EFFECTS = ['None', 'NoneOnDryRun'];
const INVOCATIONS = ['IfNeeded', 'Never'];
const REVIEWS = ['v1', 'v1beta1'];

/** What Kubernetes refuses in the webhooks of a configuration, by field. Pure; never throws. */
export function validateWebhooks(webhooks: readonly Loose<Webhook>[]): FieldError[] {
  const seen = new Set<string>();
  return webhooks.flatMap((webhook, index) => {
    const path = at('webhooks', index);
    const { name = '' } = webhook;
    const again = seen.has(name) ? [duplicate(`${path}.name`, name)] : [];
    seen.add(name);
    return [...webhookErrors(webhook, path), ...again];
  });
}

function webhookErrors(webhook: Loose<Webhook>, path: string): FieldError[] {
  const { failurePolicy, matchPolicy, reinvocationPolicy, timeoutSeconds, sideEffects } = webhook;
  return [
    ...nameErrors(webhook.name ?? '', `${path}.name`),
    ...reviewErrors(webhook.admissionReviewVersions ?? [], `${path}.admissionReviewVersions`),
    ...(webhook.rules ?? []).flatMap((rule, index) => ruleErrors(rule, at(`${path}.rules`, index))),
    ...oneOf(failurePolicy, POLICIES, `${path}.failurePolicy`),
    ...oneOf(matchPolicy, MATCHES, `${path}.matchPolicy`),
    ...(sideEffects === undefined
      ? [required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun')]
      : oneOf(sideEffects, EFFECTS, `${path}.sideEffects`)),
    ...unless(timeoutSeconds === undefined || (timeoutSeconds >= 1 && timeoutSeconds <= 30), () =>
      invalidValue(
        `${path}.timeoutSeconds`,
        timeoutSeconds,
        'the timeout value must be between 1 and 30 seconds',
      ),
    ),
    ...oneOf(reinvocationPolicy, INVOCATIONS, `${path}.reinvocationPolicy`),
    ...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`),
    ...clientErrors(webhook.clientConfig ?? {}, `${path}.clientConfig`),
  ];
}

const oneOf = (value: string | undefined, allowed: readonly string[], path: string): FieldError[] =>
  value === undefined || allowed.includes(value) ? [] : [notSupported(path, value, allowed)];

function nameErrors(name: string, path: string): FieldError[] {
  if (name === '') return [required(path)];
  const errors = subdomainErrors(name);
  if (errors.length > 0) return invalidEach(path, name, errors);
  return unless(name.split('.').length >= 3, () =>
    invalidValue(path, name, 'should be a domain with at least three segments separated by dots'),
  );
}

function reviewErrors(versions: readonly string[], path: string): FieldError[] {
  if (versions.length === 0) return [required(path, `must specify one of ${REVIEWS.join(', ')}`)];
  const repeated = versions.flatMap((version, index) =>
    versions.indexOf(version) < index ? [invalidValue(at(path, index), version, 'duplicate version')] : [],
  );
  return [
    ...repeated,
    ...unless(
      versions.some((version) => REVIEWS.includes(version)),
      () => invalidValue(path, versions, `must include at least one of ${REVIEWS.join(', ')}`),
    ),
  ];
}

function ruleErrors(rule: Loose<WebhookRule>, path: string): FieldError[] {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const alone = (values: readonly string[], field: string, what: string): FieldError[] => {
    if (values.length === 0) return [required(`${path}.${field}`)];
    return unless(!values.includes('*') || values.length === 1, () =>
      invalidValue(`${path}.${field}`, values, `if '*' is present, must not specify other ${what}`),
    );
  };
  return [
    ...alone(operations, 'operations', 'operations'),
    ...operations.flatMap((operation, index) =>
      oneOf(operation, OPERATIONS, at(`${path}.operations`, index)),
    ),
    ...alone(apiGroups, 'apiGroups', 'API groups'),
    ...alone(apiVersions, 'apiVersions', 'API versions'),
    ...apiVersions.flatMap((version, index) =>
      version === '' ? [required(at(`${path}.apiVersions`, index))] : [],
    ),
    ...unless(resources.length > 0, () => required(`${path}.resources`)),
    ...resources.flatMap((resource, index) =>
      resource === '' ? [required(at(`${path}.resources`, index))] : [],
    ),
    ...oneOf(scope, SCOPES, `${path}.scope`),
  ];
}

function clientErrors({ url, service }: Loose<WebhookClientConfig>, path: string): FieldError[] {
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')];
  if (url !== undefined) return urlErrors(url, `${path}.url`);
  const { name = '', namespace = '', path: route, port = 443 } = service ?? {};
  const where = `${path}.service`;
  return [
    ...unless(name !== '', () => required(`${where}.name`, 'service name is required')),
    ...unless(namespace !== '', () => required(`${where}.namespace`, 'service namespace is required')),
    ...unless(route === undefined || route.startsWith('/'), () =>
      invalidValue(`${where}.path`, route, "must start with a '/'"),
    ),
    ...unless(port >= 1 && port <= 65_535, () =>
      invalidValue(`${where}.port`, port, 'port is not valid: must be between 1 and 65535, inclusive'),
    ),
  ];
}

const FORM = 'desired format: https://host[/path]';

function urlErrors(url: string, path: string): FieldError[] {
  const found = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(url);
  const [, scheme = '', host = '', , query = '', fragment = ''] = found ?? [];
  const bad = (why: string): FieldError => invalidValue(path, url, `${why}; ${FORM}`);
  return [
    ...unless(scheme === 'https', () => bad("'https' is the only allowed URL scheme")),
    ...unless(host !== '', () => bad('host must be specified')),
    ...unless(!host.includes('@'), () => bad('user information is not permitted in the URL')),
    ...unless(fragment === '', () => bad('fragments are not permitted in the URL')),
    ...unless(query === '', () => bad('query parameters are not permitted in the URL')),
  ];
}
