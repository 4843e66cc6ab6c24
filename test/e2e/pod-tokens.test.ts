/** A pod on a real device reads its service account's token and calls the hub with it. */
import * as assert from 'uvu/assert';
import type { Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import { spec } from '../spec.ts';
import { nodesReady } from './cluster.ts';
import { type Lab, runCommand, startLab } from './lab.ts';

let lab: Lab;

const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const WHO_AM_I = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' });

interface TokenReview {
  status: { authenticated?: boolean; user?: { username: string; extra?: Record<string, string[]> } };
}

const review = async (token: string): Promise<TokenReview['status']> => {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
  const args = ['--kubeconfig', lab.kubeconfig, 'create', '-f', '-', '-o', 'json'];
  const answer = await runCommand('kubectl', args, { stdin: JSON.stringify(body) });
  return (JSON.parse(answer) as TokenReview).status;
};

function podSpec(more: Partial<PodSpec> = {}): PodSpec {
  return {
    serviceAccountName: 'robot',
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: 'busybox:latest',
        imagePullPolicy: 'IfNotPresent',
        command: ['sleep', '100000'],
        volumeMounts: [{ name: 'host', mountPath: '/host', readOnly: true }],
      },
    ],
    volumes: [{ name: 'host', hostPath: { path: '/usr' } }],
    ...more,
  };
}

const apply = (name: string, more: Partial<PodSpec> = {}): Promise<string> =>
  lab.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: podSpec(more) }));
const inPod = (name: string, command: string): Promise<string> =>
  lab.kubectl('exec', name, '--', 'sh', '-c', command);
/** With what Kubernetes gives a pod and no more. The image has no TLS client that a hub talks to: the host lends its own. */
const callHub = (name: string, path: string, more = ''): Promise<string> =>
  inPod(
    name,
    [
      'set -- /host/lib/*-linux-gnu/ld-linux*; "$1" --library-path "$(dirname "$1")" /host/bin/curl',
      `-sS -m 10 --cacert ${FOLDER}/ca.crt -H "Authorization: Bearer $(cat ${FOLDER}/token)" ${more}`,
      `"https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT${path}"`,
    ].join(' '),
  );
const ready = (name: string): Promise<string> =>
  lab.kubectl('wait', '--for=condition=ready', `pod/${name}`, '--timeout=60s');

spec(
  'tokens of pods on a device',
  (it) => {
    it('wait for the service account, and say so', async () => {
      assert.match(await apply('caller').catch(String), /serviceaccount "robot" not found/);
      await lab.kubectl('create', 'serviceaccount', 'robot');
      await lab.kubectl('cordon', 'worker-1');
      await apply('caller');
      await lab.kubectl('delete', 'serviceaccount', 'robot');
      await lab.kubectl('uncordon', 'worker-1');
      await lab.eventually(
        async () => {
          const text = await lab.kubectl('describe', 'pod', 'caller');
          // The hub knows why, the device what it waits for.
          const isTold = /FailedMount.*serviceaccounts "robot" not found/.test(text);
          return (
            isTold && /FailedMount.*the hub has sent none of service account "default\/robot"/.test(text)
          );
        },
        { withinMs: 30_000 },
      );
      const { status } = await lab.get<Pod>('pod', 'caller');
      assert.is(status?.phase, 'Pending');
      await lab.kubectl('create', 'serviceaccount', 'robot');
      await ready('caller');
    });

    it('are in the pod with authority and namespace, and let it call the hub', async () => {
      assert.is((await inPod('caller', `cat ${FOLDER}/namespace`)).trim(), 'default');
      assert.match(await inPod('caller', `cat ${FOLDER}/ca.crt`), /BEGIN CERTIFICATE/);
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
      const who = await callHub('caller', path, `-H 'Content-Type: application/json' -d '${WHO_AM_I}'`);
      assert.match(who, /"system:serviceaccount:default:robot"/);
    });

    it('let it read what a Role allows, and nothing else', async () => {
      await lab.kubectl('create', 'configmap', 'settings', '--from-literal=color=teal');
      await lab.kubectl('create', 'role', 'reader', '--verb=get', '--resource=configmaps');
      await lab.kubectl('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:robot');
      const core = `/api/v1/namespaces/$(cat ${FOLDER}/namespace)`;
      assert.match(await callHub('caller', `${core}/configmaps/settings`), /"color": ?"teal"/);
      assert.match(await callHub('caller', `${core}/secrets`), /"reason": ?"Forbidden"/);
    });

    it('are not given to pods without an account of their own, nor the address', async () => {
      const { serviceAccountName: _none, ...plain } = podSpec();
      const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'plain' }, spec: plain };
      await lab.apply(JSON.stringify(body));
      await ready('plain');
      assert.match(await inPod('plain', `ls ${FOLDER} 2>&1; env`), /No such file/);
      assert.not.match(await inPod('plain', 'env'), /KUBERNETES_/);
    });

    it('are bound to the pod and kept in memory only', async () => {
      const token = await inPod('caller', `cat ${FOLDER}/token`);
      const { metadata, spec: held } = await lab.get<Pod>('pod', 'caller');
      const { authenticated, user } = await review(token);
      assert.is(authenticated, true);
      assert.is(user?.username, 'system:serviceaccount:default:robot');
      assert.equal(user?.extra?.['authentication.kubernetes.io/pod-uid'], [metadata.uid]);
      assert.equal(user?.extra?.['authentication.kubernetes.io/node-name'], [held.nodeName]);
      const server = await lab.kubectl('config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}');
      const stranger = ['--kubeconfig', '/dev/null', '--server', server, '--insecure-skip-tls-verify'];
      const who = await runCommand('kubectl', [...stranger, '--token', token, 'auth', 'whoami']);
      assert.match(who, /Username +system:serviceaccount:default:robot/);
      const node = held.nodeName ?? '';
      const found = await lab.exec(node, 'find', '/run/coxswain', '/var/lib/coxswain', '-name', 'token');
      assert.match(found, /^\/run\/coxswain\/.*token\n/);
      assert.not.match(found, /\/var\/lib/);
      await lab.kubectl('delete', 'pod', 'caller');
      assert.is.not((await review(token)).authenticated, true, 'taken back with the pod');
    });

    it('have the modes that kubelets give them', async () => {
      await apply('grouped', { securityContext: { fsGroup: 4321 } });
      await apply('user', { securityContext: { runAsUser: 1234 } });
      await Promise.all([ready('grouped'), ready('user')]);
      const modes = (name: string): Promise<string> => inPod(name, `stat -L -c '%a %u %g' ${FOLDER}/token`);
      assert.is((await modes('grouped')).trim(), '640 0 4321');
      assert.match(await modes('user'), /^600 1234 /);
      assert.match(await inPod('user', `cat ${FOLDER}/token`), /^[\w-]+\.[\w-]+\.[\w-]+$/);
    });

    it('are replaced by a hub that starts again, without touching the pod', async () => {
      const before = await inPod('grouped', `cat ${FOLDER}/token`);
      await lab.run('hub', 'kill');
      await lab.run('hub', 'start');
      await lab.eventually(async () => (await inPod('grouped', `cat ${FOLDER}/token`)) !== before, {
        withinMs: 60_000,
      });
      const { status } = await lab.get<Pod>('pod', 'grouped');
      assert.is(status?.containerStatuses?.[0]?.restartCount, 0);
      assert.is((await review(before)).authenticated, true, 'the old one holds until its end');
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      lab = await startLab({ workers: 1, name: 'tokens', alone: true });
      await nodesReady(lab);
    },
    after: () => lab.stop(),
  },
);
