/** Tokens of service accounts, certificates for people and devices, the audit log: with the real kubectl on a whole hub. */
import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { subjectOf } from '../../kit/certificates.ts';
import { buildCsr, newPrivateKeyPem } from '../../kit/csr.ts';
import type { Status } from '../../protocol/status.ts';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

/** Asks until the answer passes; fails after a bounded number of tries. */
async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 60; i++) if (await ask()) return;
  assert.unreachable(`never came true: ${what}`);
}

const REQUESTS = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
const admin = () => hub.authority.issueClient('a', ['system:masters'], 1);
const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
const PODS = '/api/v1/namespaces/shop/pods';

interface UserInfo {
  username: string;
  uid?: string;
  groups: string[];
  extra?: Record<string, string[]>;
}

async function whoIs(token: string): Promise<UserInfo | undefined> {
  const reply = await hub.ask('POST', WHO, { token }, {});
  if (reply.status === 401) return undefined;
  return (reply.json as { status: { userInfo: UserInfo } }).status.userInfo;
}

const asPod = (name: string, nodeName: string, config: string): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop' },
  spec: {
    nodeName,
    serviceAccountName: 'robot',
    containers: [
      {
        name: 'c',
        image: 'b',
        envFrom: [{ configMapRef: { name: config } }, { secretRef: { name: config } }],
      },
    ],
  },
});

function signingRequest(
  name: string,
  subject: { commonName: string; organisations: string[] },
  more: object = {},
) {
  const keyPem = newPrivateKeyPem();
  const request = Buffer.from(buildCsr(keyPem, subject.commonName, subject.organisations)).toString('base64');
  const object = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], ...more },
  };
  return { keyPem, object };
}

spec(
  'credentials',
  (it) => {
    it('creates tokens that are a service account', async () => {
      const token = (await ok('create', 'token', 'robot', '-n', 'shop', '--duration=20m')).trim();
      const user = await whoIs(token);
      assert.is(user?.username, 'system:serviceaccount:shop:robot');
      assert.equal(user?.groups, [
        'system:serviceaccounts',
        'system:serviceaccounts:shop',
        'system:authenticated',
      ]);
      assert.is((await hub.ask('GET', PODS, { token })).status, 403);
      await ok(
        'create',
        'rolebinding',
        'robot',
        '-n',
        'shop',
        '--clusterrole=view',
        '--serviceaccount=shop:robot',
      );
      assert.is((await hub.ask('GET', PODS, { token })).status, 200);
      assert.match(await ok('--token', token, 'auth', 'whoami'), /Username +/);
      const [head = '', body = '', signature = ''] = token.split('.');
      const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, number>;
      assert.is((claims['exp'] ?? 0) - (claims['iat'] ?? 0), 1200);
      assert.is(
        await whoIs(`${head}.${body}.${signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))}`),
        undefined,
      );
      assert.is(await whoIs(`${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`), undefined);
    });

    it('publishes the keys of tokens', async () => {
      const token = (await ok('create', 'token', 'robot', '-n', 'shop')).trim();
      const discovery = (await hub.ask('GET', '/.well-known/openid-configuration', { token })).json as Record<
        string,
        string
      >;
      assert.is(discovery['issuer'], 'https://kubernetes.default.svc.cluster.local');
      assert.match(discovery['jwks_uri'] ?? '', '/openid/v1/jwks');
      const { json, headers } = await hub.ask('GET', '/openid/v1/jwks', { token });
      assert.is(headers['content-type'], 'application/jwk-set+json');
      const [jwk] = (json as { keys: Record<string, string>[] }).keys;
      assert.ok(jwk);
      const [head = '', body = '', signature = ''] = token.split('.');
      const key = createPublicKey({ key: jwk ?? {}, format: 'jwk' });
      const signed = Buffer.from(`${head}.${body}`);
      assert.ok(
        verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')),
      );
      assert.is(statSync(join(hub.dir, 'pki/sa.key')).mode & 0o777, 0o600);
    });

    it('refuses tokens nobody should have', async () => {
      const create = (...args: string[]) => hub.kubectl('create', 'token', ...args, '-n', 'shop');
      assert.match((await create('nobody')).err, 'serviceaccounts "nobody" not found');
      const path = '/api/v1/namespaces/shop/serviceaccounts/robot/token';
      const cert = await admin();
      const short = (await hub.ask('POST', path, { cert }, { spec: { expirationSeconds: 60 } }))
        .json as Status;
      assert.is(short.code, 422);
      assert.match(short.message ?? '', 'may not specify a duration less than 10 minutes');
      const bound = { boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'none' } };
      assert.is((await hub.ask('POST', path, { cert }, { spec: bound })).status, 404);
      const other = (await create('robot', '--audience=vault')).out.trim();
      assert.is(await whoIs(other), undefined, 'meant for somebody else');
      const review = async (spec: object): Promise<Record<string, unknown>> => {
        const reply = await hub.ask(
          'POST',
          '/apis/authentication.k8s.io/v1/tokenreviews',
          { cert },
          { spec },
        );
        return (reply.json as { status: Record<string, unknown> }).status;
      };
      assert.is((await review({ token: other }))['authenticated'], false);
      const vault = await review({ token: other, audiences: ['vault', 'else'] });
      assert.is(vault['authenticated'], true);
      assert.equal(vault['audiences'], ['vault']);
    });

    it('ends a token with its pod and its account', async () => {
      await hub.apply(asPod('job', '', 'none'));
      const token = (
        await ok(
          'create',
          'token',
          'robot',
          '-n',
          'shop',
          '--bound-object-kind=Pod',
          '--bound-object-name=job',
        )
      ).trim();
      assert.equal((await whoIs(token))?.extra?.['authentication.kubernetes.io/pod-name'], ['job']);
      await ok('delete', 'pod', 'job', '-n', 'shop', '--now');
      assert.is(await whoIs(token), undefined);
      await ok('create', 'sa', 'gone', '-n', 'shop');
      const lost = (await ok('create', 'token', 'gone', '-n', 'shop')).trim();
      assert.ok(await whoIs(lost));
      await ok('delete', 'sa', 'gone', '-n', 'shop');
      await ok('create', 'sa', 'gone', '-n', 'shop');
      assert.is(await whoIs(lost), undefined, 'another account of the same name');
    });

    it('fills token Secrets, and knows their token until the Secret goes', async () => {
      const annotations = { 'kubernetes.io/service-account.name': 'robot' };
      const type = 'kubernetes.io/service-account-token';
      await hub.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'old', namespace: 'shop', annotations },
        type,
      });
      const read = (): Promise<string> =>
        ok('get', 'secret', 'old', '-n', 'shop', '-o', 'jsonpath={.data.token}');
      await until('the Secret is filled', async () => (await read()) !== '');
      const token = Buffer.from(await read(), 'base64').toString();
      assert.is((await whoIs(token))?.username, 'system:serviceaccount:shop:robot');
      await ok('delete', 'secret', 'old', '-n', 'shop');
      assert.is(await whoIs(token), undefined);
      const lost = { ...annotations, 'kubernetes.io/service-account.name': 'absent' };
      await hub.apply({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'lost', namespace: 'shop', annotations: lost },
        type,
      });
      await until(
        'it is deleted',
        async () => (await hub.kubectl('get', 'secret', 'lost', '-n', 'shop')).code === 1,
      );
    });

    it('keeps tokens good over a restart', async () => {
      const token = (await ok('create', 'token', 'robot', '-n', 'shop')).trim();
      await hub.restart();
      assert.ok(await whoIs(token));
    });

    it('signs what a person asks for and another approves', async () => {
      const { keyPem, object } = signingRequest(
        'carla',
        { commonName: 'carla', organisations: ['team'] },
        { expirationSeconds: 86_400 },
      );
      await hub.apply(object);
      assert.match(
        await ok('get', 'csr'),
        /carla +\S+ +kubernetes.io\/kube-apiserver-client +kubernetes-admin +24h +Pending/,
      );
      const stranger = await hub.kubectl('certificate', 'approve', 'carla', '--as', 'alice');
      assert.is(stranger.code, 1);
      await ok(
        'create',
        'clusterrole',
        'approver',
        '--verb=get,list,update',
        '--resource=certificatesigningrequests,certificatesigningrequests/approval',
      );
      await ok('create', 'clusterrolebinding', 'approver', '--clusterrole=approver', '--user=alice');
      const { err } = await hub.kubectl('certificate', 'approve', 'carla', '--as', 'alice');
      assert.match(
        err,
        'user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"',
      );
      await ok(
        'create',
        'clusterrolebinding',
        'approver2',
        '--clusterrole=system:certificates.k8s.io:kube-apiserver-client-approver',
        '--user=alice',
      );
      assert.match(
        await ok('certificate', 'approve', 'carla', '--as', 'alice'),
        'certificatesigningrequest.certificates.k8s.io/carla approved',
      );
      const read = (): Promise<string> => ok('get', 'csr', 'carla', '-o', 'jsonpath={.status.certificate}');
      await until('it is issued', async () => (await read()) !== '');
      const certPem = Buffer.from(await read(), 'base64').toString();
      assert.equal(subjectOf(certPem), { commonName: 'carla', organisations: ['team'] });
      const leftMs = Date.parse(new X509Certificate(certPem).validTo) - Date.now();
      assert.ok(Math.abs(leftMs - 86_400_000) < 60_000, String(leftMs));
      const reply = await hub.ask('POST', WHO, { cert: { certPem, keyPem } }, {});
      assert.is((reply.json as { status: { userInfo: UserInfo } }).status.userInfo.username, 'carla');
      assert.match(await ok('get', 'csr', 'carla'), 'Approved,Issued');
      const csr = (await hub.ask('GET', `${REQUESTS}/carla`, { cert: await admin() })).json as {
        status: { conditions: object[] };
      };
      csr.status.conditions.push({ type: 'Denied', status: 'True' });
      const late = (await hub.ask('PUT', `${REQUESTS}/carla/approval`, { cert: await admin() }, csr))
        .json as Status;
      assert.match(late.message ?? '', 'mutually exclusive');
    });

    it('refuses requests for names that are not for people', async () => {
      const cases: [string, { commonName: string; organisations: string[] }, string][] = [
        ['m', { commonName: 'x', organisations: ['system:masters'] }, 'system:masters group is not allowed'],
        ['n', { commonName: 'x', organisations: ['system:nodes'] }, 'system:nodes group is not allowed'],
        ['d', { commonName: 'system:node:w', organisations: [] }, 'is not for people'],
        ['h', { commonName: 'coxswain-hub', organisations: [] }, 'is not for people'],
      ];
      const cert = await admin();
      for (const [name, subject, why] of cases) {
        const { object } = signingRequest(name, subject);
        const status = (await hub.ask('POST', REQUESTS, { cert }, object)).json as Status;
        assert.is(status.code, 403, status.message);
        assert.match(status.message ?? '', why);
      }
      const { object } = signingRequest(
        'forged',
        { commonName: 'x', organisations: [] },
        { username: 'root', usages: ['server auth'] },
      );
      const made = (await hub.ask('POST', REQUESTS, { cert }, object)).json as { spec: { username: string } };
      assert.is(made.spec.username, 'a');
      await ok('certificate', 'approve', 'forged');
      await until('it fails', async () => /Approved,Failed/.test(await ok('get', 'csr', 'forged')));
      await hub.apply(signingRequest('no', { commonName: 'no', organisations: [] }).object);
      await ok('certificate', 'deny', 'no');
      assert.match(await ok('get', 'csr', 'no'), 'Denied');
    });

    it('shows a device its own objects only', async () => {
      const node = (name: string): object => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
      await hub.apply(node('worker-1'));
      await hub.apply(node('worker-2'));
      for (const name of ['mine', 'other']) {
        await ok('create', 'configmap', name, '-n', 'shop', '--from-literal=a=b');
        await ok('create', 'secret', 'generic', name, '-n', 'shop', '--from-literal=a=b');
      }
      await hub.apply(asPod('own', 'worker-1', 'mine'));
      await hub.apply(asPod('foreign', 'worker-2', 'other'));
      const cert = await hub.authority.issueClient('system:node:worker-1', ['system:nodes'], 1);
      const codes: [string, string, number][] = [
        ['GET', '/api/v1/nodes/worker-1', 200],
        ['GET', '/api/v1/nodes/worker-2', 403],
        ['GET', '/api/v1/nodes', 403],
        ['GET', '/api/v1/nodes?fieldSelector=metadata.name%3Dworker-1', 200],
        ['GET', `${PODS}/own`, 200],
        ['GET', `${PODS}/foreign`, 403],
        ['GET', '/api/v1/pods', 403],
        ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-1', 200],
        ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dworker-2', 403],
        ['GET', '/api/v1/pods?fieldSelector=spec.nodeName!%3Dworker-1', 403],
        ['GET', `${PODS}/own/log`, 403],
        ['GET', '/api/v1/namespaces/shop/configmaps/mine', 200],
        ['GET', '/api/v1/namespaces/shop/secrets/mine', 200],
        ['GET', '/api/v1/namespaces/shop/secrets/other', 403],
        ['GET', '/api/v1/namespaces/shop/secrets', 403],
        ['DELETE', `${PODS}/own`, 403],
        ['DELETE', '/api/v1/nodes/worker-1', 403],
        ['POST', '/api/v1/namespaces/shop/serviceaccounts/robot/token', 403],
      ];
      for (const [method, path, code] of codes)
        assert.is((await hub.ask(method, path, { cert })).status, code, `${method} ${path}`);
    });

    it('notes who did what', async () => {
      await ok('get', 'pods', '-n', 'shop', '--as', 'vera', '--as-group', 'system:masters');
      const lines = (): Record<string, unknown>[] =>
        readFileSync(join(hub.dir, 'audit.log'), 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>);
      const found = (): Record<string, unknown> | undefined =>
        lines().find((e) => (e['impersonatedUser'] as UserInfo | undefined)?.username === 'vera');
      await until('the request is noted', async () => {
        await hub.ask('GET', '/api', {});
        return found() !== undefined;
      });
      const event = found() ?? {};
      assert.is(event['level'], 'Metadata');
      assert.is(event['verb'], 'list');
      assert.is((event['user'] as UserInfo).username, 'kubernetes-admin');
      assert.equal(event['objectRef'], { resource: 'pods', namespace: 'shop', apiVersion: 'v1' });
      assert.equal(event['responseStatus'], { code: 200 });
      assert.ok(lines().some((e) => (e['responseStatus'] as { code: number }).code === 401));
      assert.not.match(readFileSync(join(hub.dir, 'audit.log'), 'utf8'), 'Bearer');
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    caseTimeoutMs: 90_000,
    before: async () => {
      hub = await startRealHub({}, { audit: true });
      await ok('create', 'ns', 'shop');
      await ok('create', 'sa', 'robot', '-n', 'shop');
    },
    after: () => hub.stop(),
  },
);
