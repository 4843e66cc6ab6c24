import * as assert from 'uvu/assert';
import {
  devicePublishAllowed,
  deviceSubscribeAllowed,
  parseTopic,
  topics,
} from '../../../../protocol/wire/topics.ts';
import { spec } from '../../../spec.ts';

spec('topics', (it) => {
  it('reads back what it writes', () => {
    assert.equal(parseTopic(topics.heartbeat('n')), { what: 'heartbeat', node: 'n' });
    assert.equal(parseTopic(topics.report('n')), { what: 'report', node: 'n' });
    assert.equal(parseTopic(topics.control('n')), { what: 'control', node: 'n' });
    assert.equal(parseTopic(topics.streamUp('n', 's')), {
      what: 'stream',
      node: 'n',
      stream: 's',
      way: 'up',
    });
    assert.equal(parseTopic(topics.streamDown('n', 's')), {
      what: 'stream',
      node: 'n',
      stream: 's',
      way: 'down',
    });
  });
  for (const bad of [
    '',
    'cox/2/n/h',
    'cox/1//h',
    'cox/1/n',
    'cox/1/n/z',
    'cox/1/n/x/s',
    'cox/1/n/x//u',
    'cox/1/n/x/s/u/more',
    'cox/1/n/h/x',
  ]) {
    it(`does not know ${JSON.stringify(bad)}`, () => assert.is(parseTopic(bad), undefined));
  }
  it('lets a device speak only upwards and only as itself', () => {
    assert.ok(devicePublishAllowed('a', topics.heartbeat('a')));
    assert.ok(devicePublishAllowed('a', topics.streamUp('a', 's')));
    for (const topic of [
      topics.report('b'),
      topics.control('a'),
      topics.streamDown('a', 's'),
      '$SYS/x',
      'cox/1/+/r',
    ]) {
      assert.not(devicePublishAllowed('a', topic), topic);
    }
  });
  it('lets a device listen only to its own filters', () => {
    for (const filter of topics.deviceFilters('a')) assert.ok(deviceSubscribeAllowed('a', filter));
    for (const filter of ['#', 'cox/1/#', 'cox/1/+/d', 'cox/1/b/d', 'cox/1/a/#', 'cox/1/a/h']) {
      assert.not(deviceSubscribeAllowed('a', filter), filter);
    }
  });
});
