import * as assert from 'uvu/assert';
import type { HorizontalPodAutoscaler } from '../../protocol/kinds/autoscaling.ts';
import { spec } from '../spec.ts';
import { allReady, deployment, nodesIdle, podsOf, removeDeployment } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;

/** Idle until told to burn; the limit makes the burning the same on every machine. */
const BURNER = deployment('burner', {
  replicas: 2,
  command: [
    'sh',
    '-c',
    'trap "exit 0" TERM; while true; do if [ -e /tmp/burn ]; then i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; else sleep 0.2; fi; done',
  ],
  container: { resources: { requests: { cpu: '100m', memory: '8Mi' }, limits: { cpu: '300m' } } },
});

const AUTOSCALER = JSON.stringify({
  apiVersion: 'autoscaling/v2',
  kind: 'HorizontalPodAutoscaler',
  metadata: { name: 'burner' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'burner' },
    minReplicas: 2,
    maxReplicas: 5,
    metrics: [
      {
        type: 'Resource',
        resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
      },
    ],
    behavior: { scaleDown: { stabilizationWindowSeconds: 10 } },
  },
});

const autoscaler = (): Promise<HorizontalPodAutoscaler> => lab.get<HorizontalPodAutoscaler>('hpa', 'burner');
const replicas = async (): Promise<number> =>
  Number(await lab.kubectl('get', 'deploy', 'burner', '-o', 'jsonpath={.spec.replicas}'));

spec(
  'autoscaling on devices',
  (it) => {
    it('leaves idle pods alone, and shows what they use', async () => {
      await lab.apply(BURNER);
      await allReady(lab, 'burner', 2);
      await lab.apply(AUTOSCALER);
      await lab.eventually(
        async () =>
          (await autoscaler()).status?.conditions?.some(
            (c) => c.type === 'ScalingActive' && c.status === 'True',
          ),
        { withinMs: 90_000, everyMs: 500 },
      );
      assert.match(
        await lab.kubectl('get', 'hpa', 'burner'),
        /burner +Deployment\/burner +cpu: \d+%\/50% +2 +5 +2/,
      );
      assert.is(await replicas(), 2);
    });

    it('answers a surge, and goes back when it is over', async () => {
      const pods = await podsOf(lab, 'burner');
      const burn = (command: string): Promise<unknown> =>
        Promise.all(pods.map((pod) => lab.kubectl('exec', pod.metadata.name, '--', 'sh', '-c', command)));
      await burn('touch /tmp/burn');
      await lab.eventually(async () => (await replicas()) === 5, { withinMs: 60_000, everyMs: 250 });
      await allReady(lab, 'burner', 5);
      const text = await lab.kubectl('describe', 'hpa', 'burner');
      assert.match(
        text,
        /SuccessfulRescale.*New size: \d; reason: cpu resource utilization \(percentage of request\) above target/,
      );
      await burn('rm /tmp/burn');
      await lab.eventually(async () => (await replicas()) === 2, { withinMs: 120_000, everyMs: 500 });
      await removeDeployment(lab, 'burner');
      await lab.kubectl('delete', 'hpa', 'burner');
    });
  },
  {
    caseTimeoutMs: 240_000,
    before: async () => {
      lab = await startLab({ workers: 2, name: 'autoscaling' });
      await nodesIdle(lab);
    },
    after: () => lab.stop(),
  },
);
