import * as assert from 'uvu/assert';
import { kinds } from '../../../../protocol/kinds/index.ts';
import type { KindSpec } from '../../../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { spec } from '../../../spec.ts';

const NOW = Date.UTC(2026, 0, 1, 0, 5);
const CREATED = '2026-01-01T00:00:00Z';
const TEMPLATE = {
  metadata: { labels: { app: 'x' } },
  spec: { containers: [{ name: 'c', image: 'busybox:1' }] },
};
const SELECTOR = { matchLabels: { app: 'x' } };
const ONCE = { ...TEMPLATE, spec: { ...TEMPLATE.spec, restartPolicy: 'Never' } };

function kindOf(name: string): KindSpec {
  const found = kinds.find((kind) => kind.kind === name && kind.view === undefined);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

function object(kind: string, body: object, metadata: object = {}): KubeObject {
  const { namespaced } = kindOf(kind);
  return {
    kind,
    metadata: {
      name: 'x',
      uid: 'u',
      creationTimestamp: CREATED,
      ...(namespaced ? { namespace: 'n' } : {}),
      ...metadata,
    },
    ...structuredClone(body),
  } as unknown as KubeObject;
}

/** As a create does it. */
function made(kind: string, body: object, metadata: object = {}): KubeObject {
  const result = object(kind, body, metadata);
  kindOf(kind).prepareCreate?.(result);
  kindOf(kind).setDefaults(result);
  kindOf(kind).completeCreate?.(result);
  return result;
}

const texts = (errors: readonly { field: string; message: string }[]): string[] =>
  errors.map((e) => `${e.field}: ${e.message}`);

const webhook = (name: string): object => ({
  name,
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { service: { namespace: 'n', name: 's' } },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
});

/** A good object of each kind, and the cells of its columns five minutes after it was made. */
const GOOD: readonly (readonly [string, object, (string | number)[]])[] = [
  [
    'DaemonSet',
    { spec: { selector: SELECTOR, template: TEMPLATE } },
    ['x', 0, 0, 0, 0, 0, '<none>', '5m', 'c', 'busybox:1', 'app=x'],
  ],
  [
    'StatefulSet',
    { spec: { selector: SELECTOR, template: TEMPLATE, replicas: 2 } },
    ['x', '0/2', '5m', 'c', 'busybox:1'],
  ],
  ['ControllerRevision', { data: { a: 1 }, revision: 4 }, ['x', '<none>', 4, '5m']],
  [
    'ReplicationController',
    { spec: { template: TEMPLATE } },
    ['x', 1, 0, 0, '5m', 'c', 'busybox:1', 'app=x'],
  ],
  ['PodTemplate', { template: TEMPLATE }, ['x', 'c', 'busybox:1', 'app=x']],
  [
    'Job',
    { spec: { template: ONCE } },
    ['x', 'Running', '0/1', '', '5m', 'c', 'busybox:1', 'batch.kubernetes.io/controller-uid=u'],
  ],
  [
    'CronJob',
    { spec: { schedule: '@daily', jobTemplate: { spec: { template: ONCE } } } },
    ['x', '@daily', '<none>', 'False', 0, '<none>', '5m', 'c', 'busybox:1', '<none>'],
  ],
  [
    'HorizontalPodAutoscaler',
    { spec: { scaleTargetRef: { kind: 'Deployment', name: 'd' }, maxReplicas: 3 } },
    ['x', 'Deployment/d', 'cpu: <unknown>/80%', '1', 3, 0, '5m'],
  ],
  [
    'PodDisruptionBudget',
    { spec: { maxUnavailable: '50%', selector: SELECTOR } },
    ['x', 'N/A', '50%', 0, '5m'],
  ],
  ['PriorityClass', { value: 7 }, ['x', 7, 'false', '5m', 'PreemptLowerPriority']],
  [
    'Service',
    { spec: { ports: [{ port: 80 }], selector: { app: 'x' } } },
    ['x', 'ClusterIP', '<none>', '<none>', '80/TCP', '5m', 'app=x'],
  ],
  [
    'Endpoints',
    {
      subsets: [
        { addresses: ['1', '2', '3', '4'].map((n) => ({ ip: `10.0.0.${n}` })), ports: [{ port: 80 }] },
      ],
    },
    ['x', '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...', '5m'],
  ],
  ['EndpointSlice', { addressType: 'IPv4' }, ['x', 'IPv4', '<unset>', '<unset>', '5m']],
  ['Ingress', { spec: { tls: [{}], rules: [{ host: 'a.b' }] } }, ['x', '<none>', 'a.b', '', '80, 443', '5m']],
  [
    'IngressClass',
    { spec: { controller: 'a.b/c', parameters: { kind: 'P', name: 'p' } } },
    ['x', 'a.b/c', 'P/p', '5m'],
  ],
  ['ValidatingWebhookConfiguration', { webhooks: [webhook('a.b.c'), webhook('d.e.f')] }, ['x', 2, '5m']],
  ['MutatingWebhookConfiguration', {}, ['x', 0, '5m']],
  ['NetworkPolicy', { spec: {} }, ['x', '<none>', '5m']],
  [
    'PersistentVolume',
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
        hostPath: { path: '/x' },
      },
    },
    ['x', '1Gi', 'RWO,ROX', 'Retain', 'Pending', '', '', '<unset>', '', '5m', 'Filesystem'],
  ],
  [
    'PersistentVolumeClaim',
    { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ['x', 'Pending', '', '', '', '', '<unset>', '5m', 'Filesystem'],
  ],
  ['StorageClass', { provisioner: 'a.b/c' }, ['x', 'a.b/c', 'Delete', 'Immediate', 'false', '5m']],
  [
    'ResourceQuota',
    { spec: { hard: { pods: '3', 'limits.cpu': '1' } } },
    ['x', '5m', 'pods: 0/3', 'limits.cpu: 0/1'],
  ],
  ['LimitRange', { spec: { limits: [{ type: 'Pod' }] } }, ['x', CREATED]],
];

/** A bad object of each kind, and what is said of it. */
const BAD: readonly (readonly [string, object, string[]])[] = [
  [
    'DaemonSet',
    {
      spec: {
        selector: SELECTOR,
        template: TEMPLATE,
        updateStrategy: { rollingUpdate: { maxUnavailable: '101%' } },
      },
    },
    [
      'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:1, IntVal:0, StrVal:"101%"}: must not be greater than 100%',
    ],
  ],
  [
    'DaemonSet',
    {
      spec: {
        selector: SELECTOR,
        template: TEMPLATE,
        updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
      },
    },
    [
      'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: intstr.IntOrString{Type:0, IntVal:1, StrVal:""}: may not be set when `maxUnavailable` is non-zero',
    ],
  ],
  [
    'StatefulSet',
    { spec: { selector: SELECTOR, template: TEMPLATE, podManagementPolicy: 'Both', replicas: -1 } },
    [
      "spec.podManagementPolicy: Invalid value: \"Both\": must be 'OrderedReady' or 'Parallel'",
      'spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    ],
  ],
  ['ControllerRevision', { revision: 1 }, ['data: Required value: data is mandatory']],
  ['ReplicationController', {}, ['spec.selector: Required value', 'spec.template: Required value']],
  [
    'Job',
    { spec: { template: TEMPLATE } },
    ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
  ],
  [
    'Job',
    {
      metadata: { name: 'x'.repeat(62), namespace: 'default' },
      spec: { template: ONCE, completionMode: 'Indexed', completions: 11 },
    },
    [
      `metadata.name: Invalid value: "${'x'.repeat(62)}": will not able to create pod with invalid DNS label: ${'x'.repeat(62)}-10`,
    ],
  ],
  [
    'Job',
    {
      spec: {
        template: ONCE,
        maxFailedIndexes: 1,
        successPolicy: {},
        podFailurePolicy: {
          rules: [
            { action: 'FailIndex', onExitCodes: { operator: 'In', values: [0, 2, 1] } },
            { action: 'Ignore' },
          ],
        },
      },
    },
    [
      'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
      'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
      'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
      'spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator',
      'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [0,2,1]: must be ordered',
      'spec.podFailurePolicy.rules[1]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required',
      'spec.successPolicy: Invalid value: requires indexed completion mode',
    ],
  ],
  [
    'CronJob',
    { spec: { schedule: '* *', timeZone: 'Nowhere', jobTemplate: { spec: { template: ONCE } } } },
    [
      'spec.schedule: Invalid value: "* *": expected exactly 5 fields, found 2: [* *]',
      'spec.timeZone: Invalid value: "Nowhere": unknown time zone Nowhere',
    ],
  ],
  [
    'CronJob',
    { spec: { schedule: '60 * * * *', jobTemplate: { spec: { template: ONCE } } } },
    ['spec.schedule: Invalid value: "60 * * * *": end of range (60) above maximum (59): 60'],
  ],
  [
    'HorizontalPodAutoscaler',
    { spec: { scaleTargetRef: { kind: 'Deployment' }, minReplicas: 3, maxReplicas: 2 } },
    [
      'spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`',
      'spec.scaleTargetRef.name: Required value',
    ],
  ],
  [
    'PodDisruptionBudget',
    { spec: { minAvailable: '120%' } },
    ['spec.minAvailable: Invalid value: "120%": must not be greater than 100%'],
  ],
  [
    'PriorityClass',
    { value: 2e9 },
    ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
  ],
  ['Service', { spec: {} }, ['spec.ports: Required value']],
  [
    'Service',
    { spec: { ports: [{ port: 80, nodePort: 30000 }] } },
    ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
  ],
  ['Service', { spec: { type: 'ExternalName' } }, ['spec.externalName: Required value']],
  [
    'Endpoints',
    { subsets: [{ addresses: [{ ip: 'x' }] }] },
    [
      'subsets[0].addresses[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
  ],
  ['EndpointSlice', {}, ['addressType: Required value']],
  [
    'Ingress',
    { spec: { rules: [{ http: { paths: [{ path: 'x', pathType: 'Prefix', backend: {} }] } }] } },
    [
      'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path',
      'spec.rules[0].http.paths[0].backend: Required value: port name or number is required',
    ],
  ],
  [
    'IngressClass',
    { spec: { controller: 'plain' } },
    ['spec.controller: Invalid value: "plain": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  [
    'ValidatingWebhookConfiguration',
    {
      webhooks: [
        { ...webhook('a.b'), clientConfig: { url: 'http://u@h/p?q#f' } },
        { ...webhook('a.b.c'), clientConfig: {}, sideEffects: 'Some', timeoutSeconds: 31 },
        { ...webhook('a.b.c'), rules: [{ operations: ['*', 'LOOK'], apiGroups: [''], apiVersions: [''] }] },
      ],
    },
    [
      'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
      'webhooks[0].clientConfig.url: Invalid value: "http://u@h/p?q#f": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
      'webhooks[0].clientConfig.url: Invalid value: "http://u@h/p?q#f": user information is not permitted in the URL; desired format: https://host[/path]',
      'webhooks[0].clientConfig.url: Invalid value: "http://u@h/p?q#f": fragments are not permitted in the URL; desired format: https://host[/path]',
      'webhooks[0].clientConfig.url: Invalid value: "http://u@h/p?q#f": query parameters are not permitted in the URL; desired format: https://host[/path]',
      'webhooks[1].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
      'webhooks[1].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds',
      'webhooks[1].clientConfig: Required value: exactly one of url or service is required',
      'webhooks[2].rules[0].operations: Invalid value: ["*","LOOK"]: if \'*\' is present, must not specify other operations',
      'webhooks[2].rules[0].operations[1]: Unsupported value: "LOOK": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
      'webhooks[2].rules[0].apiVersions[0]: Required value',
      'webhooks[2].rules[0].resources: Required value',
      'webhooks[2].name: Duplicate value: "a.b.c"',
    ],
  ],
  [
    'MutatingWebhookConfiguration',
    {
      webhooks: [
        {
          ...webhook('a.b.c'),
          admissionReviewVersions: ['v2'],
          reinvocationPolicy: 'Always',
          clientConfig: { service: { name: 's', path: 'p', port: 0 } },
        },
      ],
    },
    [
      'webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
      'webhooks[0].reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never"',
      'webhooks[0].clientConfig.service.namespace: Required value: service namespace is required',
      'webhooks[0].clientConfig.service.path: Invalid value: "p": must start with a \'/\'',
      'webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
    ],
  ],
  [
    'NetworkPolicy',
    { spec: { ingress: [{ from: [{}, { ipBlock: { cidr: 'x' } }] }] } },
    [
      'spec.ingress[0].from[0]: Required value: must specify a peer',
      'spec.ingress[0].from[1].ipBlock.cidr: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
  ],
  [
    'PersistentVolume',
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] } },
    ['spec: Required value: must specify a volume type'],
  ],
  [
    'PersistentVolumeClaim',
    { spec: {} },
    [
      'spec.accessModes: Required value: at least 1 access mode is required',
      'spec.resources[storage]: Required value',
    ],
  ],
  ['StorageClass', {}, ['provisioner: Required value']],
  [
    'ResourceQuota',
    { spec: { hard: { apples: '1' } } },
    ['spec.hard[apples]: Invalid value: "apples": must be a standard resource for quota'],
  ],
  [
    'ResourceQuota',
    {
      spec: {
        hard: { configmaps: '1' },
        scopes: ['BestEffort', 'NotBestEffort'],
        scopeSelector: { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In' }] },
      },
    },
    [
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort","PriorityClass"]: unsupported scope applied to resource',
      'spec.scopes: Invalid value: ["BestEffort","NotBestEffort"]: conflicting scopes',
      'spec.scopeSelector.matchExpressions[0].values: Required value: must be atleast one value when `operator` is `In` or `NotIn` for scope selector',
    ],
  ],
  [
    'LimitRange',
    { spec: { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] } },
    [
      'spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1',
      'spec.limits[0].defaultRequest[cpu]: Invalid value: "1": min value 2 is greater than default request value 1',
      'spec.limits[0].default[cpu]: Invalid value: "1": min value 2 is greater than default value 1',
    ],
  ],
];

/** A change that is refused, of each kind that has such. */
const FIXED: readonly (readonly [string, object, object, string[]])[] = [
  [
    'StatefulSet',
    { spec: { selector: SELECTOR, template: TEMPLATE, serviceName: 'a' } },
    { spec: { selector: SELECTOR, template: TEMPLATE, serviceName: 'b', replicas: 9 } },
    [
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ],
  ],
  ['PriorityClass', { value: 1 }, { value: 2 }, ['value: Forbidden: may not be changed in an update.']],
  [
    'Service',
    { spec: { clusterIP: '10.0.0.1', ports: [{ port: 80 }] } },
    { spec: { clusterIP: '10.0.0.2', ports: [{ port: 80 }] } },
    ['spec.clusterIPs[0]: Invalid value: ["10.0.0.2"]: may not change once set'],
  ],
  [
    'StorageClass',
    { provisioner: 'a.b/c' },
    { provisioner: 'a.b/d' },
    ['provisioner: Forbidden: updates to provisioner are forbidden.'],
  ],
  [
    'ControllerRevision',
    { data: { a: 1 } },
    { data: { a: 2 } },
    ['data: Invalid value: {"a":2}: field is immutable'],
  ],
];

spec('served kinds', (it) => {
  for (const [kind, body, cells] of GOOD)
    it(`${kind}: a good one passes and prints`, () => {
      const good = made(kind, body);
      assert.equal(texts(kindOf(kind).validate(good)), []);
      assert.equal(
        kindOf(kind).columns.map((column) => column.cell(good, { nowMs: NOW })),
        cells,
      );
    });

  for (const [kind, body, expected] of BAD)
    it(`${kind}: a bad one is told why (${expected[0]?.slice(0, 40)})`, () =>
      assert.equal(texts(kindOf(kind).validate(made(kind, body))), expected));

  for (const [kind, before, after, expected] of FIXED)
    it(`${kind}: some things stay`, () => {
      const previous = made(kind, before);
      assert.equal(texts(kindOf(kind).validateUpdate(made(kind, after), previous)), expected);
      assert.equal(texts(kindOf(kind).validateUpdate(structuredClone(previous), previous)), []);
    });

  it('a job keeps its template', () => {
    const previous = made('Job', { spec: { template: ONCE } });
    const next = structuredClone(previous) as KubeObject & { spec: { template: typeof ONCE } };
    next.spec.template.spec.containers = [];
    assert.match(
      texts(kindOf('Job').validateUpdate(next, previous)).join(),
      /^spec\.template: Invalid value: .*: field is immutable$/,
    );
  });

  it('a claim neither grows nor shrinks', () => {
    const claim = (size: string): KubeObject =>
      made('PersistentVolumeClaim', {
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } } },
      });
    const kind = kindOf('PersistentVolumeClaim');
    assert.equal(kind.validateUpdate(claim('1024Mi'), claim('1Gi')), []);
    assert.equal(texts(kind.validateUpdate(claim('2Gi'), claim('1Gi'))), [
      'spec.resources.requests.storage: Forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    ]);
    assert.equal(texts(kind.validateUpdate(claim('1Gi'), claim('2Gi'))), [
      'spec.resources.requests.storage: Forbidden: field can not be less than previous value',
    ]);
  });

  it('containers of a stateful set may mount what only its claims name', () => {
    const container = { name: 'a', image: 'i', volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    const template = { ...TEMPLATE, spec: { containers: [container] } };
    const claims = { spec: { accessModes: ['ReadWriteOnce'] }, metadata: { name: 'data' } };
    const set = (volumeClaimTemplates: object[], maxUnavailable: number | string = 1): KubeObject =>
      made('StatefulSet', {
        spec: {
          selector: SELECTOR,
          template,
          volumeClaimTemplates,
          updateStrategy: { rollingUpdate: { maxUnavailable } },
        },
      });
    const { validate } = kindOf('StatefulSet');
    assert.equal(validate(set([claims])), []);
    assert.equal(texts(validate(set([]))), [
      'spec.template.spec.containers[0].volumeMounts[0].name: Not found: "data"',
    ]);
    const refusal = (value: number | string): string => texts(validate(set([claims], value))).join();
    assert.match(refusal(0), /^spec\.updateStrategy\.rollingUpdate\.maxUnavailable: .*: cannot be 0$/);
    assert.match(refusal('101%'), /must not be greater than 100%$/);
  });

  it('counts of a status are sane', () => {
    const set = made('StatefulSet', { spec: { selector: SELECTOR, template: TEMPLATE } });
    const next = { ...set, status: { replicas: 1, readyReplicas: 2 } } as KubeObject;
    assert.equal(texts(kindOf('StatefulSet').validateStatusUpdate?.(next, set) ?? []), [
      'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
    ]);
  });

  it('versions of an autoscaler come back as they went', () => {
    const v1 = kinds.find((kind) => kind.kind === 'HorizontalPodAutoscaler' && kind.version === 'v1');
    const stored = made('HorizontalPodAutoscaler', {
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'd' },
        maxReplicas: 3,
        metrics: [
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 40 } },
          },
          {
            type: 'Pods',
            pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1' } },
          },
        ],
        behavior: { scaleDown: { selectPolicy: 'Disabled' } },
      },
    }) as KubeObject & { spec: object };
    const shown = v1?.view?.fromStored(stored);
    assert.is(
      (shown as unknown as { spec: { targetCPUUtilizationPercentage: number } }).spec
        .targetCPUUtilizationPercentage,
      40,
    );
    const back = v1?.view?.toStored(shown ?? stored) as KubeObject & { spec: object };
    assert.equal(back.spec, stored.spec);
    assert.is(back.metadata.annotations, undefined);
  });
});
