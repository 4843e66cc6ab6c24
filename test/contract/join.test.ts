import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Authority, openAuthority } from '../../hub/pki/authority.ts';
import { type ExtraRequest, type ExtraRoute, joinRoutes } from '../../hub/pki/join-routes.ts';
import { createToken, newToken, removeExpiredTokens } from '../../hub/pki/tokens.ts';
import { isSignedBy, lifeOf, subjectOf } from '../../kit/certificates.ts';
import { buildNodeCsr, newPrivateKeyPem } from '../../kit/csr.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { Status } from '../../protocol/status.ts';
import type { JoinResponse } from '../../protocol/wire/identity.ts';
import { FewObjects } from '../fakes/few-objects.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const DAY_MS = 86_400_000;
const dir = mkdtempSync(join(tmpdir(), 'cox-join-'));
const addresses = { mqtt: ['mqtts://hub.example:8883'], api: ['https://hub.example:6443'] };
type Answer = { code: number; body: JoinResponse & Status & { ca: string; caHash: string } };

interface World {
  readonly authority: Authority;
  readonly clock: ManualClock;
  readonly objects: FewObjects;
  token(ttlMs?: number): Promise<string>;
  ask(path: string, request?: { body?: unknown; bearer?: string; peer?: string }): Promise<Answer>;
}

async function world(): Promise<World> {
  const clock = new ManualClock(Date.UTC(2026, 10, 22));
  const authority = await openAuthority(join(dir, 'pki'), {
    hosts: ['hub.example'],
    clock,
    log: silentLogger,
  });
  const objects = new FewObjects();
  const store = { view: objects, client: objects, clock };
  const routes: ExtraRoute[] = joinRoutes({
    ...store,
    authority,
    log: silentLogger,
    addresses: () => addresses,
  });
  return {
    authority,
    clock,
    objects,
    token: async (ttlMs = 3_600_000) => {
      const token = newToken();
      await createToken(store, token, ttlMs);
      return `${token.id}.${token.secret}`;
    },
    ask: async (path, { body, bearer, peer } = {}) => {
      const route = routes.find((r) => r.path.endsWith(path));
      const request: ExtraRequest = {
        body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? {})),
        ...(bearer === undefined ? {} : { bearer }),
        ...(peer === undefined ? {} : { peerCertificateDer: new X509Certificate(peer).raw }),
      };
      return (await route?.handle(request)) as Answer;
    },
  };
}

const csrFor = (name: string): string => buildNodeCsr(newPrivateKeyPem(), name);
const readyNode = (name: string): Parameters<FewObjects['create']>[1] =>
  ({ metadata: { name }, spec: {}, status: { conditions: [{ type: 'Ready', status: 'True' }] } }) as never;

spec(
  'join routes',
  (it) => {
    it('lets one device in with one token', async () => {
      const w = await world();
      const bearer = await w.token();
      const { code, body } = await w.ask('/join', {
        bearer,
        body: { nodeName: 'w1', csr: csrFor('other') },
      });
      assert.is(code, 200);
      assert.equal(subjectOf(body.certificate), {
        commonName: 'system:node:w1',
        organisations: ['system:nodes'],
      });
      assert.ok(isSignedBy(body.certificate, w.authority.caPem));
      assert.equal(
        [body.cluster, body.mqtt, body.api],
        [w.authority.clusterId, addresses.mqtt, addresses.api],
      );
      const second = await w.ask('/join', { bearer, body: { nodeName: 'w2', csr: csrFor('w2') } });
      assert.is(second.code, 401);
      assert.match(second.body.message ?? '', 'cox token create');
    });

    it('gives a token to one of many that try at once', async () => {
      const w = await world();
      const bearer = await w.token();
      const bodies = await Promise.all(
        [1, 2, 3, 4, 5].map(async (i) => ({ nodeName: `w${i}`, csr: csrFor(`w${i}`) })),
      );
      const answers = await Promise.all(bodies.map((body) => w.ask('/join', { bearer, body })));
      assert.equal(answers.map((a) => a.code).sort(), [200, 401, 401, 401, 401]);
    });

    it('repeats a lost answer to the same key only', async () => {
      const w = await world();
      const bearer = await w.token();
      const body = { nodeName: 'w1', csr: csrFor('w1') };
      const first = await w.ask('/join', { bearer, body });
      assert.equal(await w.ask('/join', { bearer, body }), first);
      await w.clock.advance(1 * DAY_MS);
      assert.is((await w.ask('/join', { bearer, body })).code, 401);
    });

    it('refuses bad tokens, names, bodies, and keeps the token for the next try', async () => {
      const w = await world();
      const bearer = await w.token();
      const csr = csrFor('w1');
      const cases = [
        [{ bearer: 'x', body: { nodeName: 'w1', csr } }, 401],
        [{ bearer: 'abcdef.0123456789abcdef', body: { nodeName: 'w1', csr } }, 401],
        [{ bearer: `${bearer.slice(0, -1)}!`, body: { nodeName: 'w1', csr } }, 401],
        [{ bearer, body: { nodeName: 'W_1', csr } }, 400],
        [{ bearer, body: { nodeName: 'a/b', csr } }, 400],
        [{ bearer, body: { nodeName: 'x'.repeat(64), csr } }, 400],
        [{ bearer, body: { nodeName: 'w1', csr: 'junk' } }, 400],
        [{ bearer, body: { nodeName: 'w1' } }, 400],
        [{ bearer, body: 'not json' }, 400],
        [{ bearer, body: { nodeName: 'w1', csr } }, 200],
      ] as const;
      for (const [request, code] of cases) assert.is((await w.ask('/join', request)).code, code);
    });

    it('refuses an expired token, and clears it away', async () => {
      const w = await world();
      const bearer = await w.token(60_000);
      await w.clock.advance(1 * DAY_MS);
      const answer = await w.ask('/join', { bearer, body: { nodeName: 'w1', csr: csrFor('w1') } });
      assert.match(answer.body.message ?? '', 'expired');
      const store = { view: w.objects, client: w.objects, clock: w.clock };
      assert.is(await removeExpiredTokens(store), 1);
      assert.is(w.objects.list('Secret').length, 0);
    });

    it('guards the name of a node that is alive, and says when it changed hands', async () => {
      const w = await world();
      await w.objects.create('Node', readyNode('w1') as never);
      const bearer = await w.token();
      const body = { nodeName: 'w1', csr: csrFor('w1') };
      const taken = await w.ask('/join', { bearer, body });
      assert.is(taken.code, 409);
      assert.match(taken.body.message ?? '', '--replace');
      assert.is((await w.ask('/join', { bearer, body: { ...body, replace: 'yes' } })).code, 200);
      assert.equal(
        w.objects.list('Event').map((e) => e.reason),
        ['CertificateReissued'],
      );
    });

    it('slows down guessing without stopping good tokens', async () => {
      const w = await world();
      const csr = csrFor('w1');
      const body = { nodeName: 'w1', csr };
      const codes: number[] = [];
      for (let i = 0; i < 30; i++)
        codes.push((await w.ask('/join', { bearer: 'abcdef.0123456789abcdef', body })).code);
      assert.is(codes.filter((code) => code === 401).length, 20);
      assert.is(codes.at(-1), 429);
      assert.is((await w.ask('/join', { bearer: await w.token(), body })).code, 200);
    });

    it('renews an expired certificate for its holder, 400 days off', async () => {
      const w = await world();
      const bearer = await w.token();
      const joined = await w.ask('/join', { bearer, body: { nodeName: 'w1', csr: csrFor('w1') } });
      await w.clock.advance(400 * DAY_MS);
      const body = { csr: csrFor('w9') };
      const renewed = await w.ask('/renew', { peer: joined.body.certificate, body });
      assert.is(renewed.code, 200);
      assert.is(subjectOf(renewed.body.certificate).commonName, 'system:node:w1');
      assert.ok(lifeOf(renewed.body.certificate).notAfterMs > w.clock.nowMs());
      assert.is((await w.ask('/renew', { body })).code, 401);
      const admin = await w.authority.issueClient('kubernetes-admin', ['system:masters'], 1);
      assert.is((await w.ask('/renew', { peer: admin.certPem, body })).code, 401);
      const clock = w.clock;
      const foreign = await openAuthority(join(dir, 'foreign'), { hosts: [], clock, log: silentLogger });
      const stranger = await foreign.signNodeCsr(csrFor('w1'), 'w1');
      assert.is((await w.ask('/renew', { peer: stranger, body })).code, 401);
    });

    it('shows the CA to everybody', async () => {
      const w = await world();
      assert.is((await w.ask('/ca')).body.ca, w.authority.caPem);
      assert.is((await w.ask('/join-info')).body.caHash, w.authority.caHash);
    });
  },
  { caseTimeoutMs: 20_000, after: () => rmSync(dir, { recursive: true, force: true }) },
);
