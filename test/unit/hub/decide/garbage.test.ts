import * as assert from 'uvu/assert';
import {
  judgeDependent,
  nextOwnerStep,
  orphanedPods,
  surplusFailed,
  surplusTerminated,
} from '../../../../hub/decide/garbage.ts';
import { judgePodReport } from '../../../../hub/decide/pod-report.ts';
import { pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const owned = (...uids: string[]): ReturnType<typeof pod> => {
  const object = pod('p');
  object.metadata.ownerReferences = uids.map((uid) => ({ apiVersion: 'v1', kind: 'X', name: uid, uid }));
  return object;
};

spec('judgeDependent', (it) => {
  const there = new Map<string, boolean | undefined>([
    ['alive', true],
    ['gone', false],
  ]);
  const cases: readonly [string, readonly string[], string][] = [
    ['nobody owns it', [], 'keep'],
    ['its owner is there', ['alive'], 'keep'],
    ['its owner is gone', ['gone'], 'delete'],
    ['one of two is gone', ['gone', 'alive'], 'forget'],
    ['its owner is of a kind nobody knows', ['strange'], 'keep'],
    ['one is gone, the other unknown', ['gone', 'strange'], 'forget'],
  ];
  for (const [name, owners, expected] of cases) {
    it(name, () => assert.is(judgeDependent(owned(...owners), (o) => there.get(o.uid)).do, expected));
  }
});

spec('nextOwnerStep', (it) => {
  const owner = (deleting: boolean, ...finalizers: string[]): ReturnType<typeof pod> => {
    const object = pod('o', { deleting });
    object.metadata.finalizers = finalizers;
    return object;
  };
  const cases: readonly [string, ReturnType<typeof pod>, number, number, string][] = [
    ['lives', owner(false, 'foregroundDeletion'), 2, 2, 'nothing'],
    ['goes in the foreground', owner(true, 'foregroundDeletion'), 2, 1, 'delete-dependents'],
    ['waits for nobody', owner(true, 'foregroundDeletion'), 2, 0, 'remove-finalizer'],
    ['leaves orphans', owner(true, 'orphan'), 1, 1, 'orphan-dependents'],
    ['has left them', owner(true, 'orphan'), 0, 0, 'remove-finalizer'],
    ['is held by somebody else', owner(true, 'example.com/x'), 1, 1, 'nothing'],
  ];
  for (const [name, object, dependents, blocking, expected] of cases) {
    it(name, () => assert.is(nextOwnerStep(object, dependents, blocking).do, expected));
  }
});

spec('pods nobody needs', (it) => {
  it('are those of nodes that do not exist', () => {
    const pods = [pod('a', { node: 'n1' }), pod('b', { node: 'n2' }), pod('c')];
    assert.equal(
      orphanedPods(pods, (name) => name === 'n1').map((p) => p.metadata.name),
      ['b'],
    );
  });
  it('are the oldest ended beyond the number kept', () => {
    const ended = (name: string, created: string): ReturnType<typeof pod> =>
      pod(name, { phase: 'Failed', created });
    const pods = [ended('new', '2026-01-03T00:00:00Z'), ended('old', '2026-01-01T00:00:00Z'), pod('runs')];
    assert.equal(
      surplusTerminated(pods, 1).map((p) => p.metadata.name),
      ['old'],
    );
    assert.equal(surplusTerminated(pods, 2), []);
  });
});

spec('surplusFailed', (it) => {
  const failed = (name: string, created: string, ended?: string): ReturnType<typeof pod> => {
    const object = pod(name, { phase: 'Failed', created });
    if (ended !== undefined && object.status !== undefined)
      object.status.conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: ended }];
    return object;
  };
  const names = (keep: number, ...pods: ReturnType<typeof pod>[]): string[] =>
    surplusFailed(pods, keep).map((p) => p.metadata.name);
  const first = failed('first', '2026-01-01T00:00:00Z', '2026-01-09T00:00:00Z');
  const second = failed('second', '2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z');
  const third = failed('third', '2026-01-04T00:00:00Z');

  it('keeps those that ended last, however long they ran', () => {
    assert.equal(names(1, first, second, third), ['second', 'third']);
    assert.equal(names(2, third, second, first), ['second']);
    assert.equal(names(3, first, second, third), []);
    assert.equal(names(0, first), ['first']);
  });
  it('does not believe a device that ended a pod before it was made', () => {
    const board = failed('board', '2026-01-05T00:00:00Z', '1970-01-01T00:00:10Z');
    assert.equal(names(1, board, third), ['third']);
  });
  it('counts neither what runs, nor what succeeded, nor what goes already', () => {
    const going = pod('going', { phase: 'Failed', deleting: true });
    assert.equal(names(1, pod('runs'), pod('done', { phase: 'Succeeded' }), going, third), []);
  });
});

spec('judgePodReport', (it) => {
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } as const;
  const report = (gone = false): Parameters<typeof judgePodReport>[1] => ({
    uid: 'p',
    namespace: 'default',
    name: 'p',
    ...(gone ? { gone } : {}),
    status: { phase: status.phase, conditions: status.conditions.map((c) => ({ ...c })) },
  });
  const cases: readonly [string, string, boolean, ReturnType<typeof pod> | undefined, string][] = [
    ['writes what is new', 'n1', false, pod('p', { node: 'n1', ready: false }), 'write'],
    ['knows no such pod', 'n1', false, undefined, 'nothing'],
    ['does not believe another node', 'n2', false, pod('p', { node: 'n1' }), 'nothing'],
    [
      'does not believe another node that it is gone',
      'n2',
      true,
      pod('p', { node: 'n1', deleting: true }),
      'nothing',
    ],
    ['removes what was to go', 'n1', true, pod('p', { node: 'n1', deleting: true }), 'remove'],
    ['wants back what was not', 'n1', true, pod('p', { node: 'n1' }), 'send-again'],
  ];
  for (const [name, node, gone, object, expected] of cases) {
    it(name, () => assert.is(judgePodReport(node, report(gone), object).do, expected));
  }
  it('is content with what it wrote, and leaves PodScheduled alone', () => {
    const object = pod('p', { node: 'n1' });
    const verdict = judgePodReport('n1', report(), object);
    if (verdict.do !== 'write') throw new Error(verdict.do);
    assert.ok(verdict.status.conditions?.some((c) => c.type === 'PodScheduled'));
    assert.is(judgePodReport('n1', report(), { ...object, status: verdict.status }).do, 'nothing');
  });

  it('takes it from the device that a pod was evicted there, but not that it was scheduled', () => {
    const { uid, namespace, name, status: said } = report();
    const target = { type: 'DisruptionTarget', status: 'True', reason: 'TerminationByKubelet' } as const;
    const scheduled = { type: 'PodScheduled', status: 'False', reason: 'MadeUp' } as const;
    const conditions = [...(said.conditions ?? []), target, scheduled];
    const object = pod('p', { node: 'n1' });
    const verdict = judgePodReport('n1', { uid, namespace, name, status: { ...said, conditions } }, object);
    if (verdict.do !== 'write') throw new Error(verdict.do);
    const of = (type: string) => verdict.status.conditions?.filter((c) => c.type === type);
    assert.equal(of('DisruptionTarget'), [target]);
    assert.equal(
      of('PodScheduled'),
      object.status?.conditions?.filter((c) => c.type === 'PodScheduled'),
    );
  });

  it('keeps why the pod is to go, whatever the device says of it', () => {
    const before = pod('p', { node: 'n1', ready: false });
    const target = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI' } as const;
    const conditions = [...(before.status?.conditions ?? []), target];
    const evicted = { ...before, status: { ...before.status, conditions } };
    const verdict = judgePodReport('n1', report(), evicted);
    if (verdict.do !== 'write') throw new Error(verdict.do);
    assert.equal(
      verdict.status.conditions?.find((c) => c.type === 'DisruptionTarget'),
      target,
    );
  });
});
