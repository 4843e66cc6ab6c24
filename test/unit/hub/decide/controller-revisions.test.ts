import * as assert from 'uvu/assert';
import {
  CONTROLLER_REVISION_HASH,
  equalRevision,
  planRevision,
  type RevisionOwner,
  revisionAnnotations,
  revisionData,
  revisionHash,
  revisionLabels,
  revisionsToAdopt,
  revisionsToDrop,
  revisionTemplate,
} from '../../../../hub/decide/controller-revisions.ts';
import type { ControllerRevision } from '../../../../protocol/kinds/workloads.ts';
import { template } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const owner = (image: string, annotations?: Record<string, string>): RevisionOwner => ({
  metadata: { name: 'set', ...(annotations && { annotations }) },
  spec: { selector: { matchLabels: { app: 'web' } }, template: template(image) },
});

const revision = (
  image: string,
  number: number,
  metadata: Partial<ControllerRevision['metadata']> = {},
): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: {
    name: `set-${image}`,
    uid: `uid-${image}`,
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...metadata,
  },
  data: revisionData(template(image)),
  revision: number,
});

spec('planRevision', (it) => {
  const cases: readonly [string, string, [string, number][], 'create' | 'use', number | undefined][] = [
    ['makes the first', 'a', [], 'create', 1],
    ['makes the next', 'b', [['a', 3]], 'create', 4],
    [
      'uses the newest as it is',
      'b',
      [
        ['a', 1],
        ['b', 2],
      ],
      'use',
      undefined,
    ],
    [
      'gives an old one the highest number after a rollback',
      'a',
      [
        ['a', 1],
        ['b', 2],
      ],
      'use',
      3,
    ],
    [
      'parts two of one number',
      'a',
      [
        ['a', 2],
        ['b', 2],
      ],
      'use',
      3,
    ],
  ];
  for (const [name, image, owned, what, number] of cases)
    it(name, () => {
      const revisions = owned.map(([i, n]) => revision(i, n));
      for (const order of [revisions, revisions.toReversed()]) {
        const plan = planRevision(owner(image), order);
        assert.is(plan.do, what);
        assert.is(plan.do === 'create' ? plan.number : plan.renumber, number);
      }
    });

  it('of two with the same content uses the higher number', () => {
    const twice = [revision('a', 1), revision('a', 4, { name: 'other' }), revision('b', 2)];
    assert.is(equalRevision(revisionData(template('a')), twice)?.metadata.name, 'other');
  });
});

spec('controller revisions', (it) => {
  it('keep the template as a patch and give it back', () => {
    const data = revisionData(template('a'));
    assert.is(
      JSON.stringify(data),
      '{"spec":{"template":{"$patch":"replace","metadata":{"creationTimestamp":null,"labels":{"app":"web"}},' +
        '"spec":{"containers":[{"image":"a","name":"main","resources":{}}]}}}}',
      'byte by byte as kubectl writes it',
    );
    const { spec: kept, metadata } = revisionTemplate(revision('a', 1)) ?? {};
    assert.equal([metadata, kept?.containers[0]?.image], [{ labels: { app: 'web' } }, 'a']);
    const explicit = template('a');
    for (const container of explicit.spec.containers) container.resources = {};
    assert.equal(revisionData(explicit), data, 'what is never left out makes no other revision');
    assert.is(revisionTemplate({ ...revision('a', 1), data: { other: true } }), undefined);
  });

  it('are named by their content and the count of taken names', () => {
    const hash = revisionHash(revisionData(template('a')), 0);
    assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]+$/);
    assert.is(revisionHash(revisionData(template('a')), 0), hash);
    assert.is.not(revisionHash(revisionData(template('a')), 1), hash);
    assert.is.not(revisionHash(revisionData(template('b')), 0), hash);
    assert.equal(revisionLabels(owner('a'), hash), { app: 'web', [CONTROLLER_REVISION_HASH]: hash });
  });

  it('inherit the change cause, not what kubectl last applied', () => {
    const annotations = {
      'kubernetes.io/change-cause': 'x',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
    };
    assert.equal(revisionAnnotations(owner('a', annotations)), { 'kubernetes.io/change-cause': 'x' });
  });

  it('without a controller are adopted when the selector matches', () => {
    const labels = { app: 'web' };
    const reference = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x', uid: 'x', controller: true };
    const found = revisionsToAdopt(owner('a'), [
      revision('a', 1, { name: 'orphan', labels }),
      revision('b', 2, { name: 'owned', labels, ownerReferences: [reference] }),
      revision('c', 3, { name: 'going', labels, deletionTimestamp: '2026-01-01T00:00:00Z' }),
      revision('d', 4, { name: 'other', labels: { app: 'other' } }),
    ]);
    assert.equal(
      found.map((r) => r.metadata.name),
      ['orphan'],
    );
  });

  it('beyond the limit go, lowest number first, live ones never', () => {
    const owned = [revision('d', 4), revision('b', 2), revision('a', 1), revision('c', 3)];
    const dropped = (limit: number, ...live: string[]): string[] =>
      revisionsToDrop(owned, (r) => live.includes(r.metadata.name), limit).map((r) => r.metadata.name);
    assert.equal(dropped(2, 'set-d'), ['set-a']);
    assert.equal(dropped(0, 'set-d', 'set-b'), ['set-a', 'set-c']);
    assert.equal(dropped(10, 'set-d'), []);
  });
});
