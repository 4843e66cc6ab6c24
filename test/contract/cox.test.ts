import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { type JoinOptions, joinCluster } from '../../cli/join.ts';
import { ensureKubeconfig } from '../../hub/pki/kubeconfig.ts';
import { isSignedBy, subjectOf } from '../../kit/certificates.ts';
import { systemClock } from '../../kit/clock.ts';
import { buildNodeCsr, newPrivateKeyPem } from '../../kit/csr.ts';
import { sendHttps } from '../../kit/https.ts';
import { decodeHubFile, decodeJoinResponse, JOIN_PATHS } from '../../protocol/wire/identity.ts';
import { bundleCli, CLI_SOURCE } from '../build/bundled-cli.ts';
import { type Fleet, openFleet } from '../build/devices.ts';
import { type JoinServer, startJoinServer } from '../build/join-server.ts';
import { spec } from '../spec.ts';

const dir = mkdtempSync(join(tmpdir(), 'cox-cli-'));
const program = bundleCli(dir);
const kubeconfig = join(dir, 'kubeconfig');
let fleet: Fleet;
let server: JoinServer;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const cox = async (...args: string[]): Promise<Ended> => run([await program, ...args]);

async function run(argv: readonly string[]): Promise<Ended> {
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...argv], { env });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string };
    return { code: failed.code, out: failed.stdout, err: failed.stderr };
  }
}

async function newLine(): Promise<string[]> {
  const { out } = await cox('token', 'create', '--url', server.url);
  return out.trim().split(' ').slice(1);
}

async function joinOptions(over: Partial<JoinOptions> = {}): Promise<JoinOptions> {
  const words = await newLine();
  return {
    url: words[1] ?? '',
    token: words[3] ?? '',
    caHash: words[5] ?? '',
    nodeName: 'w1',
    dataDir: mkdtempSync(join(dir, 'device-')),
    replace: false,
    force: false,
    nowMs: Date.now(),
    ...over,
  };
}

const refusal = (options: JoinOptions): Promise<string> =>
  joinCluster(options).then(
    () => 'joined',
    (error: Error) => error.message,
  );

spec(
  'cox',
  (it) => {
    it('prints one join line, which lets one device in with files of its own', async () => {
      const line = await cox('token', 'create', '--ttl', '1h');
      assert.match(
        line.out,
        /^cox join https:\/\/192\.0\.2\.7:6443 --token [a-z0-9.]{23} --ca-hash sha256:[0-9a-f]{64}\n$/,
      );
      const words = await newLine();
      const dataDir = join(dir, 'w1');
      const joined = await cox(...words, '--node-name', 'w1', '--data-dir', dataDir);
      assert.is(joined.err, '');
      assert.match(joined.out, 'cox agent --data-dir');
      const identity = join(dataDir, 'identity');
      assert.equal(readdirSync(identity).sort(), ['ca.crt', 'hub.json', 'node.crt', 'node.key']);
      for (const name of readdirSync(identity)) assert.is(statSync(join(identity, name)).mode & 0o777, 0o600);
      const hub = decodeHubFile(JSON.parse(readFileSync(join(identity, 'hub.json'), 'utf8')));
      assert.ok(hub.ok && hub.value.nodeName === 'w1' && hub.value.cluster === fleet.authority.clusterId);
      const cert = readFileSync(join(identity, 'node.crt'), 'utf8');
      assert.ok(isSignedBy(cert, fleet.authority.caPem));
      assert.is(subjectOf(cert).commonName, 'system:node:w1');
      const again = await cox(...words, '--node-name', 'w1', '--data-dir', dataDir);
      assert.is(again.code, 1);
      assert.match(again.err, '--force');
      const used = await cox(...words, '--node-name', 'w2', '--data-dir', join(dir, 'w2'));
      assert.match(used.err, 'cox token create');
    });

    it('lists and deletes tokens without showing their secrets', async () => {
      const [, , , token = ''] = await newLine();
      const [id = '', secret = ''] = token.split('.');
      const list = await cox('token', 'list');
      assert.match(list.out, id);
      assert.not.match(list.out, secret);
      assert.is((await cox('token', 'delete', id)).code, 0);
      assert.match((await cox('token', 'delete', id)).err, 'no token');
      assert.match((await cox('token', 'create', '--ttl', 'soon')).err, '30m');
    });

    it('shows the devices within 80 columns', async () => {
      const telemetry = {
        windowMs: 1,
        cpuRatio: 1,
        memoryUsedBytes: 15.5 * 1024 ** 3,
        memoryTotalBytes: 15.9 * 1024 ** 3,
        diskRatio: 1,
        temperatureCelsius: 101,
        throttled: true,
      };
      const far = {
        name: 'a-device-with-a-name-that-is-far-too-long',
        ready: false,
        address: '',
        podCount: 110,
      };
      const items = [
        { ...far, telemetry, ageMs: 86_399_000 },
        { name: 'new', ready: true, address: '', podCount: 0 },
      ];
      server.canned.set('/coxswain/v1/nodes', { items });
      const { out } = await cox('top');
      assert.match(out, /NotReady +100% +15\.5Gi\/15\.9Gi +100% +101°C! +110 +23h/);
      for (const line of out.split('\n')) assert.ok(line.length <= 80, `${line.length}: ${line}`);
    });

    it('gives the programs beside it their help', async () => {
      const sources = ['--import', 'tsx', CLI_SOURCE];
      const asked = [
        ['hub', '--help'],
        ['help', 'agent'],
      ];
      const texts = await Promise.all(asked.map((words) => run([...sources, ...words])));
      for (const { out } of texts) {
        assert.match(out, 'Examples\n');
        for (const line of out.split('\n')) assert.ok(line.length <= 80, `${line.length}: ${line}`);
      }
    });

    it('prints and merges the kubeconfig', async () => {
      assert.is((await cox('kubeconfig')).out.trim(), kubeconfig);
      const target = join(dir, 'own');
      writeFileSync(
        target,
        'clusters: [{name: other, cluster: {server: https://x}}]\nusers: []\ncontexts: null\ncurrent-context: other\n',
      );
      await cox('kubeconfig', '--merge', target);
      const merged = parse(readFileSync(target, 'utf8'));
      assert.equal(
        merged.clusters.map((c: { name: string }) => c.name),
        ['other', 'coxswain'],
      );
      assert.is(merged['current-context'], 'kubernetes-admin@coxswain');
      assert.is(statSync(target).mode & 0o777, 0o600);
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      fleet = await openFleet();
      server = await startJoinServer(fleet.authority);
      await ensureKubeconfig(fleet.authority, { path: kubeconfig, server: server.url, clock: systemClock });
    },
  },
);

spec(
  'cox join',
  (it) => {
    it('works on a board that thinks it is 1970', async () => {
      assert.is((await joinCluster(await joinOptions({ nowMs: 0 }))).nodeName, 'w1');
    });

    it('believes no other hub, and gives it no token', async () => {
      const wrongHash = `sha256:${'0'.repeat(64)}`;
      assert.match(await refusal(await joinOptions({ caHash: wrongHash })), 'somebody stands in between');
      const stranger = await openFleet();
      const middle = await startJoinServer(fleet.authority, stranger.authority);
      assert.match(await refusal(await joinOptions({ url: middle.url })), 'ForeignIssuer');
      assert.equal(middle.bearers, []);
      await middle.stop();
      stranger.remove();
    });

    it('does not take a device for the hub', async () => {
      const device = await fleet.identity('rogue');
      const posing = Object.create(fleet.authority, {
        serverCertPem: { value: device.certPem },
        serverKeyPem: { value: device.keyPem },
      });
      const rogue = await startJoinServer(fleet.authority, posing);
      assert.match(await refusal(await joinOptions({ url: rogue.url })), 'WrongPurpose');
      assert.equal(rogue.bearers, []);
      await rogue.stop();
    });

    it('names the next step when it cannot go on', async () => {
      const closed = await startJoinServer(fleet.authority);
      await closed.stop();
      const cases: [Partial<JoinOptions>, string][] = [
        [{ url: closed.url }, 'firewall'],
        [{ url: 'http://x' }, 'cox token create'],
        [{ token: 'x' }, 'cox token create'],
        [{ caHash: 'md5:x' }, 'cox token create'],
        [{ nodeName: 'Küche' }, '--node-name'],
        [{ token: 'abcdef.0123456789abcdef' }, 'cox token create'],
        [{ nowMs: Date.now() + 400 * 86_400_000 }, 'clock'],
      ];
      for (const [over, step] of cases)
        assert.match(await refusal(await joinOptions(over)), new RegExp(step));
    });

    it('takes up a try whose answer was lost, with the same token', async () => {
      const options = await joinOptions({ nodeName: 'w7' });
      server.losesAnswers = true;
      assert.match(await refusal(options), 'broke off');
      server.losesAnswers = false;
      assert.is((await joinCluster(options)).nodeName, 'w7');
    });

    it('renews over TLS with nothing but the certificate it has', async () => {
      const identity = await fleet.authority.issueClient('system:node:w8', ['system:nodes'], -30);
      const answer = await sendHttps({
        url: `${server.url}${JOIN_PATHS.renew}`,
        method: 'POST',
        trust: { pinned: fleet.authority.caPem },
        identity,
        body: JSON.stringify({ csr: buildNodeCsr(newPrivateKeyPem(), 'w8') }),
        timeoutMs: 5_000,
        nowMs: 0,
      });
      const decoded = decodeJoinResponse(JSON.parse(answer.body));
      assert.ok(decoded.ok && subjectOf(decoded.value.certificate).commonName === 'system:node:w8');
    });
  },
  {
    caseTimeoutMs: 30_000,
    after: async () => {
      await server.stop();
      fleet.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  },
);
