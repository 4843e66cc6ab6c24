import * as assert from 'uvu/assert';
import { type JobPlan, planJob } from '../../../../hub/decide/job.ts';
import { formatIndexes, parseIndexes } from '../../../../hub/decide/job-indexes.ts';
import type { JobSpec, JobStatus } from '../../../../protocol/kinds/batch.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { jobWorld, onceTemplate, plainJob, jobPodOf as pod } from '../../../build/jobs.ts';
import { spec } from '../../../spec.ts';

const plan = (
  jobSpec: Partial<JobSpec>,
  pods: readonly Pod[],
  status: JobStatus = {},
  afterS = 3600,
): JobPlan => planJob(jobWorld(plainJob(jobSpec, status), pods, afterS));
const uids = (pods: readonly Pod[]): string[] => pods.map((p) => p.metadata.uid).sort();
const verdict = (p: JobPlan): string[] =>
  (p.status.conditions ?? []).map((c) => `${c.type}:${c.reason ?? ''}`);

spec('planJob, which pods', (it) => {
  const indexed = { completionMode: 'Indexed', completions: 4, parallelism: 4 } as const;
  const cases: readonly [
    string,
    Partial<JobSpec>,
    readonly Pod[],
    JobStatus,
    (number | undefined)[],
    string[],
  ][] = [
    [
      'makes as many as may work side by side',
      { completions: 6, parallelism: 3 },
      [pod('a')],
      {},
      [undefined, undefined],
      [],
    ],
    [
      'makes no more than are missing',
      { completions: 6, parallelism: 3 },
      [pod('a')],
      { succeeded: 4 },
      [undefined],
      [],
    ],
    [
      'counts what has just ended',
      { completions: 2, parallelism: 2 },
      [pod('a', { phase: 'Succeeded' })],
      {},
      [undefined],
      [],
    ],
    [
      'takes away what is too much',
      { completions: 6, parallelism: 1 },
      [pod('a'), pod('b', { phase: 'Pending' })],
      {},
      [],
      ['b'],
    ],
    [
      'lets a work queue drain after the first success',
      { parallelism: 3, completions: undefined as never },
      [pod('a')],
      { succeeded: 1 },
      [],
      [],
    ],
    [
      'replaces a pod that is being deleted',
      {},
      [pod('a', { deleting: true, endedAt: '2026-01-01T00:00:00Z' })],
      {},
      [undefined],
      [],
    ],
    [
      'waits for its end when told to',
      { podReplacementPolicy: 'Failed' },
      [pod('a', { deleting: true })],
      {},
      [],
      [],
    ],
    [
      'replaces it once nothing is left to stop',
      { podReplacementPolicy: 'Failed' },
      [pod('a', { deleting: true, graceSeconds: 0 })],
      {},
      [undefined],
      [],
    ],
    [
      'makes the lowest open indexes',
      { ...indexed, parallelism: 2 },
      [pod('a', { index: 1 })],
      { completedIndexes: '0' },
      [2],
      [],
    ],
    [
      'removes the double of an index',
      indexed,
      [pod('a', { index: 0 }), pod('b', { index: 0, phase: 'Pending' })],
      {},
      [],
      ['b'],
    ],
    [
      'removes pods of indexes it does not have',
      { ...indexed, completions: 1, parallelism: 1 },
      [pod('a', { index: 0 }), pod('b', { index: 3 })],
      {},
      [],
      ['b'],
    ],
    ['stops all when suspended', { suspend: true, parallelism: 2 }, [pod('a'), pod('b')], {}, [], ['a', 'b']],
  ];
  for (const [name, jobSpec, pods, status, create, remove] of cases) {
    it(name, () => {
      const found = plan(jobSpec, pods, status);
      assert.equal(
        found.create.map((c) => c.index),
        create,
      );
      assert.equal(uids(found.remove), remove);
    });
  }

  it('waits longer with every failure in a row, from the end of the last', () => {
    const failed = (n: number): Pod[] =>
      Array.from({ length: n }, (_, i) => pod(`f${i}`, { phase: 'Failed', endedAt: '2026-01-01T00:59:59Z' }));
    assert.equal(
      [1, 2, 3, 7].map((n) => plan({ backoffLimit: 9 }, failed(n)).lookAgainMs),
      [9_000, 19_000, 39_000, 359_000],
    );
    const good = pod('g', { phase: 'Succeeded', endedAt: '2026-01-01T00:59:59Z' });
    assert.is(plan({ completions: 2 }, [...failed(3), good]).create.length, 1);
  });

  it('trusts no device that is in the past or the future', () => {
    for (const endedAt of ['1970-01-01T00:00:00Z', '2099-01-01T00:00:00Z']) {
      const found = plan({}, [pod('a', { phase: 'Failed', endedAt })], {}, 5);
      assert.ok((found.lookAgainMs ?? 0) >= 5_000 && (found.lookAgainMs ?? 0) <= 10_000);
    }
  });

  it('carries the failures of an index on', () => {
    const last = pod('a', {
      index: 0,
      phase: 'Failed',
      annotations: { 'batch.kubernetes.io/job-index-failure-count': '1' },
    });
    const found = plan({ ...indexed, completions: 1, parallelism: 1, backoffLimitPerIndex: 5 }, [last]);
    assert.equal(found.create, [{ index: 0, failures: 2, ignored: 0 }]);
    assert.equal(uids(found.release), []);
    assert.equal(found.status.uncountedTerminatedPods, { failed: ['a'] });
  });
});

spec('planJob, how it ends', (it) => {
  const failed = (name: string, exitCode = 1): Pod => pod(name, { phase: 'Failed', exitCode });
  const onCode = (action: 'FailJob' | 'FailIndex' | 'Ignore' | 'Count'): Partial<JobSpec> => ({
    podFailurePolicy: { rules: [{ action, onExitCodes: { operator: 'In', values: [42] } }] },
  });
  const rules = {
    completionMode: 'Indexed',
    completions: 3,
    parallelism: 3,
    backoffLimitPerIndex: 0,
  } as const;
  const lost = {
    podFailurePolicy: {
      rules: [{ action: 'Ignore' as const, onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
    },
  };
  const cases: readonly [string, Partial<JobSpec>, readonly Pod[], JobStatus, string[]][] = [
    ['goes on', { completions: 2 }, [pod('a')], { succeeded: 1 }, []],
    [
      'announces success',
      {},
      [pod('a', { phase: 'Succeeded' })],
      {},
      ['SuccessCriteriaMet:CompletionsReached'],
    ],
    ['not while others work', { completions: undefined as never }, [pod('a')], { succeeded: 1 }, []],
    [
      'is complete when all is counted',
      {},
      [],
      { succeeded: 1 },
      ['SuccessCriteriaMet:CompletionsReached', 'Complete:CompletionsReached'],
    ],
    [
      'announces failure above the limit',
      { backoffLimit: 1 },
      [failed('a'), failed('b')],
      {},
      ['FailureTarget:BackoffLimitExceeded'],
    ],
    ['does not fail at the limit', { backoffLimit: 2 }, [failed('a'), failed('b')], {}, []],
    [
      'counts restarts on the device',
      { backoffLimit: 3, template: onceTemplate('OnFailure') },
      [pod('a', { restarts: 3 })],
      {},
      ['FailureTarget:BackoffLimitExceeded'],
    ],
    ['fails late', { activeDeadlineSeconds: 3600 }, [pod('a')], {}, ['FailureTarget:DeadlineExceeded']],
    ['fails on an exit code', onCode('FailJob'), [failed('a', 42)], {}, ['FailureTarget:PodFailurePolicy']],
    ['ignores an exit code', { ...onCode('Ignore'), backoffLimit: 0 }, [failed('a', 42)], {}, []],
    [
      'ignores a disruption',
      { ...lost, backoffLimit: 0 },
      [pod('a', { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', status: 'True' }] })],
      {},
      [],
    ],
    [
      'fails with too many failed indexes',
      { ...rules, maxFailedIndexes: 1 },
      [0, 1].map((index) => pod(`p${index}`, { index, phase: 'Failed' })),
      {},
      ['FailureTarget:MaxFailedIndexesExceeded'],
    ],
    [
      'fails at the end with a failed index',
      rules,
      [pod('a', { index: 0, phase: 'Failed' })],
      { completedIndexes: '1,2' },
      ['FailureTarget:FailedIndexes'],
    ],
    [
      'lets a code fail its index at once',
      { ...rules, ...onCode('FailIndex'), backoffLimitPerIndex: 9, completions: 1, parallelism: 1 },
      [pod('a', { index: 0, phase: 'Failed', exitCode: 42 })],
      {},
      ['FailureTarget:FailedIndexes'],
    ],
    [
      'succeeds early by its policy',
      { ...rules, successPolicy: { rules: [{ succeededIndexes: '0-1', succeededCount: 1 }] } },
      [pod('a', { index: 1, phase: 'Succeeded' }), pod('b', { index: 2 })],
      {},
      ['SuccessCriteriaMet:SuccessPolicy'],
    ],
    ['is suspended', { suspend: true }, [], {}, ['Suspended:JobSuspended']],
  ];
  for (const [name, jobSpec, pods, status, expected] of cases)
    it(name, () => assert.equal(verdict(plan(jobSpec, pods, status)), expected));

  it('says which exit code it was', () => {
    const [condition] = plan(onCode('FailJob'), [failed('a', 42)]).status.conditions ?? [];
    assert.is(
      condition?.message,
      'Container main for pod default/a failed with exit code 42 matching FailJob rule at index 0',
    );
  });

  it('waits for pods that are being stopped, but not for those on a lost node', () => {
    const stopping = pod('a', { deleting: true, tracked: false });
    const job = plainJob({}, { succeeded: 1 });
    assert.equal(verdict(planJob(jobWorld(job, [stopping]))).length, 1);
    assert.equal(verdict(planJob(jobWorld(job, [stopping], 3600, () => true))).length, 2);
  });

  it('is over for ttlSecondsAfterFinished, also when the clock was set back', () => {
    const ended = (at: string): JobStatus => ({
      conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: at }],
    });
    const ttl = { ttlSecondsAfterFinished: 100 };
    assert.is(plan(ttl, [], ended('2026-01-01T00:59:00Z')).lookAgainMs, 40_000);
    assert.ok(plan(ttl, [], ended('2026-01-01T00:00:00Z')).isExpired);
    assert.is(plan(ttl, [], ended('2027-01-01T00:00:00Z')).lookAgainMs, 100_000);
  });
});

spec('index lists', (it) => {
  for (const [text, list] of [
    ['', []],
    ['0', [0]],
    ['0,1', [0, 1]],
    ['0-2,4,6,7,9-12', [0, 1, 2, 4, 6, 7, 9, 10, 11, 12]],
  ] as const)
    it(`writes and reads "${text}"`, () => {
      assert.is(formatIndexes(list), text);
      assert.equal([...parseIndexes(text, 100)], [...list]);
    });
});
