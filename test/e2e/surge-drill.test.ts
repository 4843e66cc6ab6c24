/** `cox drill surge` in a lab, as a user runs it, beside the same number of containers without an orchestrator. */
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { RawEngine } from '../../scripts/bench/raw-engine.ts';
import { spec } from '../spec.ts';
import { nodesReady } from './cluster.ts';
import { type Lab, runCommand, startLab } from './lab.ts';

const COX = fileURLToPath(new URL('../../dist/cox.js', import.meta.url));
const NODES = ['worker-1', 'worker-2', 'worker-3'];
/** Room for the rest of the machine: the bench tells the exact ratio. */
const MAX_RATIO = 3;

let lab: Lab;

function drill(...flags: string[]): Promise<string> {
  const env = { KUBECONFIG: lab.kubeconfig };
  return runCommand(process.execPath, [COX, 'drill', 'surge', ...flags], { env });
}

spec(
  'the surge drill',
  (it) => {
    it('takes a Deployment from 2 to 60 replicas on three devices, and back', async () => {
      const report = await drill();
      const [, surge = ''] = /^2 -> 60 +([0-9.]+) s/m.exec(report) ?? [];
      assert.ok(Number(surge) > 0, report);
      const pods = NODES.map((node) => Number(new RegExp(`^${node} +(\\d+)$`, 'm').exec(report)?.[1] ?? 0));
      assert.is(
        pods.reduce((a, b) => a + b),
        60,
        report,
      );
      assert.ok(Math.min(...pods) >= 15, `spread over all devices: ${pods}`);
      const rawSeconds = await rawStarts(58);
      const ratio = Number(surge) / rawSeconds;
      process.stdout.write(`surge ${surge} s, raw ${rawSeconds.toFixed(1)} s, ratio ${ratio.toFixed(2)}\n`);
      assert.ok(ratio < MAX_RATIO, `${surge} s, raw ${rawSeconds} s`);
    });

    it('leaves nothing behind', async () => {
      await lab.eventually(
        async () => !(await lab.kubectl('get', 'namespaces', '-o', 'name')).includes('cox-drill-'),
        { withinMs: 60_000 },
      );
    });

    it('tells what the pods wait for when there is no room', async () => {
      const failure = await drill(
        '--from',
        '0',
        '--to',
        '1',
        '--image',
        'nowhere.invalid/none:1',
        '--timeout',
        '15',
      ).then(
        () => '',
        (error: Error) => error.message,
      );
      assert.match(
        failure,
        /0 of 1 pods ready after 15 s; the others wait:\n {2}1 x (ErrImagePull|ImagePullBackOff)/,
      );
    });
  },
  {
    caseTimeoutMs: 300_000,
    before: async () => {
      lab = await startLab({ workers: 3, name: 'drill' });
      await nodesReady(lab);
    },
    after: () => lab.stop(),
  },
);

/** Seconds to create and start as many containers, spread over the engines, four at a time on each. */
async function rawStarts(count: number): Promise<number> {
  const dir = (await lab.run('path')).trim();
  const engines = NODES.map((node) => new RawEngine(`${dir}/${node}/docker.sock`));
  let left = count;
  const sinceMs = performance.now();
  const lane = async (engine: RawEngine): Promise<void> => {
    while (left-- > 0) await engine.run('busybox:latest', 'bridge');
  };
  await Promise.all(engines.flatMap((engine) => [1, 2, 3, 4].map(() => lane(engine))));
  const seconds = (performance.now() - sinceMs) / 1000;
  await Promise.all(engines.map((engine) => engine.clean()));
  return seconds;
}
