/** Every command of kubectl, as people and scripts type it, against a hub with devices: what it prints, and what it says when it is wrong. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { nodesReady } from './cluster.ts';
import { CommandError, type Lab, runCommand, startLab } from './lab.ts';

const NS = 'wire';
/** A tag that is not `latest` is not pulled when it is there. */
const IMAGE = 'busybox:2';
const SLEEP = ['sh', '-c', 'trap "exit 0" TERM; while :; do echo tick; sleep 1; done'];

let lab: Lab;
let dir: string;

const k = (...args: string[]): Promise<string> => lab.kubectl('-n', NS, ...args);

/** What kubectl complains of; fails the case when it does not. */
async function refused(...args: string[]): Promise<string> {
  const error = await k(...args).catch((e: unknown) => e);
  if (!(error instanceof CommandError)) throw new Error(`kubectl ${args.join(' ')} succeeded`);
  return `${error.stderr}${error.stdout}`;
}

function file(name: string, ...objects: object[]): string {
  const path = join(dir, name);
  writeFileSync(path, objects.map((object) => JSON.stringify(object)).join('\n---\n'));
  return path;
}

const configMap = (name: string, data: object, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...more },
  data,
});

const withKubectl = (env: Record<string, string>, stdin: string, ...args: string[]): Promise<string> =>
  runCommand('kubectl', ['--kubeconfig', lab.kubeconfig, '-n', NS, ...args], { env, stdin });

/** A kubectl that goes on, and what it has printed. */
function start(...args: string[]): { child: ChildProcess; out: () => string; ended: Promise<void> } {
  const child = spawn('kubectl', ['--kubeconfig', lab.kubeconfig, '-n', NS, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk;
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return { child, out: () => out, ended };
}

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    }).on('error', reject);
  });
}

spec(
  'kubectl against a hub with devices',
  (it) => {
    it('get: tables, other forms, order, nothing, and what is not there', async () => {
      const wide = (await k('get', 'pods', '-o', 'wide', '-l', 'app=web')).split('\n');
      assert.match(
        wide[0] ?? '',
        /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES/,
      );
      assert.match(wide[1] ?? '', /^web-\S+ +1\/1 +Running +0 +\S+ +10\.\S+ +worker-\d +<none> +<none>/);
      assert.match(await k('get', 'nodes', '-o', 'wide'), /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP/);
      assert.is((await k('get', 'deploy', '-o', 'name')).trim(), 'deployment.apps/web');
      assert.is(await k('get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas}'), '2');
      assert.match(
        await k('get', 'deploy', '-o', 'custom-columns=N:.metadata.name,R:.spec.replicas'),
        /^N +R\nweb +2/,
      );
      assert.match(await k('get', 'deploy', 'web', '-o', 'yaml'), /^apiVersion: apps\/v1\nkind: Deployment/m);
      const names = (await k('get', 'pods', '--sort-by=.metadata.name', '-o', 'name')).trim().split('\n');
      assert.equal(names, names.toSorted());
      assert.match(
        await k('get', 'all'),
        /pod\/web-[\s\S]+deployment\.apps\/web[\s\S]+replicaset\.apps\/web-/,
      );
      assert.match(
        await refused('get', 'pod', 'nobody'),
        'Error from server (NotFound): pods "nobody" not found',
      );
      assert.match(await refused('get', 'gadgets'), `the server doesn't have a resource type "gadgets"`);
    });

    it('create: from files and by name, once', async () => {
      assert.match(
        await k('create', '-f', file('one.json', configMap('one', { a: '1' }))),
        'configmap/one created',
      );
      assert.match(await refused('create', '-f', join(dir, 'one.json')), '(AlreadyExists)');
      const commands = [
        ['configmap', 'cm', '--from-literal=a=b'],
        ['secret', 'generic', 'key', '--from-literal=a=b'],
        ['deployment', 'made', `--image=${IMAGE}`, '--replicas=0'],
        ['job', 'once', `--image=${IMAGE}`, '--', 'true'],
        ['cronjob', 'nightly', `--image=${IMAGE}`, '--schedule=0 3 * * *', '--', 'true'],
        ['service', 'clusterip', 'made', '--tcp=80:80'],
        ['ingress', 'made', '--rule=a.example/=made:80'],
        ['role', 'reader', '--verb=get,list', '--resource=pods'],
        ['rolebinding', 'reader', '--role=reader', `--serviceaccount=${NS}:robot`],
        ['quota', 'many', '--hard=pods=500'],
        ['poddisruptionbudget', 'made', '--selector=app=made', '--min-available=1'],
        ['serviceaccount', 'robot'],
      ];
      for (const command of commands) assert.match(await k('create', ...command), ' created');
      assert.match(await k('create', 'job', 'now', '--from=cronjob/nightly'), 'job.batch/now created');
      assert.match((await k('create', 'token', 'robot')).trim(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
      assert.match(await refused('create', 'token', 'nobody'), 'serviceaccounts "nobody" not found');
      assert.match(
        await refused('create', 'role', 'x', '--verb=get', '--resource=gadgets'),
        `the server doesn't have a resource type "gadgets"`,
      );
      await k('wait', '--for=condition=complete', 'job/once', 'job/now', '--timeout=60s');
    });

    it('apply and diff: from the client and from the server, pruned, and refused', async () => {
      const path = file('two.json', configMap('two', { a: '1' }, { labels: { set: 'w' } }));
      assert.match(await k('apply', '-f', path), 'configmap/two created');
      assert.match(await k('apply', '-f', path), 'configmap/two unchanged');
      assert.is(await k('diff', '-f', path), '');
      writeFileSync(path, JSON.stringify(configMap('two', { a: '2' }, { labels: { set: 'w' } })));
      assert.match(await refused('diff', '-f', path), /^\+ {2}a: "2"$/m);
      assert.match(await k('apply', '-f', path), 'configmap/two configured');
      assert.match(await k('apply', '-f', path, '--server-side'), 'configmap/two serverside-applied');
      const other = ['--server-side', '--field-manager=other'];
      writeFileSync(path, JSON.stringify(configMap('two', { a: '3' })));
      assert.match(await refused('apply', '-f', path, ...other), 'conflict with "kubectl"');
      assert.match(await k('apply', '-f', path, ...other, '--force-conflicts'), 'serverside-applied');
      const three = file('three.json', configMap('three', {}, { labels: { set: 'w' } }));
      assert.match(
        await k('apply', '-f', three, '--prune', '-l', 'set=w', '--prune-allowlist=core/v1/ConfigMap'),
        'configmap/two pruned',
      );
      const wrong = file('wrong.json', { ...configMap('four', {}), dota: {} });
      assert.match(await refused('apply', '-f', wrong), 'unknown field "dota"');
      assert.match(
        await k('apply', '-f', wrong, '--validate=ignore', '--dry-run=server'),
        'created (server dry run)',
      );
    });

    it('replace, edit, patch: changes, none, and wrong ones', async () => {
      assert.match(
        await k('replace', '-f', file('one.json', configMap('one', { a: '2' }))),
        'configmap/one replaced',
      );
      assert.match(await k('replace', '--force', '-f', join(dir, 'one.json')), 'configmap/one replaced');
      assert.match(await refused('replace', '-f', file('no.json', configMap('no', {}))), '(NotFound)');
      const editor = { KUBE_EDITOR: `sed -i 's/a: "2"/a: "3"/'` };
      assert.match(await withKubectl(editor, '', 'edit', 'configmap', 'one'), 'configmap/one edited');
      assert.is(await withKubectl({ KUBE_EDITOR: 'true' }, '', 'edit', 'cm', 'one'), '', 'nothing edited');
      assert.match(await k('patch', 'cm', 'one', '-p', '{"data":{"b":"1"}}'), 'configmap/one patched');
      assert.match(await k('patch', 'cm', 'one', '-p', '{"data":{"b":"1"}}'), '(no change)');
      const remove = '[{"op":"remove","path":"/data/b"}]';
      assert.match(await k('patch', 'cm', 'one', '--type=json', '-p', remove), 'configmap/one patched');
      assert.match(
        await refused('patch', 'cm', 'one', '--type=json', '-p', remove),
        /request is invalid|nonexistent|Unable/i,
      );
      const two = '{"spec":{"replicas":1}}';
      assert.match(
        await k('patch', 'deploy', 'made', '--subresource=scale', '--type=merge', '-p', two),
        'patched',
      );
      assert.match(
        await refused('patch', 'deploy', 'web', '-p', '{"spec":{"selector":{"matchLabels":{"app":"x"}}}}'),
        'field is immutable',
      );
    });

    it('label, annotate, set: and what is there already', async () => {
      assert.match(await k('label', 'cm', 'one', 'tier=a'), 'configmap/one labeled');
      assert.match(
        await refused('label', 'cm', 'one', 'tier=b'),
        `'tier' already has a value (a), and --overwrite is false`,
      );
      assert.match(await k('label', 'cm', 'one', 'tier-'), 'configmap/one unlabeled');
      assert.match(await k('annotate', 'cm', 'one', 'why=test'), 'configmap/one annotated');
      assert.match(await refused('label', 'cm', 'one', 'tier=b c'), 'invalid label value');
      assert.match(await k('set', 'image', 'deploy/made', 'busybox=busybox:latest'), 'image updated');
      assert.match(await k('set', 'env', 'deploy/made', 'MODE=dark'), 'env updated');
      assert.match(await k('set', 'env', 'deploy/made', '--list'), 'MODE=dark');
      assert.match(
        await k('set', 'resources', 'deploy/made', '--limits=memory=32Mi'),
        'resource requirements updated',
      );
      assert.match(await k('set', 'serviceaccount', 'deploy/made', 'robot'), 'serviceaccount updated');
      assert.match(await k('set', 'selector', 'svc/made', 'app=web'), 'selector updated');
      assert.match(
        await refused('set', 'image', 'deploy/made', 'nobody=x'),
        'unable to find container named "nobody"',
      );
    });

    it('scale, autoscale, expose', async () => {
      assert.match(await k('scale', 'deploy/made', '--replicas=0'), 'deployment.apps/made scaled');
      assert.match(
        await refused('scale', 'deploy/made', '--current-replicas=7', '--replicas=1'),
        'Expected replicas to be 7, was 0',
      );
      assert.match(
        await k('autoscale', 'deploy/made', '--min=1', '--max=2', '--cpu-percent=50'),
        'autoscaled',
      );
      assert.match(await k('get', 'hpa', 'made'), /Deployment\/made +cpu: <unknown>\/50% +1 +2/);
      assert.match(await k('expose', 'deploy/web', '--port=80', '--name=web'), 'service/web exposed');
      assert.match(await refused('expose', 'deploy/web', '--port=80', '--name=web'), '(AlreadyExists)');
      await k('delete', 'hpa', 'made');
    });

    it('rollout: status, history, undo, pause, resume, restart', async () => {
      assert.match(await k('rollout', 'status', 'deploy/web'), 'successfully rolled out');
      await k('set', 'env', 'deploy/web', 'COLOUR=blue');
      await k('annotate', 'deploy/web', 'kubernetes.io/change-cause=painted');
      assert.match(await k('rollout', 'status', 'deploy/web', '--timeout=90s'), 'successfully rolled out');
      assert.match(await k('rollout', 'history', 'deploy/web'), /^2 +painted$/m);
      assert.match(await k('rollout', 'history', 'deploy/web', '--revision=2'), /COLOUR:\s+blue/);
      assert.match(await k('rollout', 'undo', 'deploy/web'), 'deployment.apps/web rolled back');
      assert.match(await k('rollout', 'pause', 'deploy/web'), 'deployment.apps/web paused');
      assert.match(await refused('rollout', 'pause', 'deploy/web'), 'is already paused');
      assert.match(await refused('rollout', 'undo', 'deploy/web'), 'you cannot rollback a paused deployment');
      assert.match(await k('rollout', 'resume', 'deploy/web'), 'deployment.apps/web resumed');
      assert.match(await k('rollout', 'restart', 'deploy/web'), 'deployment.apps/web restarted');
      assert.match(await k('rollout', 'status', 'deploy/web', '--timeout=90s'), 'successfully rolled out');
      assert.match(
        await refused('rollout', 'undo', 'deploy/web', '--to-revision=99'),
        'unable to find specified revision 99',
      );
    });

    it('wait: for conditions, fields, creation and deletion, and in vain', async () => {
      assert.match(await k('wait', '--for=condition=Available', 'deploy/web'), 'condition met');
      assert.match(
        await k('wait', '--for=jsonpath={.status.readyReplicas}=2', 'deploy/web', '--timeout=60s'),
        'condition met',
      );
      const waiting = k('wait', '--for=create', 'cm/late', '--timeout=30s');
      await k('create', 'configmap', 'late');
      assert.match(await waiting, 'condition met');
      const gone = k('wait', '--for=delete', 'cm/late', '--timeout=30s');
      await k('delete', 'cm', 'late');
      await gone;
      assert.match(
        await refused('wait', '--for=condition=Odd', 'deploy/web', '--timeout=1s'),
        'timed out waiting for the condition',
      );
    });

    it('run, logs, exec, attach, cp, port-forward: processes on devices', async () => {
      const once = await withKubectl(
        {},
        'hi\n',
        'run',
        'echo',
        '-i',
        '--rm',
        '--restart=Never',
        `--image=${IMAGE}`,
        '--',
        'cat',
      );
      assert.match(once, 'hi');
      assert.match(await k('logs', 'deploy/web', '--tail=1'), 'tick');
      assert.match(
        await refused('logs', 'talker', '-c', 'nobody'),
        'container nobody is not valid for pod talker',
      );
      assert.is(await k('exec', 'talker', '--', 'echo', 'in'), 'in\n');
      const failed = await k('exec', 'talker', '--', 'sh', '-c', 'exit 7').catch((e: unknown) => e);
      assert.is(failed instanceof CommandError && failed.code, 7);
      const attached = start('attach', 'talker');
      await lab.eventually(() => attached.out().includes('tick'), { withinMs: 20_000 });
      attached.child.kill('SIGINT');
      await attached.ended;
      writeFileSync(join(dir, 'there'), 'and back');
      await k('cp', join(dir, 'there'), 'talker:/tmp/there');
      await k('cp', 'talker:/tmp/there', join(dir, 'back'));
      assert.is(readFileSync(join(dir, 'back'), 'utf8'), 'and back');
      const forward = start('port-forward', 'pod/talker', ':8080');
      const port = await lab.eventually(() => /127\.0\.0\.1:(\d+)/.exec(forward.out())?.[1], {
        withinMs: 20_000,
      });
      assert.match(await fetchText(`http://127.0.0.1:${port}/hostname`), 'talker');
      forward.child.kill('SIGINT');
      await forward.ended;
    });

    it('debug: into a pod, a copy of it, and on a node', async () => {
      await k('debug', 'talker', `--image=${IMAGE}`, '-c', 'looker', '--', 'sh', '-c', 'echo seen; sleep 1');
      await lab.eventually(async () => (await k('logs', 'talker', '-c', 'looker')).includes('seen'), {
        withinMs: 30_000,
      });
      await k('debug', 'talker', '--copy-to=talker-2', '--set-image=talker=busybox:latest');
      assert.is(
        await k('get', 'pod', 'talker-2', '-o', 'jsonpath={.spec.containers[0].image}'),
        'busybox:latest',
      );
      const made = await k('debug', 'node/worker-1', `--image=${IMAGE}`, '--', 'true');
      const [, debugger_ = ''] = /debugging pod (\S+) with/.exec(made) ?? [];
      assert.is(await k('get', 'pod', debugger_, '-o', 'jsonpath={.spec.nodeName}'), 'worker-1');
      assert.match(await refused('debug', 'nobody', `--image=${IMAGE}`), 'pods "nobody" not found');
    });

    it('describe, events, top', async () => {
      assert.match(await k('describe', 'pod', 'talker'), /Conditions:[\s\S]+Events:[\s\S]+Started/);
      assert.match(await k('describe', 'deploy', 'web'), /NewReplicaSet:[\s\S]+ScalingReplicaSet/);
      assert.match(await k('describe', 'node', 'worker-1'), /Allocated resources:/);
      assert.match(await k('events', '--for=pod/talker'), /Scheduled/);
      assert.match(
        await lab.kubectl('top', 'nodes'),
        /^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\)\s*\nworker-1 /,
      );
      await lab.eventually(
        async () => (await k('top', 'pod', 'talker', '--containers')).includes('talker '),
        {
          withinMs: 60_000,
          everyMs: 1000,
        },
      );
      assert.match(await refused('describe', 'pod', 'nobody'), 'pods "nobody" not found');
    });

    it('taint, cordon, drain, uncordon', async () => {
      const node = await k('get', 'pod', 'talker', '-o', 'jsonpath={.spec.nodeName}');
      assert.match(await lab.kubectl('taint', 'node', node, 'shelf=full:NoSchedule'), 'tainted');
      assert.match(await refused('taint', 'node', node, 'shelf=full:NoSchedule'), 'already has');
      assert.match(await lab.kubectl('taint', 'node', node, 'shelf-'), 'untainted');
      try {
        assert.match(await lab.kubectl('cordon', node), 'cordoned');
        assert.match(await lab.kubectl('get', 'node', node), 'Ready,SchedulingDisabled');
        assert.match(await refused('drain', node, '--pod-selector=app=talker'), 'declare no controller');
        assert.match(
          await k('drain', node, '--pod-selector=app=talker', '--force', '--timeout=60s'),
          'drained',
        );
      } finally {
        assert.match(await lab.kubectl('uncordon', node), 'uncordoned');
      }
    });

    it('auth, explain, and what there is', async () => {
      assert.is((await k('auth', 'can-i', 'create', 'pods')).trim(), 'yes');
      const robot = `--as=system:serviceaccount:${NS}:robot`;
      assert.match(await refused('auth', 'can-i', 'delete', 'pods', robot), 'no');
      assert.match(await k('auth', 'can-i', '--list', robot), /pods +\[\] +\[\] +\[get list\]/);
      assert.match(await k('auth', 'whoami', robot), `system:serviceaccount:${NS}:robot`);
      assert.match(
        await refused('delete', 'pod', 'x', robot),
        `User "system:serviceaccount:${NS}:robot" cannot delete resource "pods"`,
      );
      assert.match(await k('explain', 'deploy.spec.strategy'), 'FIELD: strategy <DeploymentStrategy>');
      assert.match(await refused('explain', 'deploy.spec.strotegy'), 'field "strotegy" does not exist');
      assert.match(
        await k('api-resources', '--api-group=apps'),
        /deployments +deploy +apps\/v1 +true +Deployment/,
      );
      assert.match(await k('api-versions'), /^batch\/v1$/m);
      assert.match(await k('cluster-info'), 'control plane');
      assert.match(await k('version'), /Server Version: v1\.32/);
      assert.is(await k('get', '--raw', '/readyz'), 'ok');
      assert.match(await refused('get', '--raw', '/nowhere'), '(NotFound)');
      const proxy = start('proxy', '--port=0');
      const port = await lab.eventually(() => /127\.0\.0\.1:(\d+)/.exec(proxy.out())?.[1], {
        withinMs: 20_000,
      });
      assert.match(await fetchText(`http://127.0.0.1:${port}/version`), '"gitVersion"');
      proxy.child.kill('SIGINT');
      await proxy.ended;
    });

    it('delete: by name, by label, all of a kind, and what is not there', async () => {
      assert.match(await k('delete', 'cm', 'one'), 'configmap "one" deleted');
      assert.match(await refused('delete', 'cm', 'one'), 'configmaps "one" not found');
      assert.is(await k('delete', 'cm', 'one', '--ignore-not-found'), '');
      assert.match(await k('delete', 'cm', '-l', 'set=w'), 'configmap "three" deleted');
      assert.match(
        await k('delete', 'jobs', '--all'),
        /job\.batch "now" deleted[\s\S]*job\.batch "once" deleted/,
      );
      assert.match(await k('delete', 'deploy', 'web', '--dry-run=server'), 'deleted (server dry run)');
      assert.match(
        await k('delete', 'deploy/web', '--cascade=foreground', '--timeout=60s'),
        'deployment.apps "web" deleted',
      );
      assert.is((await k('get', 'pods', '-l', 'app=web', '-o', 'name')).trim(), '');
    });
  },
  {
    caseTimeoutMs: 150_000,
    before: async () => {
      dir = mkdtempSync(join(tmpdir(), 'cox-wire-'));
      lab = await startLab({ workers: 2, name: 'wire' });
      await nodesReady(lab);
      await lab.kubectl('create', 'namespace', NS);
      await k('create', 'deployment', 'web', `--image=${IMAGE}`, '--replicas=2', '--', ...SLEEP);
      const serve = `mkdir /www; hostname >/www/hostname; httpd -p 8080 -h /www; ${SLEEP[2]}`;
      await k('run', 'talker', `--image=${IMAGE}`, '--labels=app=talker', '--', 'sh', '-c', serve);
      await k('wait', '--for=condition=Available', 'deploy/web', '--timeout=60s');
      await k('wait', '--for=condition=Ready', 'pod/talker', '--timeout=60s');
    },
    after: async () => {
      await lab?.kubectl('delete', 'namespace', NS, '--ignore-not-found', '--timeout=60s');
      await lab?.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  },
);
