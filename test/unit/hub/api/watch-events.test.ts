import * as assert from 'uvu/assert';
import { EventEncoder, eventType } from '../../../../hub/api/watch-events.ts';
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

spec('eventType', (it) => {
  for (const [name, given, type] of CASES) it(name, () => assert.is(eventType(given, 'n', isIn), type));

  it('keeps to its namespace', () => {
    assert.is(eventType(change('added', undefined, inside), 'other', undefined), undefined);
    assert.is(eventType(change('added', undefined, inside), '', undefined), 'ADDED');
  });
});

spec('EventEncoder', (it) => {
  it('tells a leaver as it was, at the version of its leaving', () => {
    const event = new EventEncoder().eventOf(change('modified', inside, {}), 'n', isIn);
    assert.equal(event?.object.metadata.labels, inside);
    assert.is(event?.object.metadata.resourceVersion, '2');
  });

  it('makes one event for all who see a change alike', () => {
    const encoder = new EventEncoder();
    const leaving = change('modified', inside, {});
    const everybody = encoder.eventOf(leaving, '', undefined);
    assert.is(encoder.eventOf(leaving, 'n', undefined), everybody);
    assert.is(encoder.eventOf(leaving, 'n', isIn)?.type, 'DELETED');
    assert.is(encoder.eventOf(leaving, 'n', isIn), encoder.eventOf(leaving, 'n', isIn));
    assert.is.not(encoder.eventOf(change('modified', inside, {}), '', undefined), everybody);
  });

  it('keeps no more text than it may', () => {
    const encoder = new EventEncoder();
    const events = Array.from({ length: 40 }, (_, n) => ({
      type: 'ADDED' as const,
      object: object(n, { text: String(n).padEnd(100_000, 'x') }),
    }));
    for (const event of [...events, ...events])
      assert.equal(JSON.parse(encoder.plain(event)).object, event.object);
  });

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
