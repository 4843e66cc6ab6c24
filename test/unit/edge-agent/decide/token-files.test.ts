import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { ConfigSource } from '../../../../edge-agent/decide/env.ts';
import { volumeContent, volumeRevision } from '../../../../edge-agent/decide/volume-files.ts';
import { toDesiredState } from '../../../../edge-agent/desired-state.ts';
import { configSource } from '../../../../edge-agent/pods/config-source.ts';
import { VolumeError } from '../../../../edge-agent/pods/volume-error.ts';
import { Volumes } from '../../../../edge-agent/pods/volumes.ts';
import type { PodSpec } from '../../../../protocol/kinds/pod.ts';
import type { DesiredPod, Item } from '../../../../protocol/wire/messages.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

const NODE = { nodeName: 'n', hostIp: '', podIp: '', cpuMilli: 1, memoryBytes: 1 };
const VOLUME = {
  name: 'access',
  projected: {
    defaultMode: 0o644,
    sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }],
  },
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const source = (tokens: Record<string, string>): ConfigSource => ({
  configMap: () => undefined,
  secret: () => undefined,
  token: (key) => tokens[key],
});
const given = (text: string): ConfigSource => source({ '3600 ': base64(text) });
const asking = (overrides: Partial<PodSpec> = {}): DesiredPod =>
  desiredPod('p', { volumes: [VOLUME], serviceAccountName: 'robot', ...overrides });

spec('token files', (it) => {
  it('wait for the hub, and say for which account', () => {
    const result = volumeContent(asking(), VOLUME, source({}), NODE);
    assert.is(result?.ok, false);
    assert.match(result?.ok === false ? result.message : '', /failed to fetch token: .*"default\/robot"/);
    const other = volumeContent(asking(), VOLUME, source({ '600 ': base64('x') }), NODE);
    assert.is(other?.ok, false, 'a token of another wish does not do');
  });

  const as = (runAsUser?: number) =>
    container({ ...(runAsUser === undefined ? {} : { securityContext: { runAsUser } }) });
  const cases: [string, Partial<PodSpec>, number, number | undefined][] = [
    ['has the mode of the volume', {}, 0o644, undefined],
    ['with fsGroup only owner and group read it', { securityContext: { fsGroup: 7 } }, 0o600, undefined],
    ['belongs to the user of the pod', { securityContext: { runAsUser: 5 } }, 0o600, 5],
    ['belongs to the user all containers share', { initContainers: [as(5)], containers: [as(5)] }, 0o600, 5],
    ['belongs to no one of several users', { containers: [as(5), as(6)] }, 0o644, undefined],
    ['belongs to nobody while one has no user', { containers: [as(5), as()] }, 0o644, undefined],
  ];
  for (const [name, overrides, mode, uid] of cases)
    it(name, () => {
      const result = volumeContent(asking(overrides), VOLUME, given('jwt'), NODE);
      assert.is(result?.ok && result.value.secret, true);
      const [file] = result?.ok ? result.value.files : [];
      assert.equal([file?.path, file?.mode, file?.uid], ['token', mode, uid]);
      assert.is(Buffer.from(file?.content ?? []).toString(), 'jwt');
    });

  it('are other content when the token is another', () => {
    const revision = (text: string): string => volumeRevision(asking(), given(text), NODE, (t) => t);
    assert.is(revision('a'), revision('a'));
    assert.is.not(revision('a'), revision('b'));
  });

  it('are written in memory and swapped in one step when the token is another', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cox-token-'));
    const volumes = new Volumes(join(folder, 'data'), join(folder, 'run'));
    const pod = asking();
    const refused = await volumes.prepare(pod, source({}), NODE).catch((error: unknown) => error);
    assert.instance(refused, VolumeError);
    await volumes.prepare(pod, given('first'), NODE);
    const path = join(volumes.paths(pod.metadata.uid).run, 'volumes', 'access');
    assert.is(readFileSync(join(path, 'token'), 'utf8'), 'first');
    assert.is(statSync(join(path, 'token')).mode & 0o777, 0o644);
    const before = readlinkSync(join(path, '..data'));
    await volumes.prepare(pod, given('first'), NODE);
    assert.is(readlinkSync(join(path, '..data')), before, 'nothing is written for nothing');
    await volumes.prepare(pod, given('second'), NODE);
    assert.is(readFileSync(join(path, 'token'), 'utf8'), 'second');
    const { mounts } = await volumes.containerVolumes(
      pod,
      container({ volumeMounts: [{ name: 'access', mountPath: '/a' }] }),
      new Map(),
    );
    assert.equal(mounts, [{ source: path, target: '/a', readOnly: true }]);
    rmSync(folder, { recursive: true });
  });
});

spec('tokens in the desired state', (it) => {
  const metadata = {
    name: 'token:uid-p',
    namespace: 'default',
    uid: 'uid-p',
    creationTimestamp: '',
    resourceVersion: '',
  };
  const item: Item = {
    key: 'secret/default/token:uid-p',
    rev: '1',
    kind: 'secret',
    body: { metadata, data: { '3600 ': base64('jwt') }, type: 'coxswain.dev/pod-tokens' },
  };
  const state = toDesiredState({ cluster: 'c', gen: 1, items: new Map([[item.key, item]]) });

  it('are there for their pod alone, and no Secret for anybody', () => {
    const own = configSource(state, desiredPod('p'));
    const other = configSource(state, desiredPod('q'));
    assert.is(own.token('3600 '), base64('jwt'));
    assert.is(other.token('3600 '), undefined);
    assert.equal([own.secret('token:uid-p'), other.secret('token:uid-p')], [undefined, undefined]);
  });
});
