import * as assert from 'uvu/assert';
import { ReferenceIndex } from '../../../../hub/fleet/reference-index.ts';
import type { Pod } from '../../../../protocol/kinds/pod.ts';
import { pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

function using(name: string, node: string | undefined): Pod {
  const base = pod(name, { labels: {}, ...(node !== undefined && { node }) });
  const [container] = base.spec.containers;
  const containers = [
    { ...container, name: 'main', image: 'a', envFrom: [{ configMapRef: { name: 'settings' } }] },
  ];
  const imagePullSecrets = [{ name: 'registry' }];
  return {
    ...base,
    metadata: { ...base.metadata, uid: name },
    spec: { ...base.spec, containers, imagePullSecrets },
  };
}

spec('ReferenceIndex', (it) => {
  it('names every node with a pod that refers to the object, once', () => {
    const index = new ReferenceIndex();
    for (const p of [using('a', 'n1'), using('b', 'n1'), using('c', 'n2'), using('d', undefined)])
      index.note(p, true);
    assert.equal([...index.nodesUsing('ConfigMap', 'default', 'settings')], ['n1', 'n2']);
    assert.equal([...index.nodesUsing('Secret', 'default', 'registry')], ['n1', 'n2']);
    assert.equal([...index.nodesUsing('ConfigMap', 'other', 'settings')], []);
    assert.equal([...index.nodesUsing('ConfigMap', 'default', 'registry')], []);
  });

  it('forgets pods that left, and nothing of those that stay', () => {
    const index = new ReferenceIndex();
    const [a, b] = [using('a', 'n1'), using('b', 'n1')];
    for (const p of [a, b]) index.note(p, true);
    index.note(a, false);
    assert.equal([...index.nodesUsing('ConfigMap', 'default', 'settings')], ['n1']);
    index.note(b, false);
    assert.equal([...index.nodesUsing('ConfigMap', 'default', 'settings')], []);
  });
});
