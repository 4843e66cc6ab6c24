/** The real kubectl on objects: make, read, change, take away. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { eventually, startHub, type TestHub } from './hub.ts';

let hub: TestHub;

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: busybox
        ports: [{containerPort: 80}]
`;

/** Writes a manifest and gives its name. */
function file(name: string, text: string): string {
  writeFileSync(join(hub.dir, name), text);
  return name;
}

/** Runs kubectl, demands success, gives standard output. */
async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

spec(
  'kubectl on objects',
  (it) => {
    it('creates typed objects, which come as protobuf', async () => {
      await ok('create', 'namespace', 'shop');
      assert.match(
        await ok('-n', 'shop', 'create', 'configmap', 'c', '--from-literal=a=1', '--from-literal=b='),
        'configmap/c created',
      );
      assert.is(await ok('-n', 'shop', 'get', 'cm', 'c', '-o', 'jsonpath={.data.a}'), '1');
      await ok('-n', 'shop', 'create', 'secret', 'generic', 's', '--from-literal=k=v');
      assert.is(
        await ok('-n', 'shop', 'get', 'secret', 's', '-o', 'jsonpath={.data.k}/{.type}'),
        'dg==/Opaque',
      );
      await ok('-n', 'shop', 'create', 'deployment', 'zero', '--image=busybox', '--replicas=0');
      assert.is(await ok('-n', 'shop', 'get', 'deploy', 'zero', '-o', 'jsonpath={.spec.replicas}'), '0');
      await ok('-n', 'shop', 'create', 'sa', 'robot');
    });

    it('applies: created, unchanged, configured', async () => {
      const manifest = file('web.yaml', DEPLOYMENT);
      assert.match(await ok('apply', '-f', manifest), 'deployment.apps/web created');
      const before = await ok('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.resourceVersion}');
      assert.match(await ok('apply', '-f', manifest), 'unchanged');
      const diff = await hub.kubectl('diff', '-f', manifest);
      assert.is(diff.code, 0, diff.out + diff.err);
      assert.is(await ok('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.resourceVersion}'), before);
      const changed = file('web2.yaml', DEPLOYMENT.replace('replicas: 2', 'replicas: 3'));
      const shown = await hub.kubectl('diff', '-f', changed);
      assert.is(shown.code, 1, shown.err);
      assert.match(shown.out, /-\s+replicas: 2[\s\S]*\+\s+replicas: 3/);
      assert.match(await ok('apply', '-f', changed), 'configured');
      assert.is(
        await ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas} {.metadata.generation}'),
        '3 2',
      );
    });

    it('tries without doing', async () => {
      await ok('create', 'configmap', 'ghost', '--dry-run=server');
      assert.is((await hub.kubectl('get', 'cm', 'ghost')).code, 1);
      await ok('delete', 'deploy', 'web', '--dry-run=server');
      await ok('get', 'deploy', 'web');
    });

    it('prints tables, wide and narrow, and sorts them', async () => {
      assert.match(await ok('get', 'deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/3 +0 +0 +/);
      assert.match(
        await ok('get', 'deploy', '-o', 'wide'),
        /CONTAINERS +IMAGES +SELECTOR\nweb .* c +busybox +app=web/,
      );
      assert.match(
        await ok('get', 'deploy', '-A'),
        /^NAMESPACE +NAME[\s\S]*\ndefault +web[\s\S]*\nshop +zero/,
      );
      assert.match(await ok('get', 'deploy', '-l', 'app=web', '--show-labels'), /LABELS\nweb .*app=web/);
      assert.is(await ok('get', 'deploy', '-l', 'app!=web,app notin (x)', '-o', 'name'), '');
      const sorted = await ok('get', 'ns', '--sort-by=.metadata.name', '--no-headers', '-o', 'name');
      const names = sorted.trim().split('\n');
      assert.equal(names, names.toSorted());
      assert.match(await ok('get', 'all', '-A'), /deployment.apps\/web/);
      assert.match(
        await ok('get', 'deploy', 'web', '-o', 'yaml'),
        /^apiVersion: apps\/v1\nkind: Deployment\n/,
      );
      assert.is(await ok('get', 'cm,secret', '-n', 'shop', '-o', 'name'), 'configmap/c\nsecret/s\n');
    });

    it('changes: label, annotate, scale, set image, patch, edit', async () => {
      await ok('label', 'deploy', 'web', 'tier=front');
      await ok('annotate', 'deploy', 'web', 'note=hello');
      await ok('label', 'deploy', 'web', 'tier-');
      await ok('scale', 'deploy', 'web', '--replicas=5');
      await ok('set', 'image', 'deploy/web', 'c=busybox:2');
      await ok('set', 'env', 'deploy/web', 'A=b');
      await ok(
        'patch',
        'deploy',
        'web',
        '-p',
        '{"spec":{"template":{"spec":{"containers":[{"name":"c","tty":true}]}}}}',
      );
      await ok(
        'patch',
        'deploy',
        'web',
        '--type=json',
        '-p',
        '[{"op":"add","path":"/metadata/labels/x","value":"y"}]',
      );
      await ok('patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"minReadySeconds":1}}');
      const got = JSON.parse(await ok('get', 'deploy', 'web', '-o', 'json'));
      assert.equal(got.metadata.labels, { app: 'web', x: 'y' });
      assert.is(got.metadata.annotations.note, 'hello');
      assert.is(got.spec.replicas, 5);
      assert.is(got.spec.minReadySeconds, 1);
      const [container] = got.spec.template.spec.containers;
      assert.is(container.image, 'busybox:2');
      assert.is(container.tty, true);
      assert.equal(container.env, [{ name: 'A', value: 'b' }]);
      assert.match(
        await ok('patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"minReadySeconds":1}}'),
        'no change',
      );
      await ok('replace', '-f', 'web.yaml');
      assert.is(await ok('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '2');
    });

    it('watches', async () => {
      const watching = hub.kubectlWith({ timeoutMs: 6_000 }, 'get', 'cm', '-w', '-o', 'name', '-n', 'shop');
      await eventually('a watch is open', () => hub.store.watchers() > 0);
      await ok('-n', 'shop', 'create', 'configmap', 'seen');
      await ok('-n', 'shop', 'delete', 'configmap', 'seen');
      assert.is((await watching).out, 'configmap/c\nconfigmap/seen\nconfigmap/seen\n');
    });

    it('waits', async () => {
      const waiting = hub.kubectl('wait', '--for=condition=Available', 'deploy/web', '--timeout=20s');
      await ok(
        'patch',
        'deploy',
        'web',
        '--subresource=status',
        '--type=merge',
        '-p',
        '{"status":{"observedGeneration":99,"conditions":[{"type":"Available","status":"True"}]}}',
      );
      assert.match((await waiting).out, 'condition met');
      await ok('wait', '--for=jsonpath={.spec.replicas}=2', 'deploy/web', '--timeout=5s');
    });

    it('deletes and waits for it, also by label, and namespaces with what they hold', async () => {
      assert.is(await ok('delete', 'deploy', 'web', '--wait'), 'deployment.apps "web" deleted\n');
      await ok('create', 'configmap', 'one');
      await ok('label', 'cm', 'one', 'a=b');
      assert.is(await ok('delete', 'cm', '-l', 'a=b'), 'configmap "one" deleted\n');
      await ok('delete', 'cm', '--all', '-n', 'shop');
      assert.match(
        (await hub.kubectl('get', 'cm', '-n', 'shop')).err,
        'No resources found in shop namespace.',
      );
      const gone = hub.kubectl('delete', 'cm', 'never', '--ignore-not-found');
      assert.is((await gone).code, 0);
    });

    it('says what there is', async () => {
      const resources = await ok('api-resources', '--no-headers');
      for (const part of ['deployments  +deploy  +apps/v1  +true  +Deployment', 'nodes +no +v1 +false +Node'])
        assert.match(resources, new RegExp(part));
      assert.match(await ok('api-versions'), /^apps\/v1\n[\s\S]*\nv1\n$/m);
      assert.match(await ok('version'), 'Server Version: v1.32.0+coxswain');
      assert.is(await ok('get', '--raw', '/readyz'), 'ok');
      assert.match(
        await ok('auth', 'whoami'),
        /Username +kubernetes-admin\nGroups +\[system:masters system:authenticated\]/,
      );
      assert.is(await ok('auth', 'can-i', 'delete', 'pods'), 'yes\n');
      assert.match(await ok('auth', 'can-i', '--list'), /\*\.\* +\[\] +\[\] +\[\*\]/);
      assert.match(await ok('explain', 'deploy.spec.replicas'), 'FIELD: replicas <integer>');
      assert.match(await ok('explain', 'pod'), /KIND: +Pod\nVERSION: +v1/);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startHub();
    },
    after: () => hub.stop(),
  },
);
