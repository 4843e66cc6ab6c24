/** Jobs and CronJobs on real engines, with the real kubectl. */
import * as assert from 'uvu/assert';
import type { CronJob, Job, JobSpec } from '../../protocol/kinds/batch.ts';
import type { Pod, PodSpec } from '../../protocol/kinds/pod.ts';
import { spec } from '../spec.ts';
import { nodesReady } from './cluster.ts';
import { type Lab, startLab } from './lab.ts';

let lab: Lab;

function podSpec(command: string, more: Partial<PodSpec> = {}): PodSpec {
  const resources = { requests: { cpu: '10m', memory: '8Mi' } };
  const container = { name: 'main', image: 'busybox:latest', command: ['sh', '-c', command], resources };
  return {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 1,
    containers: [{ ...container, imagePullPolicy: 'IfNotPresent' }],
    ...more,
  };
}

function manifest(
  name: string,
  command: string,
  job: Partial<JobSpec> = {},
  pod: Partial<PodSpec> = {},
): string {
  const template = { spec: podSpec(command, pod) };
  return JSON.stringify({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { ...job, template },
  });
}

const job = (name: string): Promise<Job> => lab.get<Job>('job', name);
const podsOf = async (name: string): Promise<Pod[]> =>
  (await lab.get<{ items: Pod[] }>('pods', '-l', `batch.kubernetes.io/job-name=${name}`)).items;
const ended = (name: string, condition = 'complete'): Promise<string> =>
  lab.kubectl('wait', `--for=condition=${condition}`, `job/${name}`, '--timeout=90s');

spec(
  'jobs on two devices',
  (it) => {
    it('runs six completions three at a time', async () => {
      await lab.apply(manifest('six', 'echo done', { completions: 6, parallelism: 3 }));
      await ended('six');
      assert.match(await lab.kubectl('get', 'job', 'six', '--no-headers'), /^six +Complete +6\/6 +\d+s/);
      assert.is((await podsOf('six')).filter((p) => p.status?.phase === 'Succeeded').length, 6);
      assert.match(await lab.kubectl('describe', 'job', 'six'), /Completed +.*Job completed/);
    });

    it('tells every index which it is', async () => {
      await lab.apply(
        manifest('indexed', 'echo $JOB_COMPLETION_INDEX $(hostname)', {
          completionMode: 'Indexed',
          completions: 3,
          parallelism: 3,
        }),
      );
      await ended('indexed');
      assert.is((await job('indexed')).status?.completedIndexes, '0-2');
      const lines = await Promise.all(
        (await podsOf('indexed')).map((p) => lab.kubectl('logs', p.metadata.name)),
      );
      assert.equal(lines.sort(), ['0 indexed-0\n', '1 indexed-1\n', '2 indexed-2\n']);
    });

    it('fails for good when no retry is allowed', async () => {
      await lab.apply(manifest('bad', 'exit 3', { backoffLimit: 0 }));
      await ended('bad', 'failed');
      const { status } = await job('bad');
      assert.equal(
        [status?.failed, status?.conditions?.map((c) => c.reason)],
        [1, ['BackoffLimitExceeded', 'BackoffLimitExceeded']],
      );
      const [pod] = await podsOf('bad');
      assert.is(pod?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 3);
    });

    it('goes on when the hub is killed in between', async () => {
      await lab.apply(manifest('long', 'sleep 2', { completions: 4, parallelism: 2 }));
      await lab.eventually(async () => ((await job('long')).status?.succeeded ?? 0) > 0, {
        withinMs: 40_000,
      });
      await lab.run('hub', 'kill');
      await lab.run('hub', 'start');
      await lab.eventually(() => ended('long'), { withinMs: 90_000 });
      assert.equal([(await job('long')).status?.succeeded, (await podsOf('long')).length], [4, 4]);
    });

    it('counts once what ended while its device was cut off', async () => {
      const tolerations = ['unreachable', 'not-ready'].map((name) => ({
        key: `node.kubernetes.io/${name}`,
        operator: 'Exists' as const,
        effect: 'NoExecute' as const,
      }));
      const pinned = { nodeSelector: { 'kubernetes.io/hostname': 'worker-2' }, tolerations };
      await nodesReady(lab);
      await lab.apply(manifest('away', 'sleep 4', {}, pinned));
      const pod = await lab.eventually(
        async () => (await podsOf('away')).find((p) => p.status?.phase === 'Running'),
        { withinMs: 40_000 },
      );
      await lab.run('cut', 'worker-2');
      const mine = ['--filter', `label=coxswain.dev/pod-uid=${pod.metadata.uid}`];
      await lab.eventually(
        async () => (await lab.docker('worker-2', 'ps', '-q', ...mine)).trim() === '' || undefined,
        { withinMs: 30_000 },
      );
      assert.is((await job('away')).status?.succeeded, undefined);
      // Also over a restart of the agent, which has only its files to tell from.
      await lab.run('agent', 'kill', 'worker-2');
      await lab.run('heal', 'worker-2');
      await ended('away');
      assert.equal([(await job('away')).status?.succeeded, (await podsOf('away')).length], [1, 1]);
    });

    it('starts a run that fell due, and one by hand', async () => {
      const cron = {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'tick' },
        spec: {
          schedule: '*/5 * * * *',
          timeZone: 'Europe/Berlin',
          jobTemplate: { spec: { template: { spec: podSpec('echo tick') } } },
        },
      };
      await lab.apply(JSON.stringify(cron));
      // As if the last run were ten minutes ago: nobody waits five minutes here.
      const lastScheduleTime = new Date(Date.now() - 600_000).toISOString().replace(/\.\d+/, '');
      const patch = JSON.stringify({ status: { lastScheduleTime } });
      await lab.kubectl('patch', 'cronjob', 'tick', '--subresource=status', '--type=merge', '-p', patch);
      const status = async (): Promise<CronJob['status']> =>
        (await lab.get<CronJob>('cronjob', 'tick')).status;
      await lab.eventually(async () => (await status())?.lastSuccessfulTime, { withinMs: 40_000 });
      const jobs = (await lab.get<{ items: Job[] }>('jobs')).items.map((j) => j.metadata.name);
      assert.is(jobs.filter((name) => /^tick-\d+$/.test(name)).length, 1);
      await lab.kubectl('create', 'job', 'byhand', '--from=cronjob/tick');
      await ended('byhand');
      assert.is(await lab.kubectl('logs', 'job/byhand'), 'tick\n');
      assert.match(
        await lab.kubectl('get', 'cronjob', 'tick', '--no-headers'),
        /^tick +\*\/5 \* \* \* \* +Europe\/Berlin +False +0 +\d+/,
      );
      await lab.kubectl('delete', 'cronjob', 'tick');
    });
  },
  {
    caseTimeoutMs: 120_000,
    before: async () => {
      lab = await startLab({ workers: 2, name: 'jobs', alone: true });
      await nodesReady(lab);
    },
    after: async () => {
      await lab.stop();
    },
  },
);
