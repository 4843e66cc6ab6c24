import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Node } from '../../protocol/kinds/node.ts';
import type { Pod } from '../../protocol/kinds/pod.ts';
import { spec } from '../spec.ts';
import { allReady, deployment, nodeOf, nodesReady, podsOf, removeDeployment } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

const SERIAL = 'coxswain.dev/serial';
const HOT = 'coxswain.dev/temperature-pressure';
const SLOW = { withinMs: 60_000, everyMs: 300 };

let lab: Lab;
const folder = mkdtempSync('/var/tmp/coxswain-devices-');

/** On top of the board's own profile: quick to notice, quick to forget. */
const SITE = `variant: true
sampleMs: 1000
memoryPressureAvailableRatio: 0.5
pressureTransitionMs: 2000
evictionHoldMs: 2000
evictionIntervalMs: 20000
evictionGraceMs: 2000
devices:
  - name: ${SERIAL}
    paths: ["${folder}/dev/usb-*"]
`;

const node = (name: string): Promise<Node> => lab.get<Node>('node', name);
const condition = async (name: string, type: string): Promise<string | undefined> =>
  (await node(name)).status?.conditions?.find((c) => c.type === type)?.status;
const patient = [
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 3600 },
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 3600 },
];

spec(
  'nodes under pressure, with a hub',
  (it) => {
    it('offer their devices and images to the hub', async () => {
      await lab.eventually(async () => {
        const { status } = await node('worker-1');
        const hasImage = status?.images?.some(({ names }) => names.includes('busybox:latest')) === true;
        return hasImage && status?.allocatable?.[SERIAL] === '1';
      }, SLOW);
      const container = { resources: { limits: { [SERIAL]: '1' } } };
      await lab.apply(deployment('reader', { replicas: 3, container }));
      const ready = async (): Promise<Pod[]> =>
        (await podsOf(lab, 'reader')).filter((p) => p.status?.phase === 'Running');
      const two = await lab.eventually(async () => {
        const pods = await ready();
        return pods.length === 2 ? pods : false;
      }, SLOW);
      assert.equal(two.map(nodeOf).sort(), ['worker-1', 'worker-2'], 'one device a node');
      const third = (await podsOf(lab, 'reader')).find((p) => p.spec.nodeName === undefined);
      assert.match(third?.status?.conditions?.[0]?.message ?? '', `Insufficient ${SERIAL}`);
      await lab.exec('worker-2', 'mknod', join(folder, 'dev', 'usb-2'), 'c', '1', '5');
      const three = await allReady(lab, 'reader', 3);
      assert.equal(three.map(nodeOf).sort(), ['worker-1', 'worker-2', 'worker-2']);
      await removeDeployment(lab, 'reader');
    });

    it('take no more pods while they are hot', async () => {
      await lab.run('temperature', 'worker-1', '92');
      await lab.eventually(async () => (await condition('worker-1', 'TemperaturePressure')) === 'True', SLOW);
      await lab.eventually(
        async () => (await node('worker-1')).spec.taints?.some((t) => t.key === HOT) === true,
        SLOW,
      );
      await lab.apply(deployment('cool', { replicas: 2 }));
      const pods = await allReady(lab, 'cool', 2);
      assert.equal(pods.map(nodeOf), ['worker-2', 'worker-2']);
      await lab.run('temperature', 'worker-1', '45');
      await lab.eventually(
        async () => (await node('worker-1')).spec.taints?.some((t) => t.key === HOT) !== true,
        SLOW,
      );
      await removeDeployment(lab, 'cool');
    });

    it('evict by themselves while cut off, start nothing of it after a power cut, and are replaced', async () => {
      const onOne = { nodeSelector: { 'kubernetes.io/hostname': 'worker-1' }, tolerations: patient };
      const volumes = [{ name: 'mem', emptyDir: { medium: 'Memory' } }];
      const fill =
        'until [ -e /tmp/go ]; do sleep 0.2; done; dd if=/dev/zero of=/mem/fill bs=1M count=1200; sleep 100000';
      await lab.apply(deployment('calm', { replicas: 1, pod: onOne }));
      await lab.apply(
        deployment('hog', {
          replicas: 1,
          command: ['sh', '-c', fill],
          pod: { ...onOne, volumes },
          container: { volumeMounts: [{ name: 'mem', mountPath: '/mem' }] },
        }),
      );
      await allReady(lab, 'calm', 1);
      const [hog] = await allReady(lab, 'hog', 1);
      const uid = hog?.metadata.uid ?? '';
      const running = async (): Promise<string[]> => {
        const names = await lab.docker('worker-1', 'ps', '--format', '{{.Label "coxswain.dev/pod-name"}}');
        return names.trim().split('\n').sort();
      };
      const containerId = hog?.status?.containerStatuses?.[0]?.containerID?.replace(/^.*\/\//, '') ?? '';
      await lab.run('cut', 'worker-1');
      await lab.docker('worker-1', 'exec', containerId, 'touch', '/tmp/go');
      await lab.eventually(async () => !(await running()).some((name) => name.startsWith('hog')), SLOW);
      assert.ok(
        (await running()).some((name) => name.startsWith('calm')),
        'who holds less stays',
      );
      await lab.run('power-off', 'worker-1');
      await lab.run('power-on', 'worker-1');
      await lab.eventually(async () => (await running()).some((name) => name.startsWith('calm')), SLOW);
      assert.ok(!(await running()).some((name) => name.startsWith('hog')), 'also after the power cut');
      await lab.run('heal', 'worker-1');
      const evicted = await lab.eventually(async () => {
        const pod = (await podsOf(lab, 'hog')).find((p) => p.metadata.uid === uid);
        return pod?.status?.reason === 'Evicted' ? pod : false;
      }, SLOW);
      assert.is(evicted.status?.phase, 'Failed');
      assert.match(evicted.status?.message ?? '', 'The node was low on resource: memory. ');
      await lab.eventually(
        async () =>
          (await podsOf(lab, 'hog')).some((p) => p.metadata.uid !== uid && p.status?.phase === 'Running'),
        SLOW,
      );
    });
  },
  {
    caseTimeoutMs: 200_000,
    before: async () => {
      mkdirSync(join(folder, 'dev'));
      execFileSync('mknod', [join(folder, 'dev', 'usb-1'), 'c', '1', '5']);
      writeFileSync(join(folder, 'site.yaml'), SITE);
      const env = { LAB_AGENT_ARGS: `--profile pi-4,${folder}/site.yaml` };
      lab = await startLab({ workers: 2, name: 'pressure', alone: true, env });
      await nodesReady(lab);
    },
    after: async () => {
      await lab.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  },
);
