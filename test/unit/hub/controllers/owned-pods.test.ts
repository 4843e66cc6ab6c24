import * as assert from 'uvu/assert';
import { OwnedPods } from '../../../../hub/controllers/owned-pods.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const view = (pods: readonly Pod[]) =>
  ({ list: () => pods }) as unknown as ConstructorParameters<typeof OwnedPods>[0];
const change = (type: 'added' | 'modified' | 'deleted', object: Pod, previous?: Pod) => ({
  type,
  kind: 'Pod',
  revision: 1,
  object,
  ...(previous !== undefined && { previous }),
});

spec('OwnedPods', (it) => {
  it('counts what is there at the start, and every change since', () => {
    const [a, b] = [pod('a', { owner: 'rs' }), pod('b', { owner: 'rs', ready: false })];
    const owned = new OwnedPods(view([a]), 'ReplicaSet');
    owned.start();
    assert.is(owned.of('rs').active, 1);
    owned.onChange(change('added', b));
    assert.equal([owned.of('rs').active, owned.of('rs').ready], [2, 1]);
    const ready = pod('b', { owner: 'rs' });
    owned.onChange(change('modified', ready, b));
    assert.equal([owned.of('rs').active, owned.of('rs').ready], [2, 2]);
    const ending = pod('b', { owner: 'rs', deleting: true });
    owned.onChange(change('modified', ending, ready));
    assert.equal([owned.of('rs').active, owned.of('rs').ready, owned.of('rs').running], [1, 1, 2]);
    owned.onChange(change('deleted', ending, ending));
    assert.equal([owned.of('rs').total, owned.of('rs').active], [1, 1]);
  });

  it('follows a pod to another owner, and knows nothing of pods without one', () => {
    const owned = new OwnedPods(view([]), 'ReplicaSet');
    const [mine, free, theirs] = [pod('a', { owner: 'rs' }), pod('a'), pod('a', { owner: 'other' })];
    owned.onChange(change('added', mine));
    owned.onChange(change('modified', free, mine));
    assert.is(owned.of('rs').total, 0);
    owned.onChange(change('modified', theirs, free));
    assert.is(owned.of('other').total, 1);
  });
});
