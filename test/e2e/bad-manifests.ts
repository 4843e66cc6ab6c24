/** Manifests that Kubernetes refuses, with what it says: code, reason, field path, and words as kubectl shows them. */

/** One refusal. `field` is empty where the body could not be decoded at all. */
export interface BadManifest {
  readonly name: string;
  readonly path: string;
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly code: number;
  readonly reason: string;
  readonly field: string;
  readonly words: string;
}

const PODS = '/api/v1/namespaces/default/pods';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';
const main = { name: 'main', image: 'busybox:latest' };

const pod = (...containers: unknown[]): Record<string, unknown> => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'bad' },
  spec: { containers },
});

const deployment = (spec: Record<string, unknown>): Record<string, unknown> => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'bad' },
  spec: {
    selector: { matchLabels: { app: 'a' } },
    template: { metadata: { labels: { app: 'a' } }, spec: { containers: [main] } },
    ...spec,
  },
});

const invalid = (
  name: string,
  path: string,
  manifest: Record<string, unknown>,
  field: string,
  words: string,
): BadManifest => ({ name, path, manifest, code: 422, reason: 'Invalid', field, words });

const undecodable = (
  name: string,
  path: string,
  manifest: Record<string, unknown>,
  words: string,
): BadManifest => ({
  name,
  path,
  manifest,
  code: 400,
  reason: 'BadRequest',
  field: '',
  words,
});

export const BAD_MANIFESTS: readonly BadManifest[] = [
  invalid(
    'a pod without containers',
    PODS,
    pod(),
    'spec.containers',
    'The Pod "bad" is invalid: spec.containers: Required value',
  ),
  invalid(
    'two containers of one name',
    PODS,
    pod(main, main),
    'spec.containers[1].name',
    'The Pod "bad" is invalid: spec.containers[1].name: Duplicate value: "main"',
  ),
  invalid(
    'a port out of range',
    PODS,
    pod({ ...main, ports: [{ containerPort: 70_000 }] }),
    'spec.containers[0].ports[0].containerPort',
    'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
  ),
  invalid(
    'requests above limits',
    PODS,
    pod({ ...main, resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
    'spec.containers[0].resources.requests',
    'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
  ),
  invalid(
    'a mount of no volume',
    PODS,
    pod({ ...main, volumeMounts: [{ name: 'none', mountPath: '/a' }] }),
    'spec.containers[0].volumeMounts[0].name',
    'spec.containers[0].volumeMounts[0].name: Not found: "none"',
  ),
  invalid(
    'a name that is no DNS name',
    CONFIGMAPS,
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'Bad_Name' } },
    'metadata.name',
    'The ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of',
  ),
  invalid(
    'a selector that misses the template',
    DEPLOYMENTS,
    deployment({ selector: { matchLabels: { app: 'b' } } }),
    'spec.template.metadata.labels',
    '`selector` does not match template `labels`',
  ),
  invalid(
    'a negative number of replicas',
    DEPLOYMENTS,
    deployment({ replicas: -1 }),
    'spec.replicas',
    'The Deployment "bad" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
  ),
  undecodable(
    'an unknown field',
    DEPLOYMENTS,
    deployment({ replicaz: 3 }),
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicaz"',
  ),
  undecodable(
    'a text where a number belongs',
    DEPLOYMENTS,
    deployment({ replicas: 'three' }),
    'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
  ),
  undecodable(
    'a quantity that is none',
    PODS,
    pod({ ...main, resources: { limits: { memory: 'much' } } }),
    'Pod in version "v1" cannot be handled as a Pod: quantities must match the regular expression',
  ),
];
