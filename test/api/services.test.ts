/** Addresses and ports of Services, as the real kubectl asks for them. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

/** kubectl that has to succeed; its output without the line's end. */
async function kubectl(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${err}`);
  return out.trim();
}

const read = (name: string, path: string): Promise<string> =>
  kubectl('get', 'service', name, '-o', `jsonpath={${path}}`);

const manifest = (name: string, spec: Record<string, unknown>): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }], ...spec },
});

spec(
  'services through kubectl',
  (it) => {
    it('are joined by one for the API itself, whose endpoints are where the hub is reached', async () => {
      for (const what of ['service', 'endpoints', 'endpointslice'])
        await kubectl('wait', '--for=create', '--timeout=20s', `${what}/kubernetes`);
      assert.match(
        await kubectl('get', 'service'),
        /^kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP /m,
      );
      const place = `192.0.2.10:${hub.port}`;
      assert.match(
        await kubectl('get', 'endpoints', 'kubernetes'),
        new RegExp(`^kubernetes +${place} `, 'm'),
      );
      assert.match(
        await kubectl('describe', 'service', 'kubernetes'),
        new RegExp(`Endpoints: +${place}$`, 'm'),
      );
    });

    it('have an address of their own, which stays over every change', async () => {
      await kubectl('create', 'service', 'clusterip', 'web', '--tcp=80:8080');
      const ip = await read('web', '.spec.clusterIP');
      assert.match(ip, /^10\.96\.\d+\.\d+$/);
      assert.match(
        await kubectl('get', 'services'),
        new RegExp(`web +ClusterIP +${ip.replaceAll('.', '\\.')} +<none>`),
      );
      await hub.apply(manifest('api', {}));
      const given = await read('api', '.spec.clusterIP');
      assert.is.not(given, ip);
      await hub.apply(manifest('api', { ports: [{ port: 81 }] }));
      assert.is(await read('api', '.spec.clusterIP'), given);
      await kubectl(
        'patch',
        'service',
        'api',
        '--type=merge',
        '-p',
        '{"spec":{"sessionAffinity":"ClientIP"}}',
      );
      assert.is(await read('api', '.spec.clusterIPs[0]'), given);
    });

    it('cannot have the address of another, nor one from outside the range, nor change theirs', async () => {
      const ip = await read('web', '.spec.clusterIP');
      const thief = await hub.kubectl(
        'create',
        'service',
        'clusterip',
        'thief',
        '--tcp=80',
        `--clusterip=${ip}`,
      );
      assert.match(
        thief.err,
        `spec.clusterIPs: Invalid value: ["${ip}"]: failed to allocate IP ${ip}: provided IP is already allocated`,
      );
      const outside = await hub.kubectl(
        'create',
        'service',
        'clusterip',
        'far',
        '--tcp=80',
        '--clusterip=192.0.2.1',
      );
      assert.match(
        outside.err,
        'the provided IP (192.0.2.1) is not in the valid range. The range of valid IPs is 10.96.0.0/16',
      );
      const moved = await hub.kubectl('patch', 'service', 'web', '-p', '{"spec":{"clusterIP":"10.96.0.77"}}');
      assert.is(moved.code, 1);
      await kubectl('delete', 'service', 'web');
      await kubectl('create', 'service', 'clusterip', 'thief', '--tcp=80', `--clusterip=${ip}`);
    });

    it('of type NodePort keep their ports, and give them back with the type', async () => {
      await kubectl('create', 'service', 'nodeport', 'door', '--tcp=80', '--node-port=30080');
      await kubectl('create', 'service', 'nodeport', 'gate', '--tcp=80');
      const port = Number(await read('gate', '.spec.ports[0].nodePort'));
      assert.ok(port >= 30_000 && port <= 32_767 && port !== 30_080, String(port));
      await hub.apply(manifest('gate', { type: 'NodePort' }));
      assert.is(Number(await read('gate', '.spec.ports[?(@.port==80)].nodePort')), port);
      const taken = await hub.kubectl(
        'create',
        'service',
        'nodeport',
        'late',
        '--tcp=80',
        '--node-port=30080',
      );
      assert.match(
        taken.err,
        'spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
      );
      await kubectl('patch', 'service', 'door', '-p', '{"spec":{"type":"ClusterIP"}}');
      assert.is(await read('door', '.spec.ports[0].nodePort'), '');
      await kubectl('create', 'service', 'nodeport', 'late', '--tcp=80', '--node-port=30080');
    });

    it('that are headless or another name have none', async () => {
      await kubectl('create', 'service', 'clusterip', 'heads', '--clusterip=None', '--tcp=80');
      await kubectl('create', 'service', 'externalname', 'elsewhere', '--external-name=example.org');
      assert.is(await read('heads', '.spec.clusterIP'), 'None');
      assert.is(await read('elsewhere', '.spec.clusterIP'), '');
      await kubectl(
        'patch',
        'service',
        'thief',
        '-p',
        '{"spec":{"type":"ExternalName","externalName":"a.example.org"}}',
      );
      assert.is(await read('thief', '.spec.clusterIP'), '');
    });

    it('hold no address in a dry run', async () => {
      const args = ['create', 'service', 'clusterip', 'maybe', '--tcp=80', '--clusterip=10.96.0.200'];
      await kubectl(...args, '--dry-run=server');
      await kubectl('create', 'service', 'clusterip', 'sure', '--tcp=80', '--clusterip=10.96.0.200');
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startRealHub({ advertise: ['127.0.0.1', '192.0.2.10'] });
    },
    after: () => hub.stop(),
  },
);
