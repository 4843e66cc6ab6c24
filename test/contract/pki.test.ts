import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Authority, openAuthority } from '../../hub/pki/authority.ts';
import { ensureKubeconfig } from '../../hub/pki/kubeconfig.ts';
import { certificateProblem, lifeOf, publicKeyHash, subjectOf } from '../../kit/certificates.ts';
import { buildNodeCsr, newPrivateKeyPem } from '../../kit/csr.ts';
import { silentLogger } from '../../kit/logger.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { spec } from '../spec.ts';

const NOV_2026 = Date.UTC(2026, 10, 22);
const DAY_MS = 86_400_000;
const dir = mkdtempSync(join(tmpdir(), 'cox-pki-'));
const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const open = (name: string, clock: ManualClock, hosts = ['hub.example', '192.0.2.7']): Promise<Authority> =>
  openAuthority(join(dir, name), { hosts, clock, log: silentLogger });
const der = (pem: string): Buffer => new X509Certificate(pem).raw;

spec(
  'authority',
  (it) => {
    it('makes a CA and a server certificate that openssl accepts for every host', async () => {
      const authority = await open('a', new ManualClock(NOV_2026));
      const leaf = join(dir, 'a/server.crt');
      for (const host of ['hub.example', 'localhost'])
        assert.match(
          openssl(
            'verify',
            '-CAfile',
            join(dir, 'a/ca.crt'),
            '-purpose',
            'sslserver',
            '-verify_hostname',
            host,
            leaf,
          ),
          'OK',
        );
      assert.match(
        openssl('verify', '-CAfile', join(dir, 'a/ca.crt'), '-verify_ip', '192.0.2.7', leaf),
        'OK',
      );
      const asOther = { purpose: 'server', host: 'other.example', nowMs: NOV_2026 } as const;
      assert.is(certificateProblem(der(authority.serverCertPem), authority.caPem, asOther), 'WrongName');
      const digest = openssl('x509', '-in', join(dir, 'a/ca.crt'), '-noout', '-pubkey');
      writeFileSync(join(dir, 'pub.pem'), digest);
      openssl('pkey', '-pubin', '-in', 'pub.pem', '-outform', 'DER', '-out', 'pub.der');
      const hash = openssl('dgst', '-sha256', 'pub.der').trim().split(' ').at(-1);
      assert.is(authority.caHash, `sha256:${hash}`);
    });

    it('keeps every file to its owner', async () => {
      await open('a', new ManualClock(NOV_2026));
      const names = readdirSync(join(dir, 'a')).sort();
      assert.equal(names, ['ca.crt', 'ca.key', 'cluster.json', 'server.crt', 'server.key']);
      for (const name of names) assert.is(statSync(join(dir, 'a', name)).mode & 0o777, 0o600, name);
    });

    it('opens again unchanged, and re-issues for a new host or near the end', async () => {
      const clock = new ManualClock(NOV_2026);
      const first = await open('b', clock);
      const second = await open('b', clock);
      assert.is(second.clusterId, first.clusterId);
      assert.is(second.caPem, first.caPem);
      assert.is(second.serverCertPem, first.serverCertPem);
      const third = await open('b', clock, ['hub.example', '192.0.2.7', 'other.example']);
      assert.is.not(third.serverCertPem, first.serverCertPem);
      assert.is(await third.refreshServer(), false);
      await clock.advance(300 * DAY_MS);
      assert.is(await third.refreshServer(), true);
    });

    it('finds its cluster id again when the file is lost', async () => {
      const first = await open('b', new ManualClock(NOV_2026));
      rmSync(join(dir, 'b/cluster.json'));
      assert.is((await open('b', new ManualClock(NOV_2026))).clusterId, first.clusterId);
    });

    it("recovers from a server key that is not the certificate's", async () => {
      const first = await open('b', new ManualClock(NOV_2026));
      writeFileSync(join(dir, 'b/server.key'), newPrivateKeyPem());
      const again = await open('b', new ManualClock(NOV_2026));
      assert.is.not(again.serverCertPem, first.serverCertPem);
    });

    it('refuses to start with a CA whose key is missing', async () => {
      await open('c', new ManualClock(NOV_2026));
      rmSync(join(dir, 'c/ca.key'));
      let message = '';
      await open('c', new ManualClock(NOV_2026)).catch((error: Error) => {
        message = error.message;
      });
      assert.match(message, 'restore it from a backup');
    });

    it('issues nothing dated before its floor when the hub thinks it is 1970', async () => {
      const authority = await open('d', new ManualClock(1000));
      assert.ok(lifeOf(authority.serverCertPem).notAfterMs > NOV_2026);
      assert.is(lifeOf(authority.caPem).notBeforeMs, 0);
    });
  },
  { caseTimeoutMs: 20_000 },
);

spec(
  'device certificates',
  (it) => {
    it("signs its own and openssl's requests, with the subject the hub chose", async () => {
      const authority = await open('a', new ManualClock(NOV_2026));
      const own = buildNodeCsr(newPrivateKeyPem(), 'worker-1');
      openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'ec.key');
      const ec = openssl('req', '-new', '-key', 'ec.key', '-subj', '/CN=kubernetes-admin/O=system:masters');
      openssl('genrsa', '-out', 'rsa.key', '2048');
      const rsa = openssl('req', '-new', '-key', 'rsa.key', '-subj', '/CN=x');
      writeFileSync(join(dir, 'own.csr'), own);
      openssl('req', '-verify', '-noout', '-in', 'own.csr');
      for (const csr of [own, ec, rsa]) {
        const cert = await authority.signNodeCsr(csr, 'worker-1');
        assert.equal(subjectOf(cert), {
          commonName: 'system:node:worker-1',
          organisations: ['system:nodes'],
        });
        writeFileSync(join(dir, 'node.crt'), cert);
        assert.match(
          openssl('verify', '-CAfile', join(dir, 'a/ca.crt'), '-purpose', 'sslclient', 'node.crt'),
          'OK',
        );
        const asHub = { purpose: 'server', nowMs: NOV_2026 } as const;
        assert.is(certificateProblem(der(cert), authority.caPem, asHub), 'WrongPurpose');
      }
    });

    it('refuses broken, tampered and weak requests with a reason', async () => {
      const authority = await open('a', new ManualClock(NOV_2026));
      const good = buildNodeCsr(newPrivateKeyPem(), 'worker-1');
      const bytes = Buffer.from(good.replace(/-----.*-----/g, ''), 'base64');
      bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1;
      const body = bytes.toString('base64').replace(/.{64}/g, '$&\n');
      const tampered = `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
      openssl('genrsa', '-out', 'weak.key', '1024');
      const weak = openssl('req', '-new', '-key', 'weak.key', '-subj', '/CN=x');
      const cases = [
        ['nonsense', 'Malformed'],
        [tampered, 'BadSignature'],
        [weak, 'WeakKey'],
      ] as const;
      for (const [csr, reason] of cases) {
        let found = '';
        await authority.signNodeCsr(csr, 'worker-1').catch((error: { reason: string }) => {
          found = error.reason;
        });
        assert.is(found, reason);
      }
    });

    it('knows its own certificate also 400 days later, and no other', async () => {
      const clock = new ManualClock(NOV_2026);
      const authority = await open('a', clock);
      const cert = await authority.signNodeCsr(buildNodeCsr(newPrivateKeyPem(), 'worker-1'), 'worker-1');
      const fresh = authority.verifyOurs(der(cert));
      assert.ok(fresh.ours && !fresh.expired);
      await clock.advance(400 * DAY_MS);
      const old = authority.verifyOurs(der(cert));
      assert.ok(old.ours && old.expired && old.commonName === 'system:node:worker-1');
      const foreign = await open('foreign', clock);
      assert.equal(foreign.verifyOurs(der(cert)), { ours: false, why: 'ForeignIssuer' });
      assert.equal(authority.verifyOurs(Buffer.from('junk')), { ours: false, why: 'Unreadable' });
      assert.equal(authority.verifyOurs(der(authority.serverCertPem)), { ours: false, why: 'WrongPurpose' });
    });
  },
  { caseTimeoutMs: 20_000 },
);

spec(
  'kubeconfig',
  (it) => {
    it('is written once, owner only, and again for another server or near its end', async () => {
      const clock = new ManualClock(NOV_2026);
      const authority = await open('a', clock);
      const path = join(dir, 'kubeconfig');
      const ensure = (server: string): Promise<boolean> =>
        ensureKubeconfig(authority, { path, server, clock });
      assert.is(await ensure('https://127.0.0.1:6443'), true);
      assert.is(statSync(path).mode & 0o777, 0o600);
      assert.is(await ensure('https://127.0.0.1:6443'), false);
      assert.is(await ensure('https://192.0.2.7:6443'), true);
      await clock.advance(260 * DAY_MS);
      assert.is(await ensure('https://192.0.2.7:6443'), true);
      const encoded = /client-certificate-data: (\S+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? '';
      const cert = Buffer.from(encoded, 'base64').toString();
      assert.equal(subjectOf(cert), { commonName: 'kubernetes-admin', organisations: ['system:masters'] });
      assert.is(publicKeyHash(authority.caPem), authority.caHash);
    });
  },
  { caseTimeoutMs: 20_000, after: () => rmSync(dir, { recursive: true, force: true }) },
);
