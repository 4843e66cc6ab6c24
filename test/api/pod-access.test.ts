/** What a pod is given to reach the API with, as the real kubectl makes pods. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

const manifest = (name: string, parts: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { serviceAccountName: 'robot', containers: [{ name: 'main', image: 'busybox' }], ...parts },
  });

async function got(name: string): Promise<Pod> {
  const { out, err } = await hub.kubectl('get', 'pod', name, '-o', 'json');
  assert.is(err, '');
  return JSON.parse(out) as Pod;
}
const accessOf = async (name: string): Promise<string[]> =>
  ((await got(name)).spec.volumes ?? []).flatMap((v) =>
    v.name.startsWith('kube-api-access-') ? [v.name] : [],
  );

spec(
  'access of pods to the API',
  (it) => {
    it('needs an account that is there', async () => {
      const { code, err } = await hub.kubectlWith(manifest('early'), 'apply', '-f', '-');
      assert.is(code, 1);
      assert.is(
        err.trim(),
        'Error from server (Forbidden): error when creating "STDIN": pods "early" is forbidden: ' +
          'error looking up service account default/robot: serviceaccount "robot" not found',
      );
      const made = await hub.kubectl('create', 'serviceaccount', 'robot');
      assert.is(made.out, 'serviceaccount/robot created\n');
    });

    it('is there the moment a namespace is', async () => {
      for (const name of ['n1', 'n2', 'n3']) {
        assert.is((await hub.kubectl('create', 'namespace', name)).code, 0);
        const { code, err } = await hub.kubectl('run', 'first', '--image=busybox', '-n', name);
        assert.is(code, 0, err);
      }
    });

    for (const flag of ['--server-side=false', '--server-side'])
      it(`is added once and kept by apply ${flag}`, async () => {
        const name = flag === '--server-side' ? 'by-server' : 'by-client';
        const apply = (...more: string[]): ReturnType<RealHub['kubectl']> =>
          hub.kubectlWith(manifest(name), ...more, flag, '-f', '-');
        assert.is((await apply('apply')).code, 0);
        const first = await got(name);
        const [volume] = await accessOf(name);
        assert.match(volume ?? '', /^kube-api-access-[a-z0-9]{5}$/);
        assert.equal(first.spec.containers[0]?.volumeMounts, [
          { mountPath: '/var/run/secrets/kubernetes.io/serviceaccount', name: volume, readOnly: true },
        ]);
        const again = await apply('apply');
        assert.is(again.code, 0, again.err);
        assert.match(again.out, flag === '--server-side' ? 'serverside-applied' : 'unchanged');
        const second = await got(name);
        assert.is(second.metadata.resourceVersion, first.metadata.resourceVersion);
        const { code, out } = await apply('diff');
        assert.is(code, 0, out);
      });

    it('is left out where pod or account say so', async () => {
      const no = { automountServiceAccountToken: false };
      assert.is((await hub.kubectlWith(manifest('without', no), 'create', '-f', '-')).code, 0);
      assert.equal(await accessOf('without'), []);
      await hub.kubectl('patch', 'sa', 'robot', '-p', JSON.stringify(no));
      assert.is((await hub.kubectlWith(manifest('account-says-no'), 'create', '-f', '-')).code, 0);
      assert.equal(await accessOf('account-says-no'), []);
      const yes = { automountServiceAccountToken: true, serviceAccountName: 'default' };
      assert.is((await hub.kubectlWith(manifest('says-yes', yes), 'create', '-f', '-')).code, 0);
      assert.is((await accessOf('says-yes')).length, 1);
    });

    it('is given to the default account once that has rights', async () => {
      const before = await hub.kubectl('run', 'no-rights', '--image=busybox');
      assert.is(before.code, 0, before.err);
      assert.equal(await accessOf('no-rights'), []);
      await hub.kubectl(
        'create',
        'rolebinding',
        'look',
        '--clusterrole=view',
        '--serviceaccount=default:default',
      );
      assert.is((await hub.kubectl('run', 'with-rights', '--image=busybox')).code, 0);
      assert.is((await accessOf('with-rights')).length, 1);
    });

    it('finds the authority published in every namespace, also when somebody takes it away', async () => {
      const name = ['cm', 'kube-root-ca.crt', '-n', 'n1'];
      const data = async (): Promise<string> =>
        (await hub.kubectl('get', ...name, '-o', 'jsonpath={.data}')).out;
      const published = await data();
      assert.match(published, /^\{"ca.crt":"-----BEGIN CERTIFICATE-----/);
      const isBack = async (): Promise<void> => {
        for (let tries = 0; (await data()) !== published; tries += 1)
          assert.ok(tries < 50, 'never came back');
      };
      await hub.kubectl('patch', ...name, '-p', '{"data":{"ca.crt":"x","other":"y"}}');
      await isBack();
      await hub.kubectl('delete', ...name);
      await isBack();
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startRealHub();
    },
    after: () => hub.stop(),
  },
);
