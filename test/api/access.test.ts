/** Roles, bindings, reviews and impersonation with the real kubectl. */
import * as assert from 'uvu/assert';
import type { Status } from '../../protocol/status.ts';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

/** The words of a refusal. */
async function refused(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 1, `kubectl ${args.join(' ')} was not refused: ${out}`);
  return err.trim();
}

const can = async (...args: string[]): Promise<string> =>
  (await hub.kubectl('auth', 'can-i', ...args)).out.trim();

spec(
  'kubectl and rights',
  (it) => {
    it('has the default roles and bindings', async () => {
      const roles = await ok('get', 'clusterroles', '-o', 'name');
      for (const name of ['cluster-admin', 'admin', 'edit', 'view', 'system:basic-user', 'system:discovery'])
        assert.match(roles, `clusterrole.rbac.authorization.k8s.io/${name}\n`);
      assert.match(await ok('get', 'clusterroles'), /NAME +CREATED AT\nadmin +20\d\d-\d\d-\d\dT/);
      assert.match(
        await ok('get', 'clusterrolebindings', '-o', 'wide'),
        /cluster-admin +ClusterRole\/cluster-admin +\S+ +system:masters/,
      );
      assert.match(await ok('describe', 'clusterrole', 'view'), /pods\/log +\[\] +\[\] +\[get list watch\]/);
      const edit = await ok('get', 'clusterrole', 'edit', '-o', 'jsonpath={.rules[*].resources}');
      assert.match(edit, 'pods/exec');
      assert.match(edit, 'endpointslices', 'aggregated through view');
    });

    it('writes the default roles once, and completes what was taken from them', async () => {
      const version = (name: string): Promise<string> =>
        ok('get', 'clusterrole', name, '-o', 'jsonpath={.metadata.resourceVersion}');
      const before = await version('view');
      await ok('patch', 'clusterrole', 'system:discovery', '--type=merge', '-p', '{"rules":[]}');
      await ok('annotate', 'clusterrole', 'system:monitoring', '--overwrite', AUTOUPDATE_OFF);
      await ok('patch', 'clusterrole', 'system:monitoring', '--type=merge', '-p', '{"rules":[]}');
      await hub.restart();
      assert.is(await version('view'), before);
      const rules = (name: string): Promise<string> =>
        ok('get', 'clusterrole', name, '-o', 'jsonpath={.rules}');
      assert.match(await rules('system:discovery'), '/openapi/*');
      assert.is(await rules('system:monitoring'), '[]', 'switched off');
    });

    it('refuses in the words of Kubernetes', async () => {
      assert.is(
        await refused('get', 'pods', '--as', 'alice'),
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default"',
      );
      assert.is(
        await refused('get', 'nodes', '--as', 'alice'),
        'Error from server (Forbidden): nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope',
      );
      assert.is(
        await refused('get', 'deploy', 'x', '-n', 'shop', '--as', 'alice'),
        'Error from server (Forbidden): deployments.apps "x" is forbidden: User "alice" cannot get resource "deployments" in API group "apps" in the namespace "shop"',
      );
      assert.is(
        await refused('get', 'ns', 'shop', '--as', 'alice'),
        'Error from server (Forbidden): namespaces "shop" is forbidden: User "alice" cannot get resource "namespaces" in API group "" in the namespace "shop"',
      );
      assert.match(
        await refused('get', '--raw', '/metrics', '--as', 'alice'),
        'User "alice" cannot get path "/metrics"',
      );
    });

    it('grants by role and binding, in a namespace', async () => {
      await ok('create', 'role', 'reader', '-n', 'shop', '--verb=get,list', '--resource=pods,pods/log');
      await ok(
        'create',
        'rolebinding',
        'readers',
        '-n',
        'shop',
        '--role=reader',
        '--user=alice',
        '--group=team',
      );
      assert.match(await ok('get', 'pods', '-n', 'shop', '--as', 'alice'), '');
      await refused('get', 'pods', '--as', 'alice');
      await refused('delete', 'pod', 'x', '-n', 'shop', '--as', 'alice');
      assert.is(await can('get', 'pods', '--subresource=log', '-n', 'shop', '--as', 'alice'), 'yes');
      assert.is(await can('list', 'pods', '-n', 'shop', '--as', 'bob', '--as-group', 'team'), 'yes');
      assert.is(await can('list', 'pods', '-n', 'shop', '--as', 'bob'), 'no');
      const role = await ok('get', 'rolebinding', 'readers', '-n', 'shop', '-o', 'wide');
      assert.match(role, /readers +Role\/reader +\S+ +alice +team/);
      await ok('delete', 'rolebinding', 'readers', '-n', 'shop');
      assert.is(await can('get', 'pods', '-n', 'shop', '--as', 'alice'), 'no', 'at once');
    });

    it('grants a cluster role in one namespace, and names', async () => {
      await ok('create', 'rolebinding', 'viewer', '-n', 'shop', '--clusterrole=view', '--user=vera');
      assert.is(await can('list', 'deployments', '-n', 'shop', '--as', 'vera'), 'yes');
      assert.is(await can('get', 'secrets', '-n', 'shop', '--as', 'vera'), 'no');
      assert.is(await can('list', 'deployments', '--as', 'vera'), 'no');
      assert.match(await ok('get', 'ns', 'shop', '--as', 'vera'), 'Active');
      await ok(
        'create',
        'role',
        'one',
        '-n',
        'shop',
        '--verb=get,list,watch',
        '--resource=configmaps',
        '--resource-name=kube-root-ca.crt',
      );
      await ok('create', 'rolebinding', 'one', '-n', 'shop', '--role=one', '--user=olga');
      await ok('get', 'cm', 'kube-root-ca.crt', '-n', 'shop', '--as', 'olga');
      await ok('get', 'cm', '-n', 'shop', '--field-selector=metadata.name=kube-root-ca.crt', '--as', 'olga');
      await refused('get', 'cm', '-n', 'shop', '--as', 'olga');
    });

    it('tells what somebody may, and why', async () => {
      const list = await ok('auth', 'can-i', '--list', '-n', 'shop', '--as', 'olga');
      assert.match(list, /configmaps +\[\] +\[kube-root-ca.crt\] +\[get list watch\]/);
      assert.match(list, /selfsubjectreviews.authentication.k8s.io +\[\] +\[\] +\[create\]/);
      assert.match(list, /\[\/healthz\] +\[\] +\[get\]/);
      assert.match(await ok('auth', 'can-i', '--list'), /\*\.\* +\[\] +\[\] +\[\*\]/);
      assert.match(
        await ok('auth', 'whoami', '--as', 'olga', '--as-group', 'team'),
        /Username +olga\nGroups +\[team system:authenticated\]/,
      );
      const admin = await hub.authority.issueClient('kubernetes-admin', ['system:masters'], 1);
      const review = {
        spec: { user: 'vera', resourceAttributes: { namespace: 'shop', verb: 'get', resource: 'pods' } },
      };
      const path = '/apis/authorization.k8s.io/v1/subjectaccessreviews';
      const { status } = (await hub.ask('POST', path, { cert: admin }, review)).json as { status: object };
      assert.equal(status, {
        allowed: true,
        reason: 'RBAC: allowed by RoleBinding "viewer/shop" of ClusterRole "view" to User "vera"',
      });
      const local = '/apis/authorization.k8s.io/v1/namespaces/other/localsubjectaccessreviews';
      assert.is((await hub.ask('POST', local, { cert: admin }, review)).status, 400);
      assert.is((await hub.ask('POST', path, { cert: admin }, { spec: { user: 'vera' } })).status, 422);
      const vera = await hub.authority.issueClient('vera', [], 1);
      assert.is((await hub.ask('POST', path, { cert: vera }, review)).status, 403);
    });

    it('lets act as others by the verb impersonate', async () => {
      await ok(
        'create',
        'clusterrole',
        'as-bob',
        '--verb=impersonate',
        '--resource=users',
        '--resource-name=bob',
      );
      await ok('create', 'clusterrolebinding', 'as-bob', '--clusterrole=as-bob', '--user=ivan');
      const ivan = await hub.authority.issueClient('ivan', [], 1);
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
      assert.is((await hub.ask('POST', path, { cert: ivan }, {})).status, 201);
      const as = (user: string, ...more: string[]) => hub.kubectl('auth', 'whoami', '--as', user, ...more);
      assert.is((await as('bob')).code, 0);
      const own = await certified(ivan, 'Impersonate-User', 'bob');
      assert.is(own.status, 201, own.text);
      const other = (await certified(ivan, 'Impersonate-User', 'carol')).json as Status;
      assert.is(
        other.message,
        'users "carol" is forbidden: User "ivan" cannot impersonate resource "users" in API group "" at the cluster scope',
      );
      const account = await ok('auth', 'whoami', '--as', 'system:serviceaccount:shop:default');
      assert.match(account, '[system:serviceaccounts system:serviceaccounts:shop system:authenticated]');
    });

    it('refuses to grant more than one has', async () => {
      await ok('create', 'rolebinding', 'boss', '-n', 'shop', '--clusterrole=admin', '--user=boss');
      assert.is(await can('create', 'rolebindings', '-n', 'shop', '--as', 'boss'), 'yes');
      await ok('create', 'role', 'r', '-n', 'shop', '--verb=get', '--resource=secrets', '--as', 'boss');
      assert.is(
        await refused(
          'create',
          'role',
          'q',
          '-n',
          'shop',
          '--verb=get,list',
          '--resource=nodes',
          '--as',
          'boss',
        ),
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io "q" is forbidden: user "boss" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}',
      );
      assert.match(
        await refused(
          'patch',
          'role',
          'r',
          '-n',
          'shop',
          '--type=json',
          '--as',
          'boss',
          '-p',
          '[{"op":"add","path":"/rules/0/verbs/0","value":"*"}]',
        ),
        'attempting to grant RBAC permissions not currently held',
      );
      assert.match(
        await refused(
          'create',
          'rolebinding',
          'x',
          '-n',
          'shop',
          '--clusterrole=cluster-admin',
          '--user=boss',
          '--as',
          'boss',
        ),
        'rolebindings.rbac.authorization.k8s.io "x" is forbidden: user "boss"',
      );
      assert.match(
        await refused(
          'create',
          'rolebinding',
          'x',
          '-n',
          'shop',
          '--clusterrole=nothing',
          '--user=boss',
          '--as',
          'boss',
        ),
        'clusterroles.rbac.authorization.k8s.io "nothing" not found',
      );
      const grab = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
      const boss = await hub.authority.issueClient('boss', [], 1);
      for (const name of ['r', 'fresh']) {
        const path = `/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/${name}?fieldManager=m&force=true`;
        const applied = {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'Role',
          metadata: { name },
          rules: [grab],
        };
        const headers = { 'Content-Type': 'application/apply-patch+yaml' };
        const reply = await hub.ask('PATCH', path, { cert: boss, headers }, applied);
        assert.is(reply.status, 403, reply.text);
        assert.match(reply.text, 'attempting to grant');
      }
      await ok(
        'create',
        'rolebinding',
        'x',
        '-n',
        'shop',
        '--clusterrole=view',
        '--user=carl',
        '--as',
        'boss',
      );
      await ok(
        'create',
        'clusterrole',
        'binder',
        '--verb=bind',
        '--resource=clusterroles',
        '--resource-name=cluster-admin',
      );
      await ok('create', 'rolebinding', 'binder', '-n', 'shop', '--clusterrole=binder', '--user=boss');
      await ok(
        'create',
        'rolebinding',
        'y',
        '-n',
        'shop',
        '--clusterrole=cluster-admin',
        '--user=dora',
        '--as',
        'boss',
      );
      assert.match(
        await refused(
          'patch',
          'rolebinding',
          'y',
          '-n',
          'shop',
          '--type=merge',
          '-p',
          '{"roleRef":{"kind":"ClusterRole","name":"view","apiGroup":"rbac.authorization.k8s.io"}}',
        ),
        'Invalid value: rbac.RoleRef{APIGroup:"rbac.authorization.k8s.io", Kind:"ClusterRole", Name:"view"}: cannot change roleRef',
      );
    });

    it('gathers aggregated roles', async () => {
      await hub.apply({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRole',
        metadata: { name: 'more', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
        rules: [{ verbs: ['get'], apiGroups: ['example.com'], resources: ['boats'] }],
      });
      for (let i = 0; i < 100; i++) {
        const rules = await ok('get', 'clusterrole', 'admin', '-o', 'jsonpath={.rules}');
        if (rules.includes('boats')) return;
      }
      assert.unreachable('admin never got what view aggregates');
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 90_000,
    before: async () => {
      hub = await startRealHub();
      await ok('create', 'ns', 'shop');
    },
    after: () => hub.stop(),
  },
);

const AUTOUPDATE_OFF = 'rbac.authorization.kubernetes.io/autoupdate=false';

function certified(cert: { certPem: string; keyPem: string }, header: string, value: string) {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  return hub.ask('POST', path, { cert, headers: { [header]: value } }, {});
}
