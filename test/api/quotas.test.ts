/** Quotas, limit ranges and priorities as the real kubectl shows and meets them. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

/** Runs kubectl until its output matches: controllers write a moment after the object is there. */
async function shows(pattern: RegExp, ...args: string[]): Promise<string> {
  const deadline = performance.now() + 8_000;
  for (;;) {
    const { out, err } = await hub.kubectl(...args);
    if (pattern.test(out)) return out;
    if (performance.now() > deadline) throw new Error(`never matched ${pattern}: ${out}${err}`);
  }
}

const run = (name: string, ...args: string[]) => hub.kubectl('run', name, '--image=busybox', ...args);

spec(
  'quotas through kubectl',
  (it) => {
    it('are counted, shown and kept', async () => {
      await hub.kubectl('create', 'namespace', 'tight');
      await hub.kubectl(
        'create',
        'quota',
        'few',
        '-n',
        'tight',
        '--hard=pods=2,requests.cpu=1,count/jobs.batch=1',
      );
      await hub.apply({
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'sizes', namespace: 'tight' },
        spec: {
          limits: [
            {
              type: 'Container',
              defaultRequest: { cpu: '400m' },
              max: { memory: '1Gi' },
              default: { memory: '64Mi' },
            },
          ],
        },
      });
      assert.is((await run('a', '-n', 'tight')).code, 0);
      assert.is((await run('b', '-n', 'tight')).code, 0);
      const third = await run('c', '-n', 'tight');
      assert.match(
        third.err,
        /pods "c" is forbidden: exceeded quota: few, requested: pods=1,requests.cpu=400m, used: pods=2,requests.cpu=800m, limited: pods=2,requests.cpu=1/,
      );
      const quota = await shows(/pods +2 +2/, 'describe', 'quota', 'few', '-n', 'tight');
      assert.match(quota, /requests\.cpu +800m +1/);
      assert.match(quota, /count\/jobs\.batch +0 +1/);
      assert.match(await shows(/pods: 2\/2/, 'get', 'quota', '-n', 'tight'), /requests\.cpu: 800m\/1/);
      assert.match(
        (await hub.kubectl('describe', 'limits', '-n', 'tight')).out,
        /Container +memory +- +1Gi +64Mi +64Mi/,
      );
      const namespace = (await hub.kubectl('describe', 'namespace', 'tight')).out;
      assert.match(
        namespace,
        /Resource Quotas[\s\S]*few[\s\S]*pods +2 +2[\s\S]*Resource Limits[\s\S]*Container +cpu/,
      );
      const big = await run(
        'big',
        '-n',
        'tight',
        '--overrides={"spec":{"containers":[{"name":"big","image":"i","resources":{"limits":{"memory":"2Gi"}}}]}}',
      );
      assert.match(big.err, /maximum memory usage per Container is 1Gi, but limit is 2Gi/);
    });

    it('come with priorities that the hub knows by name', async () => {
      const classes = await shows(/system-node-critical/, 'get', 'priorityclasses');
      assert.match(classes, /system-cluster-critical +2000000000 +false/);
      await hub.kubectl('create', 'priorityclass', 'high', '--value=1000', '--global-default');
      await run('ranked');
      assert.match(
        (await hub.kubectl('describe', 'pod', 'ranked')).out,
        /Priority: +1000\nPriority Class Name: +high/,
      );
      const second = await hub.kubectl('create', 'priorityclass', 'other', '--value=1', '--global-default');
      assert.match(second.err, /PriorityClass high is already marked as default. Only one default can exist/);
      const unknown = await run('odd', '--overrides={"spec":{"priorityClassName":"nope"}}');
      assert.match(unknown.err, /pods "odd" is forbidden: no PriorityClass with name nope was found/);
    });

    it('lets jobs be made of cron jobs, and says what is wrong with a schedule', async () => {
      await hub.kubectl('create', 'cronjob', 'tick', '--image=busybox', '--schedule=0 3 * * *', '--', 'true');
      await hub.kubectl('create', 'job', 'now', '--from=cronjob/tick');
      await shows(/Created pod: now-/, 'describe', 'job', 'now');
      assert.match((await hub.kubectl('describe', 'cronjob', 'tick')).out, /Schedule: +0 3 \* \* \*/);
      const wrong = await hub.kubectl(
        'create',
        'cronjob',
        'bad',
        '--image=busybox',
        '--schedule=0 25 * * *',
        '--',
        'true',
      );
      assert.match(
        wrong.err,
        /spec.schedule: Invalid value: "0 25 \* \* \*": end of range \(25\) above maximum \(23\): 25/,
      );
      await hub.kubectl('delete', 'job', 'now');
      await shows(/^((?!now-)[\s\S])*$/, 'get', 'pods');
    });
    it('has nothing to complain about', () => assert.equal(hub.complaints, []));
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startRealHub();
    },
    after: () => hub.stop(),
  },
);
