import * as assert from 'uvu/assert';
import { EventEncoder, eventOf } from '../../../../hub/api/watch-events.ts';
import type { Change } from '../../../../hub/cluster.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { spec } from '../../../spec.ts';

const object = (revision: number, labels: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: 'a',
    namespace: 'n',
    uid: 'u',
    creationTimestamp: '',
    resourceVersion: String(revision),
    labels,
  },
});
const inside = { in: 'yes' };
const isIn = (o: KubeObject): boolean => o.metadata.labels?.['in'] === 'yes';

function change(type: Change['type'], before: object | undefined, after: object): Change {
  const base = { type, kind: 'ConfigMap', revision: 2, object: object(2, after as Record<string, string>) };
  return before === undefined ? base : { ...base, previous: object(1, before as Record<string, string>) };
}

const CASES = [
  ['new and selected', change('added', undefined, inside), 'ADDED'],
  ['new and not selected', change('added', undefined, {}), undefined],
  ['stays selected', change('modified', inside, inside), 'MODIFIED'],
  ['enters', change('modified', {}, inside), 'ADDED'],
  ['leaves', change('modified', inside, {}), 'DELETED'],
  ['stays out', change('modified', {}, {}), undefined],
  ['deleted and selected', change('deleted', inside, inside), 'DELETED'],
  ['deleted and not selected', change('deleted', {}, {}), undefined],
] as const;

spec('eventOf', (it) => {
  for (const [name, given, type] of CASES) it(name, () => assert.is(eventOf(given, 'n', isIn)?.type, type));

  it('keeps to its namespace', () => {
    assert.is(eventOf(change('added', undefined, inside), 'other', undefined), undefined);
    assert.is(eventOf(change('added', undefined, inside), '', undefined)?.type, 'ADDED');
  });

  it('tells a leaver as it was, at the version of its leaving', () => {
    const event = eventOf(change('modified', inside, {}), 'n', isIn);
    assert.equal(event?.object.metadata.labels, inside);
    assert.is(event?.object.metadata.resourceVersion, '2');
  });
});

spec('EventEncoder', (it) => {
  it('writes one line for each event', () => {
    const encoder = new EventEncoder();
    const event = { type: 'ADDED', object: object(1, {}) } as const;
    const line = encoder.plain(event);
    assert.ok(line.endsWith('}\n'));
    assert.equal(JSON.parse(line), event);
    assert.match(encoder.plain({ ...event, type: 'DELETED' }), '"type":"DELETED"');
    assert.match(encoder.plain({ ...event, object: object(7, {}) }), '"resourceVersion":"7"');
  });
});
