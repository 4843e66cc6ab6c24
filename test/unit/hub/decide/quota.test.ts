import * as assert from 'uvu/assert';
import {
  applyLimitRanges,
  limitErrorsOfClaim,
  limitErrorsOfPod,
} from '../../../../hub/decide/limit-range.ts';
import { refuseSecondDefault, resolvePriority } from '../../../../hub/decide/priority.ts';
import { quotaStatus, refuseByQuota, takenOf } from '../../../../hub/decide/quota.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import type { Pod, PodSpec, ResourceRequirements } from '../../../../protocol/kinds/pod.ts';
import type {
  LimitRange,
  LimitRangeItem,
  PriorityClass,
  ResourceQuota,
} from '../../../../protocol/kinds/policy.ts';
import type { PersistentVolumeClaim } from '../../../../protocol/kinds/storage.ts';
import { spec } from '../../../spec.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const PODS = { group: '', plural: 'pods' };
const meta = (name: string): KubeObject['metadata'] => ({
  name,
  namespace: 'default',
  uid: name,
  resourceVersion: '1',
  creationTimestamp: '2026-01-01T00:00:00Z',
});
const pod = (
  resources: ResourceRequirements = {},
  more: Partial<PodSpec> = {},
  phase: 'Running' | 'Succeeded' = 'Running',
): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: meta('p'),
  spec: { containers: [{ name: 'main', image: 'i', resources }], ...more },
  status: { phase },
});
const quota = (hard: Record<string, string>, more: Partial<ResourceQuota['spec']> = {}): ResourceQuota => ({
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: meta('q'),
  spec: { hard, ...more },
});
const small = { requests: { cpu: '500m', memory: '256Mi' }, limits: { cpu: '1', memory: '512Mi' } };

spec('refuseByQuota', (it) => {
  const leaving = {
    ...pod(),
    metadata: { ...meta('p'), deletionTimestamp: '2025-12-31T00:00:00Z', deletionGracePeriodSeconds: 30 },
  };
  const cases: readonly [string, ResourceQuota, Pod, readonly Pod[], string | undefined][] = [
    ['allows what fits', quota({ pods: '2' }), pod(), [pod()], undefined],
    [
      'refuses the next',
      quota({ pods: '1' }),
      pod(),
      [pod()],
      'exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1',
    ],
    [
      'does not count pods that have ended',
      quota({ pods: '1' }),
      pod(),
      [pod({}, {}, 'Succeeded')],
      undefined,
    ],
    [
      'counts them as objects',
      quota({ 'count/pods': '1' }),
      pod(),
      [pod({}, {}, 'Succeeded')],
      'exceeded quota: q, requested: count/pods=1, used: count/pods=1, limited: count/pods=1',
    ],
    ['does not count pods that should long be gone', quota({ pods: '1' }), pod(), [leaving], undefined],
    [
      'adds up amounts and names all that are too much',
      quota({ 'requests.cpu': '600m', 'limits.memory': '1Gi', memory: '300Mi' }),
      pod(small),
      [pod(small)],
      'exceeded quota: q, requested: memory=256Mi,requests.cpu=500m, used: memory=256Mi,requests.cpu=500m, limited: memory=300Mi,requests.cpu=600m',
    ],
    [
      'wants amounts to be stated',
      quota({ 'requests.cpu': '1', 'limits.memory': '1Gi' }),
      pod(),
      [],
      'failed quota: q: must specify limits.memory for: main; requests.cpu for: main',
    ],
    ['leaves other kinds alone', quota({ configmaps: '0' }), pod(), [], undefined],
    [
      'looks only at best effort',
      quota({ pods: '0' }, { scopes: ['BestEffort'] }),
      pod(small),
      [],
      undefined,
    ],
    [
      'finds best effort',
      quota({ pods: '0' }, { scopes: ['BestEffort'] }),
      pod(),
      [],
      'exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0',
    ],
    [
      'leaves pods with a deadline alone',
      quota({ pods: '0' }, { scopes: ['NotTerminating'] }),
      pod({}, { activeDeadlineSeconds: 5 }),
      [],
      undefined,
    ],
    [
      'picks by class of priority',
      quota(
        { pods: '0' },
        {
          scopeSelector: {
            matchExpressions: [{ scopeName: 'PriorityClass', operator: 'In', values: ['high'] }],
          },
        },
      ),
      pod({}, { priorityClassName: 'high' }),
      [],
      'exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0',
    ],
  ];
  for (const [name, q, created, present, expected] of cases)
    it(name, () =>
      assert.is(
        refuseByQuota(q, PODS, created, NOW, () => takenOf(q, PODS, present, NOW)),
        expected,
      ),
    );

  it('counts objects of any group, and storage by class', () => {
    const job = { apiVersion: 'batch/v1', kind: 'Job', metadata: meta('j') };
    const why = refuseByQuota(
      quota({ 'count/jobs.batch': '0' }),
      { group: 'batch', plural: 'jobs' },
      job,
      NOW,
      () => ({}),
    );
    assert.is(
      why,
      'exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=0, limited: count/jobs.batch=0',
    );
    const claim: PersistentVolumeClaim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: meta('c'),
      spec: { storageClassName: 'fast', resources: { requests: { storage: '2Gi' } } },
    };
    const key = 'fast.storageclass.storage.k8s.io/requests.storage';
    const claims = { group: '', plural: 'persistentvolumeclaims' };
    assert.is(
      refuseByQuota(quota({ [key]: '1Gi' }), claims, claim, NOW, () => ({})),
      `exceeded quota: q, requested: ${key}=2Gi, used: ${key}=0, limited: ${key}=1Gi`,
    );
  });

  it('shows in the status what is used', () => {
    const limits = quota({ pods: '5', 'requests.cpu': '2', secrets: '1' });
    const status = quotaStatus(limits, takenOf(limits, PODS, [pod(small), pod(small)], NOW));
    assert.equal(status.used, { pods: '2', 'requests.cpu': '1', secrets: '0' });
    assert.equal(status.hard, { pods: '5', 'requests.cpu': '2', secrets: '1' });
  });
});

spec('limit ranges', (it) => {
  const range = (...limits: LimitRangeItem[]): LimitRange[] => [
    { apiVersion: 'v1', kind: 'LimitRange', metadata: meta('l'), spec: { limits } },
  ];
  it('fill in what containers leave open, and say so', () => {
    const subject = pod({ limits: { memory: '64Mi' } });
    applyLimitRanges(
      subject,
      range({ type: 'Container', default: { cpu: '1', memory: '128Mi' }, defaultRequest: { cpu: '100m' } }),
    );
    assert.equal(subject.spec.containers[0]?.resources, {
      limits: { cpu: '1', memory: '64Mi' },
      requests: { cpu: '100m' },
    });
    assert.is(
      subject.metadata.annotations?.['kubernetes.io/limit-ranger'],
      'LimitRanger plugin set: cpu request for container main; cpu limit for container main',
    );
  });

  const cases: readonly [string, LimitRangeItem, ResourceRequirements, string[]][] = [
    ['within', { type: 'Container', min: { cpu: '100m' }, max: { cpu: '2' } }, small, []],
    [
      'above the limit',
      { type: 'Container', max: { cpu: '500m' } },
      small,
      ['maximum cpu usage per Container is 500m, but limit is 1'],
    ],
    [
      'no limit',
      { type: 'Container', max: { cpu: '500m' } },
      {},
      ['maximum cpu usage per Container is 500m.  No limit is specified'],
    ],
    [
      'below the minimum',
      { type: 'Container', min: { memory: '1Gi' } },
      small,
      ['minimum memory usage per Container is 1Gi, but request is 256Mi'],
    ],
    [
      'the pod in all',
      { type: 'Pod', max: { memory: '256Mi' } },
      small,
      ['maximum memory usage per Pod is 256Mi, but limit is 512Mi'],
    ],
    [
      'the ratio',
      { type: 'Container', maxLimitRequestRatio: { cpu: '1' } },
      small,
      ['cpu max limit to request ratio per Container is 1, but provided ratio is 2.000000'],
    ],
  ];
  for (const [name, item, resources, expected] of cases)
    it(name, () => assert.equal(limitErrorsOfPod(pod(resources), range(item)), expected));

  it('bound claims', () => {
    const claim: PersistentVolumeClaim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: meta('c'),
      spec: { resources: { requests: { storage: '5Gi' } } },
    };
    const item = { type: 'PersistentVolumeClaim', max: { storage: '2Gi' } };
    assert.equal(limitErrorsOfClaim(claim, range(item)), [
      'maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 5Gi',
    ]);
  });
});

spec('resolvePriority', (it) => {
  const high: PriorityClass = {
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: meta('high'),
    value: 100,
    preemptionPolicy: 'Never',
  };
  const usual: PriorityClass = { ...high, metadata: meta('usual'), value: 5, globalDefault: true };
  const cases: readonly [
    string,
    Partial<PodSpec>,
    readonly PriorityClass[],
    string | undefined,
    (number | string | undefined)[],
  ][] = [
    ['none', {}, [], undefined, [0, 'PreemptLowerPriority', undefined]],
    ['its class', { priorityClassName: 'high' }, [high], undefined, [100, 'Never', 'high']],
    ['the default class', {}, [high, usual], undefined, [5, 'Never', 'usual']],
    [
      'a system class',
      { priorityClassName: 'system-node-critical' },
      [],
      undefined,
      [2_000_001_000, 'PreemptLowerPriority', 'system-node-critical'],
    ],
    [
      'an unknown class',
      { priorityClassName: 'nope' },
      [high],
      'no PriorityClass with name nope was found',
      [undefined, undefined, 'nope'],
    ],
    [
      'a number of its own',
      { priority: 7 },
      [],
      'the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
      [7, undefined, undefined],
    ],
  ];
  for (const [name, more, classes, why, after] of cases)
    it(name, () => {
      const subject = pod({}, more);
      assert.is(
        resolvePriority(
          subject,
          (n) => classes.find((c) => c.metadata.name === n),
          () => classes,
        ),
        why,
      );
      assert.equal(
        [subject.spec.priority, subject.spec.preemptionPolicy, subject.spec.priorityClassName],
        after,
      );
    });

  it('lets there be one default class', () => {
    assert.is(refuseSecondDefault(usual, []), undefined);
    assert.is(refuseSecondDefault(usual, [usual]), undefined, 'itself written again');
    const second = { ...usual, metadata: { ...usual.metadata, name: 'second' } };
    assert.is(refuseSecondDefault({ ...second, globalDefault: false }, [usual]), undefined);
    assert.is(
      refuseSecondDefault(second, [usual]),
      'PriorityClass usual is already marked as default. Only one default can exist',
    );
  });
});
