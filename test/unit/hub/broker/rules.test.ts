import * as assert from 'uvu/assert';
import {
  connectProblem,
  identify,
  type PeerVerdict,
  publishProblem,
  subscribeProblem,
} from '../../../../hub/broker/rules.ts';
import { spec } from '../../../spec.ts';

const device: PeerVerdict = {
  ours: true,
  expired: false,
  commonName: 'system:node:w1',
  organisations: ['system:nodes'],
};

spec('identify', (it) => {
  const cases = [
    ['a device', device, { node: 'w1' }],
    ['no certificate', undefined, { node: '', problem: 'NoCertificate' }],
    ['a foreign one', { ours: false }, { node: '', problem: 'ForeignCertificate' }],
    ['an expired one', { ...device, expired: true }, { node: 'w1', problem: 'ExpiredCertificate' }],
    ['a person', { ...device, commonName: 'kubernetes-admin' }, { node: '', problem: 'NotADevice' }],
    ['another group', { ...device, organisations: ['x'] }, { node: '', problem: 'NotADevice' }],
    [
      'a name with a level',
      { ...device, commonName: 'system:node:a/b' },
      { node: '', problem: 'NotADevice' },
    ],
    ['a wildcard', { ...device, commonName: 'system:node:+' }, { node: '', problem: 'NotADevice' }],
  ] as const;
  for (const [name, verdict, found] of cases) it(name, () => assert.equal(identify(verdict), found));
});

spec('rules of a connection', (it) => {
  const ok = { clientId: 'system:node:w1', clean: true, hasWill: false };
  const connects = [
    ['its own name', ok, undefined],
    ['another name', { ...ok, clientId: 'system:node:w2' }, 'ClientIdMismatch'],
    ['no name', { ...ok, clientId: '' }, 'ClientIdMismatch'],
    ['a session', { ...ok, clean: false }, 'PersistentSession'],
    ['a will', { ...ok, hasWill: true }, 'LastWill'],
  ] as const;
  for (const [name, request, problem] of connects)
    it(`connects with ${name}`, () => assert.is(connectProblem({ node: 'w1' }, request), problem));

  const publishes = [
    ['cox/1/w1/h', undefined],
    ['cox/1/w1/r', undefined],
    ['cox/1/w1/x/s/u', undefined],
    ['cox/1/w1/d', 'TopicNotAllowed'],
    ['cox/1/w1/x/s/d', 'TopicNotAllowed'],
    ['cox/1/w10/h', 'TopicNotAllowed'],
    ['cox/2/w1/h', 'TopicNotAllowed'],
    ['/cox/1/w1/h', 'TopicNotAllowed'],
    ['cox/1//h', 'TopicNotAllowed'],
  ] as const;
  for (const [topic, problem] of publishes)
    it(`publishes to ${topic}`, () =>
      assert.is(publishProblem('w1', { topic, retain: false, qos: 1 }), problem));
  it('publishes retained or with QoS 2', () => {
    assert.is(publishProblem('w1', { topic: 'cox/1/w1/h', retain: true, qos: 0 }), 'Retained');
    assert.is(publishProblem('w1', { topic: 'cox/1/w1/h', retain: false, qos: 2 }), 'QosTooHigh');
  });

  for (const filter of ['cox/1/w1/d', 'cox/1/w1/x/+/d'])
    it(`subscribes to ${filter}`, () => assert.is(subscribeProblem('w1', filter), undefined));
  for (const filter of ['#', 'cox/1/+/d', 'cox/1/w1/#', 'cox/1/w2/d', '$SYS/#', '$share/g/cox/1/w1/d'])
    it(`does not subscribe to ${filter}`, () =>
      assert.is(subscribeProblem('w1', filter), 'FilterNotAllowed'));
});
