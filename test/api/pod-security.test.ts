/** The real kubectl in namespaces that say by their labels which pods they let in. */
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { type RealHub, startRealHub } from './real-hub.ts';

let hub: RealHub;

const FAULT = /"baseline:latest": host namespaces \(hostNetwork=true\)/;
const HOST = '--overrides={"spec":{"hostNetwork":true}}';

const run = (name: string, ...args: string[]): ReturnType<RealHub['kubectl']> =>
  hub.kubectl('run', name, '--image=busybox', '-n', 'guarded', ...args);

spec(
  'Pod Security by labels of namespaces',
  (it) => {
    it('takes levels that there are, and a namespace with them', async () => {
      await hub.kubectl('create', 'namespace', 'guarded');
      const label = (text: string): ReturnType<RealHub['kubectl']> =>
        hub.kubectl('label', 'namespace', 'guarded', `pod-security.kubernetes.io/${text}`);
      const bad = await label('enforce=strict');
      assert.match(bad.err, /Invalid value: "strict": must be one of privileged, baseline, restricted/);
      assert.is((await label('enforce=baseline')).code, 0);
      assert.is((await label('warn=restricted')).code, 0);
    });

    it('refuses pods below the level, and warns of those below the other', async () => {
      const refused = await run('host', HOST);
      assert.is(refused.code, 1);
      assert.match(refused.err, /pods "host" is forbidden: violates PodSecurity/);
      assert.match(refused.err, FAULT);
      const warned = await run('usual');
      assert.is(warned.code, 0, warned.err);
      assert.match(
        warned.err,
        /^Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation/,
      );
      assert.is((await hub.kubectl('run', 'host', '--image=busybox', HOST)).code, 0, 'elsewhere it may run');
    });

    it('warns of workloads and lets their pods tell the rest', async () => {
      const { code, err } = await hub.kubectl(
        'create',
        'deployment',
        'web',
        '--image=busybox',
        '-n',
        'guarded',
      );
      assert.is(code, 0);
      assert.match(err, /^Warning: would violate PodSecurity "restricted:latest"/);
    });

    it('refuses containers that are put into a pod for debugging', async () => {
      const args = [
        'debug',
        'usual',
        '-n',
        'guarded',
        '--image=busybox',
        '--profile=general',
        '--attach=false',
      ];
      const { code, err } = await hub.kubectl(...args);
      assert.is(code, 1);
      // This profile lets the container trace others.
      assert.match(err, /violates PodSecurity "baseline:latest": non-default capabilities .*"SYS_PTRACE"/);
      const patched = await hub.kubectl('label', 'pod', 'usual', 'a=b', '-n', 'guarded');
      assert.is(patched.code, 0, 'what is there may be changed otherwise');
    });
  },
  {
    caseTimeoutMs: 60_000,
    before: async () => {
      hub = await startRealHub();
    },
    after: () => hub.stop(),
  },
);
