import * as assert from 'uvu/assert';
import { statefulSetKind } from '../../../../protocol/kinds/stateful-set-kind.ts';
import type { StatefulSet } from '../../../../protocol/kinds/workloads.ts';
import { spec } from '../../../spec.ts';

const set = (kind: object = {}): StatefulSet =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'db', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'db' } },
      template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      volumeClaimTemplates: [
        {
          ...kind,
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  }) as unknown as StatefulSet;

function defaulted(kind?: object): StatefulSet {
  const draft = set(kind);
  statefulSetKind.setDefaults(draft);
  return draft;
}

spec('claim templates of a StatefulSet', (it) => {
  it('are stored with their kind and state, as Kubernetes shows them', () => {
    const [template] = defaulted().spec.volumeClaimTemplates ?? [];
    const { apiVersion, kind, status, spec: claim } = template ?? {};
    assert.equal(
      { apiVersion, kind, status },
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        status: { phase: 'Pending' },
      },
    );
    assert.is(claim?.volumeMode, 'Filesystem');
  });

  it('are the same whether people write their kind or not', () => {
    const written = { apiVersion: 'v1', kind: 'PersistentVolumeClaim' };
    assert.equal(defaulted(written), defaulted());
    assert.equal(defaulted({ kind: 'PersistentVolumeClaim', apiVersion: '' }), defaulted());
  });

  it('that an older hub stored without their kind are no change', () => {
    const stored = defaulted();
    for (const template of stored.spec.volumeClaimTemplates ?? []) {
      Reflect.deleteProperty(template, 'kind');
      Reflect.deleteProperty(template, 'apiVersion');
    }
    assert.equal(statefulSetKind.validateUpdate(defaulted(), stored), []);
    const larger = defaulted();
    for (const { spec: claim } of larger.spec.volumeClaimTemplates ?? [])
      claim.resources = { requests: { storage: '2Gi' } };
    assert.is(statefulSetKind.validateUpdate(larger, stored).length, 1);
  });
});
