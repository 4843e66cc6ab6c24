import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';

let hub: TestHub;

const WEBHOOK = {
  name: 'check.example.com',
  admissionReviewVersions: ['v1'],
  sideEffects: 'None',
  clientConfig: { service: { namespace: 'default', name: 'checker' } },
  rules: [{ operations: ['CREATE'], apiGroups: ['apps'], apiVersions: ['v1'], resources: ['deployments'] }],
};

/** What is made by a command of kubectl, which sends protobuf: the arguments, and the row of `get -o wide`. */
const MADE: readonly (readonly [string, string, RegExp])[] = [
  [
    'job j1 --image=busybox:1 -- true',
    'job j1',
    /^j1 +Running +0\/1 +\S+ +j1 +busybox:1 +batch.kubernetes.io\/controller-uid=/,
  ],
  [
    'cronjob c1 --image=busybox:1 --schedule=*/5_*_*_*_* -- true',
    'cronjob c1',
    /^c1 +\*\/5 \* \* \* \* +<none> +False +0 +<none> +\S+ +c1 +busybox:1 +<none>/,
  ],
  ['job j2 --from=cronjob/c1', 'job j2', /^j2 +Running +0\/1/],
  [
    'service clusterip s1 --tcp=80:8080',
    'service s1',
    /^s1 +ClusterIP +<none> +<none> +80\/TCP +\S+ +app=s1/,
  ],
  [
    'service nodeport s2 --tcp=80:8080 --node-port=30080',
    'service s2',
    /^s2 +NodePort +<none> +<none> +80:30080\/TCP/,
  ],
  ['service loadbalancer s3 --tcp=80', 'service s3', /^s3 +LoadBalancer +<none> +<pending> +80\/TCP/],
  [
    'service externalname s4 --external-name=example.com',
    'service s4',
    /^s4 +ExternalName +<none> +example.com +<none>/,
  ],
  ['ingress i1 --class=web --rule=a.example/x*=s1:80', 'ingress i1', /^i1 +web +a.example +80 /],
  [
    'quota q1 --hard=pods=10,requests.cpu=2,limits.cpu=4',
    'quota q1',
    /^q1 +\S+ +pods: 0\/10, requests.cpu: 0\/2 +limits.cpu: 0\/4/,
  ],
  ['pdb p1 --selector=app=web --min-available=1', 'pdb p1', /^p1 +1 +N\/A +0 /],
  [
    'priorityclass pc1 --value=1000 --description=test',
    'priorityclass pc1',
    /^pc1 +1000 +false +\S+ +PreemptLowerPriority/,
  ],
  [
    'deployment web --image=busybox:1 --replicas=2',
    'deployment web',
    /^web +0\/2 +0 +0 +\S+ +busybox +busybox:1 +app=web/,
  ],
];

/** What is applied from a manifest, and the row of `get -o wide`. */
const APPLIED: readonly (readonly [string, string, object, RegExp])[] = [
  [
    'statefulset',
    'apps/v1 StatefulSet ss',
    { spec: workload({ serviceName: 's1', replicas: 3 }) },
    /^ss +0\/3 +\S+ +app +busybox:1/,
  ],
  [
    'daemonset',
    'apps/v1 DaemonSet ds',
    { spec: workload({}) },
    /^ds +0 +0 +0 +0 +0 +<none> +\S+ +app +busybox:1 +app=x/,
  ],
  ['controllerrevision', 'apps/v1 ControllerRevision cr', { revision: 3, data: { a: 1 } }, /^cr +<none> +3/],
  [
    'replicationcontroller',
    'v1 ReplicationController rc',
    { spec: { template: template() } },
    /^rc +1 +0 +0 +\S+ +app +busybox:1 +app=x/,
  ],
  ['podtemplate', 'v1 PodTemplate pt', { template: template() }, /^pt +app +busybox:1 +app=x/],
  [
    'endpoints',
    'v1 Endpoints ep',
    { subsets: [{ addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], ports: [{ port: 80 }] }] },
    /^ep +10.0.0.1:80,10.0.0.2:80/,
  ],
  [
    'endpointslice',
    'discovery.k8s.io/v1 EndpointSlice es',
    { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] },
    /^es +IPv4 +80 +10.0.0.1/,
  ],
  [
    'ingressclass',
    'networking.k8s.io/v1 IngressClass ic',
    { spec: { controller: 'example.com/ingress' } },
    /^ic +example.com\/ingress +<none>/,
  ],
  [
    'validatingwebhookconfiguration',
    'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration vwc',
    { webhooks: [WEBHOOK] },
    /^vwc +1 /,
  ],
  [
    'mutatingwebhookconfiguration',
    'admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mwc',
    { webhooks: [WEBHOOK] },
    /^mwc +1 /,
  ],
  [
    'networkpolicy',
    'networking.k8s.io/v1 NetworkPolicy np',
    { spec: { podSelector: { matchLabels: { app: 'x' } }, ingress: [{ ports: [{ port: 80 }] }] } },
    /^np +app=x/,
  ],
  [
    'pv',
    'v1 PersistentVolume pv',
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } },
    /^pv +1Gi +RWO +Retain +Pending +<unset> +\S+ +Filesystem/,
  ],
  [
    'pvc',
    'v1 PersistentVolumeClaim pvc',
    { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    /^pvc +Pending +<unset> +\S+ +Filesystem/,
  ],
  [
    'storageclass',
    'storage.k8s.io/v1 StorageClass sc',
    {
      metadata: { name: 'sc', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'example.com/disk',
    },
    /^sc \(default\) +example.com\/disk +Delete +Immediate +false/,
  ],
  [
    'limitrange',
    'v1 LimitRange lr',
    { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
    /^lr +\d{4}-/,
  ],
  [
    'hpa',
    'autoscaling/v2 HorizontalPodAutoscaler h2',
    { spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'ss' }, maxReplicas: 5 } },
    /^h2 +StatefulSet\/ss +cpu: <unknown>\/80% +1 +5 +0/,
  ],
];

function template(): object {
  return {
    metadata: { labels: { app: 'x' } },
    spec: { containers: [{ name: 'app', image: 'busybox:1' }] },
  };
}

function workload(more: object): object {
  return { selector: { matchLabels: { app: 'x' } }, template: template(), ...more };
}

function manifest(head: string, body: object): string {
  const [apiVersion, kind, name] = head.split(' ');
  return JSON.stringify({ apiVersion, kind, metadata: { name }, ...body });
}

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${err}`);
  return out;
}

async function row(...what: string[]): Promise<string> {
  return ok('get', ...what, '-o', 'wide', '--no-headers');
}

spec(
  'kinds through kubectl',
  (it) => {
    for (const [command, what, expected] of MADE)
      it(`create ${command.split(' ').slice(0, 2).join(' ')}`, async () => {
        // A schedule has blanks, which separate the arguments here.
        await ok('create', ...command.split(' ').map((part) => part.replaceAll('_', ' ')));
        assert.match(await row(...what.split(' ')), expected);
      });

    for (const [type, head, body, expected] of APPLIED)
      it(`apply ${head}`, async () => {
        const text = manifest(head, body);
        const first = await hub.kubectlWith({ input: text }, 'apply', '-f', '-');
        assert.is(first.code, 0, first.err);
        const name = head.split(' ')[2] ?? '';
        assert.match(await row(type, name), expected);
        const before = await ok('get', type, name, '-o', 'jsonpath={.metadata.resourceVersion}');
        const again = await hub.kubectlWith({ input: text }, 'apply', '-f', '-');
        assert.is(again.code, 0, again.err);
        assert.is(await ok('get', type, name, '-o', 'jsonpath={.metadata.resourceVersion}'), before);
        assert.match(await ok('describe', type, name), new RegExp(`Name: +${name}`));
      });

    it('explains fields of them', async () => {
      assert.match(await ok('explain', 'statefulset.spec.updateStrategy'), /rollingUpdate/);
      assert.match(
        await ok('explain', 'hpa.spec.metrics', '--api-version=autoscaling/v2'),
        /containerResource/,
      );
    });

    it('scales what has replicas', async () => {
      await ok('scale', 'statefulset', 'ss', '--replicas=5');
      assert.match(await row('statefulset', 'ss'), /^ss +0\/5/);
      assert.match(
        await ok('get', 'statefulset', 'ss', '--subresource=scale'),
        /^NAME +DESIRED +AVAILABLE +AGE\nss +5 +0 +\S+\n$/,
      );
      await ok('scale', 'rc', 'rc', '--replicas=2');
      assert.match(await row('rc', 'rc'), /^rc +2 /);
    });

    it('autoscale writes version 1, which is kept as version 2', async () => {
      await ok('autoscale', 'deployment', 'web', '--min=2', '--max=4', '--cpu-percent=60');
      assert.match(await row('hpa', 'web'), /^web +Deployment\/web +cpu: <unknown>\/60% +2 +4 +0/);
      const v2 = await hub.ask('GET', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web');
      assert.equal((v2.json as { spec: { metrics: object[] } }).spec.metrics, [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 60 } },
        },
      ]);
      const v1 = await hub.ask('GET', '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/web');
      const { apiVersion, spec: own } = v1.json as { apiVersion: string; spec: object };
      assert.is(apiVersion, 'autoscaling/v1');
      assert.is((own as { targetCPUUtilizationPercentage: number }).targetCPUUtilizationPercentage, 60);
    });

    it('get all lists the workloads together', async () => {
      const out = await ok('get', 'all', '-o', 'name');
      for (const name of [
        'deployment.apps/web',
        'statefulset.apps/ss',
        'daemonset.apps/ds',
        'job.batch/j1',
        'cronjob.batch/c1',
        'service/s1',
        'horizontalpodautoscaler.autoscaling/web',
        'replicationcontroller/rc',
      ])
        assert.ok(out.includes(name), name);
    });

    it('tells events by the names of both groups', async () => {
      await hub.store.port.createObject(
        'Event',
        {
          metadata: { name: 'e1', namespace: 'default' },
          involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
          reason: 'Tested',
          message: 'said',
          type: 'Normal',
        } as never,
        {},
      );
      const path = '/apis/events.k8s.io/v1/namespaces/default/events/e1';
      const { regarding, note, apiVersion } = (await hub.ask('GET', path)).json as Record<string, unknown>;
      assert.equal(
        [apiVersion, note, regarding],
        ['events.k8s.io/v1', 'said', { kind: 'Pod', name: 'p', namespace: 'default' }],
      );
      const list = await hub.ask('GET', `${path.replace('/e1', '')}?fieldSelector=regarding.name%3Dp`);
      assert.is((list.json as { items: object[] }).items.length, 1);
    });

    it('refuses ephemeral containers of a new pod', async () => {
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'eph' },
        spec: {
          containers: [{ name: 'a', image: 'x:1' }],
          ephemeralContainers: [{ name: 'b', image: 'x:1' }],
        },
      };
      const { status, json } = await hub.ask('POST', '/api/v1/namespaces/default/pods', { body: pod });
      assert.is(status, 422);
      assert.match(
        (json as { message: string }).message,
        /ephemeralContainers: Forbidden: cannot be set on create/,
      );
    });

    it('lists the API services, and the components with the warning that they are of old', async () => {
      assert.match(await ok('get', 'apiservices'), /v1.apps +Local +True/);
      assert.match(await ok('explain', 'apiservice.spec'), /groupPriorityMinimum/);
      const { out, err } = await hub.kubectl('get', 'cs');
      assert.is(err, 'Warning: v1 ComponentStatus is deprecated in v1.19+\n');
      assert.match(out, /^NAME +STATUS +MESSAGE +ERROR *\nscheduler +Healthy +ok +\n/);
      assert.match(
        await ok('get', 'cs', 'etcd-0', '-o', 'yaml'),
        /conditions:\n- message: ok\n {2}status: "True"/,
      );
      const missing = await hub.kubectl('get', 'cs', 'nope');
      assert.match(missing.err, 'Error from server (NotFound): componentstatuses "nope" not found');
      assert.is((await hub.ask('DELETE', '/api/v1/componentstatuses/etcd-0')).status, 405);
      assert.is((await hub.ask('GET', '/api/v1/componentstatuses?watch=true')).status, 405);
    });

    it('binds a pod by the list of bindings, too', async () => {
      await ok('run', 'unbound', '--image=busybox');
      const bindings = '/api/v1/namespaces/default/bindings';
      const binding = (name: string): object => ({
        body: { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: 'n' } },
      });
      assert.is((await hub.ask('POST', bindings, binding('unbound'))).status, 201);
      assert.is(await ok('get', 'pod', 'unbound', '-o', 'jsonpath={.spec.nodeName}'), 'n');
      assert.is((await hub.ask('POST', bindings, binding('unbound'))).status, 409);
      const missing = await hub.ask('POST', bindings, binding('nope'));
      assert.match((missing.json as { message: string }).message, 'pods "nope" not found');
      assert.is((await hub.ask('POST', bindings, { body: {} })).status, 400);
      assert.is((await hub.ask('GET', bindings)).status, 405);
      assert.is((await hub.ask('POST', '/api/v1/bindings', binding('unbound'))).status, 405);
      assert.match(await ok('api-resources', '--namespaced', '-o', 'name'), /^bindings\n/);
    });

    it('keeps webhooks, merges them by name, and says that it does not call them', async () => {
      const other = { ...WEBHOOK, name: 'other.example.com' };
      const text = manifest('admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration vwc', {
        webhooks: [WEBHOOK, other],
      });
      const { code, err } = await hub.kubectlWith({ input: text }, 'apply', '-f', '-');
      assert.is(code, 0, err);
      assert.match(err, /^Warning: admission webhooks are kept but not called by this hub/);
      // As operators put their authority in.
      const bundle = { webhooks: [{ name: 'other.example.com', clientConfig: { caBundle: 'Q0E=' } }] };
      await ok('patch', 'validatingwebhookconfiguration', 'vwc', '-p', JSON.stringify(bundle));
      const of = (field: string): Promise<string> =>
        ok('get', 'validatingwebhookconfiguration', 'vwc', '-o', `jsonpath={.webhooks[*]${field}}`);
      assert.is(await of('.name'), 'check.example.com other.example.com');
      assert.is(await of('.clientConfig.caBundle'), 'Q0E=');
      assert.is(await of('.failurePolicy'), 'Fail Fail');
      assert.is(await of('.rules[0].scope'), '* *');
      assert.is(await of('.clientConfig.service.port'), '443 443');
      assert.match(await ok('explain', 'validatingwebhookconfiguration.webhooks.rules'), /apiGroups/);
    });

    it('leaves nothing to complain about', () => assert.equal(hub.complaints, []));
  },
  {
    before: async () => {
      hub = await startHub();
    },
    after: () => hub.stop(),
    caseTimeoutMs: 60_000,
  },
);
