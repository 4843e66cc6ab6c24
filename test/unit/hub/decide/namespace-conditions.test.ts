import * as assert from 'uvu/assert';
import { namespaceConditions } from '../../../../hub/decide/namespace-conditions.ts';
import { spec } from '../../../spec.ts';

const THEN = '2026-01-01T00:00:00Z';
const NOW = '2026-01-01T00:01:00Z';

spec('namespaceConditions', (it) => {
  const pods = { resource: 'pods.', finalizers: [[], ['example.com/hold']] };
  const jobs = { resource: 'jobs.batch', finalizers: [['example.com/hold', 'a']] };
  const messages = (left: Parameters<typeof namespaceConditions>[0]): (string | undefined)[] =>
    namespaceConditions(left, [], NOW)
      .filter((c) => c.type === 'NamespaceContentRemaining' || c.type === 'NamespaceFinalizersRemaining')
      .map((c) => `${c.status} ${c.reason}: ${c.message}`);

  it('says what is left, and what holds it, in Kubernetes’ words', () => {
    assert.equal(messages([pods, jobs]), [
      'True SomeResourcesRemain: Some resources are remaining: jobs.batch has 1 resource instances, pods. has 2 resource instances',
      'True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: a in 1 resource instances, example.com/hold in 2 resource instances',
    ]);
    assert.equal(messages([{ resource: 'pods.', finalizers: [[]] }]), [
      'True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances',
      'False ContentHasNoFinalizers: All content-preserving finalizers finished',
    ]);
  });

  it('and that nothing is', () =>
    assert.equal(messages([]), [
      'False ContentRemoved: All content successfully removed',
      'False ContentHasNoFinalizers: All content-preserving finalizers finished',
    ]));

  it('keeps the time of what stays', () => {
    const before = namespaceConditions([pods], [], THEN);
    const times = namespaceConditions([], before, NOW).map((c) => c.lastTransitionTime);
    assert.equal(times, [THEN, THEN, THEN, NOW, NOW]);
    assert.equal(
      namespaceConditions([pods], before, NOW).map((c) => c.lastTransitionTime),
      [THEN, THEN, THEN, THEN, THEN],
    );
  });
});
