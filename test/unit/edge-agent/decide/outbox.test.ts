import * as assert from 'uvu/assert';
import { Outbox } from '../../../../edge-agent/decide/outbox.ts';
import type { EventReport, Report } from '../../../../protocol/wire/messages.ts';
import { podReport } from '../../../build/desired.ts';
import { spec } from '../../../spec.ts';

const limits = { maxEvents: 4, maxInFlight: 2, maxPodsPerReport: 2, maxEventsPerReport: 3 };
const event = (id: string): EventReport => ({
  id,
  involved: {},
  type: 'Normal',
  reason: 'R',
  message: '',
  count: 1,
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
});
const drain = (box: Outbox): string[] => {
  const all: string[] = [];
  for (let r = box.take(); r !== undefined; r = box.take()) all.push(show(r));
  return all;
};
const show = (r: Report): string => {
  if (r.t === 'status') return `${r.seq} ${r.full ? 'full ' : ''}${r.pods.map((p) => p.uid).join()}`;
  if (r.t === 'events')
    return `${r.seq} events ${r.events.map((e) => e.id).join()} dropped ${r.dropped ?? 0}`;
  return `${r.seq} ${r.t}`;
};

spec('Outbox', (it) => {
  it('sends the newest status per pod, and nothing without news', () => {
    const box = new Outbox('b', limits);
    assert.is(box.ready, false);
    box.putStatus(podReport('a', { status: { phase: 'Pending' } }));
    box.putStatus(podReport('a'));
    const report = box.take();
    assert.is(report?.t === 'status' ? report.pods[0]?.status.phase : '', 'Running');
    assert.equal(drain(box), []);
  });

  it('splits, numbers and stops at the limit of what is out', () => {
    const box = new Outbox('b', limits);
    for (const uid of ['a', 'b', 'c', 'd', 'e']) box.putStatus(podReport(uid));
    assert.equal(drain(box), ['1 a,b', '2 c,d']);
    box.ack('b', 1);
    assert.equal(drain(box), ['3 e']);
  });

  it('takes an inventory after a restart, and sends again what was not acknowledged', () => {
    const box = new Outbox('b', limits);
    box.putStatus(podReport('a'));
    box.putEvent(event('e1'));
    box.hold(['a']);
    drain(box);
    box.restart();
    assert.equal(drain(box), ['3 full a', '4 events e1 dropped 0']);
    box.ack('b', 4);
    assert.equal(box.depth, { inFlight: 0, events: 0, pods: 1 });
  });

  it('ignores the word for another boot', () => {
    const box = new Outbox('b', limits);
    box.putStatus(podReport('a'));
    drain(box);
    box.ack('other', 99);
    assert.is(box.depth.inFlight, 1);
  });

  it('drops the oldest events and counts them', () => {
    const box = new Outbox('b', limits);
    for (let i = 0; i < 10; i++) box.putEvent(event(`e${i}`));
    assert.equal(drain(box), ['1 events e6,e7,e8 dropped 6', '2 events e9 dropped 0']);
  });

  it('keeps one waiting event per id, the newest', () => {
    const box = new Outbox('b', limits);
    box.putEvent(event('x'));
    box.putEvent(event('y'));
    box.putEvent({ ...event('x'), count: 2 });
    const report = box.take();
    assert.equal(report?.t === 'events' ? report.events.map((e) => [e.id, e.count]) : [], [
      ['y', 1],
      ['x', 2],
    ]);
  });

  it('waits with the inventory until every held pod has been looked at', () => {
    const box = new Outbox('b', limits);
    box.restart();
    box.putStatus(podReport('a'));
    assert.equal(drain(box), ['1 a'], 'nobody has told what is held');
    box.hold(['a', 'b']);
    assert.equal(drain(box), []);
    box.putStatus(podReport('b', { gone: true }));
    assert.equal(drain(box), ['2 full a,b']);
  });

  it('takes an empty inventory when nothing is held', () => {
    const box = new Outbox('b', limits);
    box.restart();
    box.hold([]);
    assert.equal(drain(box), ['1 full ']);
  });

  it('keeps a pod that is gone until the desired state drops it', () => {
    const box = new Outbox('b', limits);
    box.hold(['a']);
    box.putStatus(podReport('a', { gone: true }));
    drain(box);
    box.ack('b', 1);
    box.restart();
    assert.equal(drain(box), ['2 full a']);
    box.hold([]);
    box.resend();
    assert.is(box.depth.pods, 0);
    assert.equal(drain(box), []);
  });

  it('repeats the count of lost events until it is acknowledged', () => {
    const box = new Outbox('b', limits);
    for (let i = 0; i < 6; i++) box.putEvent(event(`e${i}`));
    drain(box);
    box.resend();
    assert.equal(drain(box), ['3 events e2,e3,e4 dropped 2', '4 events e5 dropped 0']);
  });

  it('says nothing more of a forgotten pod', () => {
    const box = new Outbox('b', limits);
    box.putStatus(podReport('a'));
    drain(box);
    box.hold([]);
    box.resend();
    assert.equal(drain(box), []);
  });
});
