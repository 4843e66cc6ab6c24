import * as assert from 'uvu/assert';
import { type ConfigSource, expand, resolveEnv } from '../../../../edge-agent/decide/env.ts';
import { fieldValue, resourceValue } from '../../../../edge-agent/decide/field-ref.ts';
import { container, desiredPod } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

const NODE = { nodeName: 'n1', hostIp: '10.0.0.1', podIp: '10.1.1.2', cpuMilli: 4000, memoryBytes: 2 ** 30 };
const CONFIG: ConfigSource = {
  configMap: (name) => (name === 'cm' ? { data: { color: 'blue', 'bad name': 'x' } } : undefined),
  secret: (name) => (name === 'sec' ? { data: { pass: 'aHVudGVyMg==' } } : undefined),
  token: () => undefined,
};
const pod = desiredPod('p', {}, { labels: { app: 'web' }, annotations: { note: 'a "b"' } });

function env(overrides: Parameters<typeof container>[0]): Record<string, string> | string {
  const result = resolveEnv(pod, container(overrides), CONFIG, NODE);
  return result.ok ? Object.fromEntries(result.value) : result.message;
}

spec('environment', (it) => {
  it('takes whole ConfigMaps and Secrets first, single values later and over them', () => {
    const actual = env({
      envFrom: [{ configMapRef: { name: 'cm' } }, { prefix: 'S_', secretRef: { name: 'sec' } }],
      env: [{ name: 'color', value: 'red' }],
    });
    assert.equal(actual, { color: 'red', S_pass: 'hunter2' });
  });

  it('expands what was defined before, and only that', () => {
    const expected = { A: '1', B: '1-$(C)', C: '3', D: '$(A)' };
    const list = [
      { name: 'A', value: '1' },
      { name: 'B', value: '$(A)-$(C)' },
      { name: 'C', value: '3' },
      { name: 'D', value: '$$(A)' },
    ];
    assert.equal(env({ env: list }), expected);
  });

  it('says what is missing, unless it is optional', () => {
    const ref = (name: string, key: string, optional = false) => ({
      env: [{ name: 'X', valueFrom: { configMapKeyRef: { name, key, optional } } }],
    });
    assert.is(env(ref('none', 'k')), 'configmap "none" not found');
    assert.is(env(ref('cm', 'k')), "couldn't find key k in ConfigMap default/cm");
    assert.equal(env(ref('none', 'k', true)), {});
    assert.is(env({ envFrom: [{ secretRef: { name: 'none' } }] }), 'secret "none" not found');
  });

  const fields = [
    ['metadata.name', 'p'],
    ['metadata.namespace', 'default'],
    ["metadata.labels['app']", 'web'],
    ["metadata.labels['none']", ''],
    ['metadata.annotations', 'note="a \\"b\\""'],
    ['spec.nodeName', 'n1'],
    ['status.podIP', '10.1.1.2'],
    ['status.hostIP', '10.0.0.1'],
    ['spec.unknown', undefined],
  ] as const;
  for (const [path, expected] of fields) {
    it(`reads ${path}`, () => assert.is(fieldValue(pod, NODE, path), expected));
  }

  it('reads requests and limits in units of the divisor, with the node for a missing limit', () => {
    const limited = { containers: [container({ resources: { limits: { cpu: '1500m', memory: '64Mi' } } })] };
    const value = (resource: string, divisor?: string) =>
      resourceValue(limited, NODE, { resource, ...(divisor ? { divisor } : {}) }, 'main');
    assert.is(value('limits.cpu'), '2');
    assert.is(value('limits.cpu', '1m'), '1500');
    assert.is(value('limits.memory', '1Mi'), '64');
    assert.is(value('requests.memory'), '0');
    assert.is(value('limits.ephemeral-storage'), '0');
  });

  const texts = [
    ['$(A)', '1'],
    ['x$(A)y', 'x1y'],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['$$$(A)', '$1'],
  ] as const;
  for (const [text, expected] of texts)
    it(`expands ${text}`, () => assert.is(expand(text, new Map([['A', '1']])), expected));
});
