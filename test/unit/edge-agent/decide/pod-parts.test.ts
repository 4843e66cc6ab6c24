import * as assert from 'uvu/assert';
import { decodeBase64, decodeBase64Text } from '../../../../edge-agent/decide/base64.ts';
import { readLabels, writeLabels } from '../../../../edge-agent/decide/container.ts';
import { allocateAddress, gatewayOf } from '../../../../edge-agent/decide/pod-address.ts';
import { pullPolicy, qosClass } from '../../../../edge-agent/decide/pod-shape.ts';
import {
  applyVerdict,
  NO_RESULTS,
  probeRuns,
  probeVerdict,
  tallyResult,
} from '../../../../edge-agent/decide/probe.ts';
import { afterRestart, restartAtMs, retryDelayMs } from '../../../../edge-agent/decide/restart.ts';
import { isInside, volumeContent } from '../../../../edge-agent/decide/volume-files.ts';
import { contains, parseRange } from '../../../../protocol/ipv4.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

spec('pod addresses', (it) => {
  const range = parseRange('10.4.0.0/29');
  it('gives the lowest free one, never network, gateway or broadcast', () => {
    assert.ok(range);
    if (range === undefined) return;
    const used = new Set<string>();
    for (const expected of ['10.4.0.2', '10.4.0.3', '10.4.0.4', '10.4.0.5', '10.4.0.6', undefined]) {
      const address = allocateAddress(range, used);
      assert.is(address, expected);
      if (address !== undefined) used.add(address);
    }
    assert.is(gatewayOf(range), '10.4.0.1');
    assert.ok(contains(range, '10.4.0.7'));
    assert.not(contains(range, '10.4.0.8'));
  });
  for (const text of ['', '10.0.0.0', '10.0.0.0/31', '300.0.0.0/8', '10.0.0.0/x', '::/64'])
    it(`refuses ${text || 'nothing'}`, () => assert.is(parseRange(text), undefined));
});

spec('crash back-off', (it) => {
  it('doubles from ten seconds to five minutes', () => {
    let backoff = afterRestart(undefined, 0, 0);
    const delays = [backoff.delayMs];
    for (let i = 0; i < 6; i++) {
      backoff = afterRestart(backoff, 1000, 1000);
      delays.push(backoff.delayMs);
    }
    assert.equal(delays, [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
  });
  it('lets the first restart happen at once', () => assert.is(restartAtMs(undefined, 77), 77));
  it('retries other failures after 10 s and more', () => {
    assert.equal([1, 2, 9].map(retryDelayMs), [10_000, 20_000, 300_000]);
  });
});

spec('probes', (it) => {
  const probe = { failureThreshold: 2, successThreshold: 2 };
  it('change their verdict only at the thresholds', () => {
    let tally = NO_RESULTS;
    const verdicts = (['failure', 'failure', 'success', 'success'] as const).map((outcome) => {
      tally = tallyResult(tally, outcome);
      return probeVerdict(probe, tally);
    });
    assert.equal(verdicts, [undefined, false, undefined, true]);
  });
  it('condemn by startup and liveness, toggle by readiness', () => {
    const run = { started: false, ready: false, healthy: true };
    assert.is(applyVerdict(run, 'startup', true).started, true);
    assert.is(applyVerdict(run, 'startup', false).healthy, false);
    assert.is(applyVerdict(run, 'liveness', false).healthy, false);
    assert.is(applyVerdict(run, 'readiness', true).ready, true);
  });
  it('wait for the startup probe', () => {
    const run = { started: false, ready: false, healthy: true };
    assert.ok(probeRuns(run, 'startup'));
    assert.not(probeRuns(run, 'liveness'));
    assert.ok(probeRuns({ ...run, started: true }, 'liveness'));
    assert.not(probeRuns({ ...run, started: true }, 'startup'));
  });
});

spec('pod shape', (it) => {
  const limits = { cpu: '1', memory: '1Gi' };
  const classes = [
    ['BestEffort', undefined],
    ['Guaranteed', { limits }],
    ['Guaranteed', { limits, requests: { cpu: '1000m', memory: '1024Mi' } }],
    ['Burstable', { limits, requests: { cpu: '500m' } }],
    ['Burstable', { requests: { memory: '1Mi' } }],
  ] as const;
  for (const [expected, resources] of classes)
    it(`${expected} for ${JSON.stringify(resources)}`, () => {
      const one = container(resources === undefined ? {} : { resources });
      assert.is(qosClass({ containers: [one] }), expected);
    });
  const policies = [
    ['busybox', 'Always'],
    ['busybox:latest', 'Always'],
    ['busybox:2', 'IfNotPresent'],
    ['host:5000/a/b', 'Always'],
    ['host:5000/a/b:1', 'IfNotPresent'],
    ['busybox@sha256:00', 'IfNotPresent'],
  ] as const;
  for (const [image, expected] of policies)
    it(`pulls ${image} ${expected}`, () => {
      const { imagePullPolicy: _, ...plain } = container({ image });
      assert.is(pullPolicy(plain), expected);
    });
});

spec('labels', (it) => {
  const identity = {
    podUid: 'u',
    podName: 'p',
    podNamespace: 'n',
    name: 'main',
    role: 'app' as const,
    attempt: 3,
    specHash: 'h',
    generation: 'g',
    podIp: '10.0.0.2',
    podStartMs: 5,
    graceSeconds: 0,
  };
  it('bring a container back', () => assert.equal(readLabels(writeLabels(identity)), identity));
  it('with a damaged grace give the pod the default one', () =>
    assert.is(
      readLabels({ ...writeLabels(identity), 'coxswain.dev/grace-seconds': 'soon' })?.graceSeconds,
      undefined,
    ));
  it('of others are left alone', () => assert.is(readLabels({ 'coxswain.dev/pod-uid': 'u' }), undefined));
});

spec('volume files', (it) => {
  const NODE = { nodeName: 'n', hostIp: '', podIp: '', cpuMilli: 1, memoryBytes: 1 };
  const config = {
    configMap: () => ({ data: { a: 'text' }, binaryData: { b: 'AP8=' } }),
    secret: () => undefined,
    token: () => undefined,
  };
  const files = (volume: object) => volumeContent(desiredPod('p'), { name: 'v', ...volume }, config, NODE);

  it('are the keys, or the chosen ones under their paths', () => {
    const all = files({ configMap: { name: 'cm', defaultMode: 0o600 } });
    assert.equal(all?.ok && all.value.files.map((f) => [f.path, [...f.content], f.mode]), [
      ['a', [116, 101, 120, 116], 0o600],
      ['b', [0, 255], 0o600],
    ]);
    const some = files({ configMap: { name: 'cm', items: [{ key: 'a', path: 'x/y', mode: 0o400 }] } });
    assert.equal(some?.ok && some.value.files.map((f) => [f.path, f.mode]), [['x/y', 0o400]]);
  });
  it('are refused when missing or leading out', () => {
    assert.is(files({ secret: { secretName: 's' } })?.ok, false);
    assert.is(files({ configMap: { name: 'cm', items: [{ key: 'a', path: '../x' }] } })?.ok, false);
    assert.is(files({ configMap: { name: 'cm', items: [{ key: 'none', path: 'x' }] } })?.ok, false);
  });
  it('know secrets from the rest', () => {
    const sources = [{ configMap: { name: 'cm' } }, { secret: { name: 's', optional: true } }];
    const result = files({ projected: { sources } });
    assert.is(result?.ok && result.value.secret, true);
  });
  for (const [path, expected] of [
    ['a', true],
    ['a/b', true],
    ['/a', false],
    ['..', false],
    ['a/../b', false],
    ['..a', false],
    ['', false],
  ] as const)
    it(`"${path}" is ${expected ? 'inside' : 'refused'}`, () => assert.is(isInside(path), expected));
});

spec('base64', (it) => {
  for (const text of ['', 'a', 'ab', 'abc', 'ünïcode', 'x'.repeat(100)])
    it(`decodes ${text.slice(0, 8)}`, () => {
      assert.is(decodeBase64Text(Buffer.from(text).toString('base64')), text);
    });
  it('stops at what is no base64', () => assert.equal([...decodeBase64('QQ==garbage')], [65]));
});
