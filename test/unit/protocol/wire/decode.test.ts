import * as assert from 'uvu/assert';
import { decodeControl, decodeReport, encodeMessage } from '../../../../protocol/wire/decode.ts';
import type { Control, Report } from '../../../../protocol/wire/messages.ts';
import { spec } from '../../../spec.ts';

const head = { boot: 'b', seq: 1 };
const facts = {
  cpuMilli: 4000,
  memoryBytes: 1,
  diskBytes: 1,
  maxPods: 30,
  reservedCpuMilli: 100,
  reservedMemoryBytes: 1,
  profile: 'pi-4',
  heartbeatMs: 3000,
  leaseMs: 8000,
  labels: { a: 'b' },
  addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
  system: {
    machineID: '',
    systemUUID: '',
    bootID: '',
    kernelVersion: '',
    osImage: '',
    containerRuntimeVersion: '',
    kubeletVersion: '',
    kubeProxyVersion: '',
    operatingSystem: 'linux',
    architecture: 'arm64',
  },
  conditions: [{ type: 'DiskPressure', status: 'False' as const }],
};

const reports: Report[] = [
  { t: 'hello', ...head, versions: [1], agent: '0.1.0', cluster: '', gen: 0, have: {}, facts },
  { t: 'facts', ...head, facts },
  { t: 'sync', ...head, cluster: 'c', gen: 3, have: { 'pod/1': 'r' } },
  {
    t: 'refused',
    ...head,
    reason: 'OlderGeneration',
    cluster: 'c',
    gen: 9,
    offeredGen: 3,
    pods: [{ uid: 'u', namespace: 'n', name: 'p' }],
  },
  {
    t: 'status',
    ...head,
    full: true,
    pods: [{ uid: 'u', namespace: 'n', name: 'p', status: { phase: 'Running' } }],
  },
  {
    t: 'events',
    ...head,
    events: [
      {
        id: 'e',
        involved: { kind: 'Pod' },
        type: 'Normal',
        reason: 'Started',
        message: 'm',
        count: 1,
        firstTimestamp: 't',
        lastTimestamp: 't',
      },
    ],
  },
  { t: 'facts', ...head, facts: { ...facts, dataDir: '/var/lib/coxswain', removedVolumes: ['pvc-1'] } },
];

const controls: Control[] = [
  { t: 'welcome', cluster: 'c', version: 1, hub: '0.1.0', atMs: 5 },
  { t: 'ack', boot: 'b', seq: 4 },
  { t: 'hello?' },
  {
    t: 'open',
    stream: 's',
    kind: 'exec',
    podUid: 'u',
    container: 'c',
    exec: { command: ['sh'], stdin: true, stdout: true, stderr: true, tty: false },
  },
  {
    t: 'desired',
    cluster: 'c',
    gen: 7,
    base: null,
    items: [
      {
        key: 'pod/u',
        rev: 'r',
        kind: 'pod',
        body: {
          metadata: { name: 'p', namespace: 'n', uid: 'u' },
          spec: { containers: [{ name: 'c', image: 'i' }] },
        },
      },
    ],
    set: { 'pod/u': 'r' },
    del: [],
  },
  {
    t: 'desired',
    cluster: 'c',
    gen: 8,
    base: 7,
    items: [
      {
        key: 'pod/v',
        rev: 'r',
        kind: 'pod',
        body: {
          metadata: { name: 'v', namespace: 'n', uid: 'v' },
          spec: { containers: [] },
          claims: { data: { volume: 'pvc-1' }, disk: { volume: 'pv', path: '/mnt', readOnly: true } },
        },
      },
      { key: 'node', rev: 'r', kind: 'node', body: { removeVolumes: ['pvc-2'] } },
    ],
    set: { 'pod/v': 'r', node: 'r' },
    del: [],
  },
];

const whyOf = (decode: typeof decodeReport | typeof decodeControl, message: unknown): string => {
  const decoded = decode(new TextEncoder().encode(JSON.stringify(message)));
  return decoded.ok ? 'accepted' : decoded.why;
};

spec('decodeReport', (it) => {
  for (const report of reports) {
    it(`reads ${report.t}`, () =>
      assert.equal(decodeReport(encodeMessage(report)), { ok: true, value: report }));
  }
  it('ignores fields it does not know', () =>
    assert.is(whyOf(decodeReport, { ...reports[2], later: [1] }), 'accepted'));
  const bad: readonly [unknown, string][] = [
    [null, 't: unknown message'],
    [[], 't: unknown message'],
    [{ t: 'constructor' }, 't: unknown message'],
    [{ t: 'ack', boot: 'b', seq: 1 }, 't: unknown message'],
    [{ ...reports[2], boot: '' }, 'boot: not a non-empty string'],
    [{ ...reports[2], seq: 1.5 }, 'seq: not a whole number'],
    [{ ...reports[2], have: { a: 1 } }, 'have.a: not a string'],
    [{ t: 'status', ...head, pods: [{ uid: 'u' }] }, 'pods[0].namespace: not a non-empty string'],
    [
      { t: 'status', ...head, pods: [{ uid: 'u', namespace: 'n', name: 'p', status: { phase: 'Dancing' } }] },
      'pods[0].status.phase: not one of Pending, Running, Succeeded, Failed, Unknown',
    ],
    [
      {
        t: 'hello',
        ...head,
        versions: [1],
        agent: 'a',
        cluster: '',
        gen: 0,
        have: {},
        facts: { ...facts, conditions: [{ type: 'X', status: 'yes' }] },
      },
      'facts.conditions[0].status: not one of True, False, Unknown',
    ],
  ];
  for (const [message, why] of bad) it(why, () => assert.is(whyOf(decodeReport, message), why));
  it('refuses bytes that are not UTF-8 JSON', () => {
    assert.equal(decodeReport(Uint8Array.of(0xff, 0xfe)), { ok: false, why: 'not JSON in UTF-8' });
  });
});

spec('decodeControl', (it) => {
  for (const control of controls) {
    it(`reads ${control.t}`, () =>
      assert.equal(decodeControl(encodeMessage(control)), { ok: true, value: control }));
  }
  it('refuses an item without its kind or body', () => {
    const desired = { ...controls[4], items: [{ key: 'k', rev: 'r', kind: 'moon', body: {} }] };
    assert.is(whyOf(decodeControl, desired), 'items[0].kind: not one of pod, configmap, secret, node');
    const bare = {
      ...controls[4],
      items: [{ key: 'k', rev: 'r', kind: 'pod', body: { metadata: { name: 'p' } } }],
    };
    assert.is(whyOf(decodeControl, bare), 'items[0].body.metadata.uid: not a non-empty string');
  });
});
