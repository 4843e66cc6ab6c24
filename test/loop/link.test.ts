import * as assert from 'uvu/assert';
import { type HeldState, NOTHING_HELD } from '../../edge-agent/decide/desired-step.ts';
import { Outbox } from '../../edge-agent/decide/outbox.ts';
import { DesiredKeeper } from '../../edge-agent/link/desired-keeper.ts';
import type { Identity } from '../../edge-agent/link/identity.ts';
import { type IdentityResult, Link } from '../../edge-agent/link/link.ts';
import { ConnectError } from '../../edge-agent/link/transport.ts';
import { silentLogger } from '../../kit/logger.ts';
import type { OpenMessage, Report } from '../../protocol/wire/messages.ts';
import { topics } from '../../protocol/wire/topics.ts';
import { fullSet, nodeFacts, podItem, podReport } from '../build/desired.ts';
import { ManualClock, settle } from '../fakes/manual-clock.ts';
import { MemoryLink } from '../fakes/memory-link.ts';
import { spec } from '../spec.ts';

const identity: Identity = {
  cluster: 'c1',
  nodeName: 'w1',
  api: ['hub:6443', 'spare:6443'],
  mqtt: ['hub:8883', 'spare:8883'],
  certificate: 'cert',
  key: 'key',
  ca: 'ca',
};

/** A device's link with everything around it in memory. The hub answers hello and acknowledges unless told not to. */
class World {
  readonly clock = new ManualClock();
  readonly wire = new MemoryLink();
  readonly outbox = new Outbox('boot1');
  readonly written: number[] = [];
  readonly acted: string[][] = [];
  readonly opened: OpenMessage[] = [];
  readonly refusedRenewals: boolean[] = [];
  readonly apis: (readonly string[])[] = [];
  sample: Uint8Array | undefined;
  facts = nodeFacts();
  isDiskFull = false;
  isHubMute = false;
  identity: IdentityResult = { ok: true, identity };
  readonly keeper: DesiredKeeper;
  readonly link: Link;

  constructor(held: HeldState = NOTHING_HELD) {
    this.keeper = new DesiredKeeper({
      held,
      cluster: () => 'c1',
      log: silentLogger,
      store: {
        accept: (next) => {
          if (this.isDiskFull) return Promise.reject(new Error('no space'));
          this.written.push(next.gen);
          return Promise.resolve();
        },
      },
      onDesired: (next) => void this.acted.push([...next.items.keys()]),
    });
    this.outbox.hold(['a']);
    this.link = new Link({
      clock: this.clock,
      log: silentLogger,
      transport: this.wire,
      readIdentity: () => Promise.resolve(this.identity),
      renewIfDue: (_identity, wasRefused) => {
        this.refusedRenewals.push(wasRefused);
        return Promise.resolve(false);
      },
      reconnectMaxMs: () => 15_000,
      random: () => 0.5,
      onConnected: (_local, api) => void this.apis.push(api),
      onDisconnected: () => undefined,
      session: {
        clock: this.clock,
        log: silentLogger,
        agentVersion: '0',
        outbox: this.outbox,
        keeper: this.keeper,
        facts: () => this.facts,
        cadence: () => ({ heartbeatMs: 3000, probeMs: 24_000 }),
        takeSample: () => this.sample,
        onWelcome: () => undefined,
        onOpen: (message) => void this.opened.push(message),
        onStreamFrame: () => undefined,
      },
    });
    this.wire.onReport = (report) => this.#answer(report);
  }

  #answer(report: Report): void {
    if (this.isHubMute) return;
    if (report.t === 'hello') {
      this.wire.say('w1', { t: 'welcome', cluster: 'c1', version: 1, hub: 'h', atMs: 1 });
    } else {
      this.wire.say('w1', { t: 'ack', boot: report.boot, seq: report.seq });
    }
  }

  async start(): Promise<this> {
    this.link.start();
    await settle();
    return this;
  }

  get beats(): number {
    return this.wire.seen.filter((m) => m.topic === topics.heartbeat('w1')).length;
  }
}

spec('Link', (it) => {
  it('says hello with what it holds, then an inventory, then beats', async () => {
    const w = new World({ cluster: 'c1', gen: 4, items: new Map([['pod/a', podItem('a')]]) });
    w.outbox.putStatus(podReport('a'));
    await w.start();
    const [hello] = w.wire.reports('hello');
    assert.equal([hello?.gen, hello?.cluster, hello?.have], [4, 'c1', { 'pod/a': '1' }]);
    assert.equal(
      w.wire.reports('status').map((r) => [r.full, r.pods.length]),
      [[true, 1]],
    );
    await w.clock.advance(9000);
    assert.is(w.beats, 3);
    assert.equal(w.wire.requests[0]?.subscribe, ['cox/1/w1/d', 'cox/1/w1/x/+/d']);
    await w.link.stop();
  });

  it('tells the images once a connection, and again when they are others', async () => {
    const w = new World();
    w.facts = nodeFacts({ images: [[['a:1'], 5]] });
    await w.start();
    assert.equal(w.wire.reports('hello')[0]?.facts.images, [[['a:1'], 5]]);
    w.facts = { ...w.facts, maxPods: 3 };
    w.link.factsChanged();
    w.facts = { ...w.facts, images: [] };
    w.link.factsChanged();
    await settle();
    assert.equal(
      w.wire.reports('facts').map((r) => [r.facts.maxPods, r.facts.images]),
      [
        [3, undefined],
        [3, []],
      ],
    );
    await w.link.stop();
  });

  it('writes a step, then acts; a repeat costs nothing', async () => {
    const w = await new World().start();
    w.wire.say('w1', fullSet(5, [podItem('a')]));
    w.wire.say('w1', fullSet(5, [podItem('a')]));
    w.wire.say('w1', fullSet(6, [podItem('a')]));
    await settle();
    assert.equal(w.written, [5]);
    assert.equal(w.acted, [['pod/a']]);
    assert.is(w.keeper.held.gen, 6);
    await w.link.stop();
  });

  it('does not act on what the disk did not take, and asks again', async () => {
    const w = await new World().start();
    w.isDiskFull = true;
    w.wire.say('w1', fullSet(5, [podItem('a')]));
    await settle();
    assert.equal(w.acted, []);
    await w.clock.advance(1);
    assert.is(w.wire.reports('sync').length, 1);
    w.isDiskFull = false;
    w.wire.say('w1', fullSet(5, [podItem('a')]));
    await settle();
    assert.equal(w.acted, [['pod/a']]);
    await w.link.stop();
  });

  it('slows down asking when the answers never fit', async () => {
    const w = await new World().start();
    for (let i = 0; i < 60; i++) {
      w.wire.say('w1', fullSet(5, [podItem('a')], { base: 3 }));
      await w.clock.advance(1000);
    }
    assert.ok(w.wire.reports('sync').length <= 7, `${w.wire.reports('sync').length} syncs in a minute`);
    await w.link.stop();
  });

  it('refuses an older hub and names the pods it keeps', async () => {
    const w = await new World({ cluster: 'c1', gen: 9, items: new Map([['pod/a', podItem('a')]]) }).start();
    w.wire.say('w1', fullSet(2, []));
    await settle();
    const [refused] = w.wire.reports('refused');
    assert.equal([refused?.reason, refused?.gen, refused?.offeredGen], ['OlderGeneration', 9, 2]);
    assert.equal(refused?.pods, [{ uid: 'a', namespace: 'default', name: 'pod-a' }]);
    assert.equal(w.acted, []);
    await w.link.stop();
  });

  it('delivers what arose while cut off, after a new hello', async () => {
    const w = await new World().start();
    w.wire.isReachable = false;
    w.wire.cut();
    await settle();
    for (let i = 0; i < 5; i++) w.outbox.putStatus(podReport('a', { status: { message: String(i) } }));
    w.link.outboxChanged();
    await w.clock.advance(60_000);
    w.wire.isReachable = true;
    await w.clock.advance(20_000);
    assert.is(w.wire.reports('hello').length, 2);
    const last = w.wire.reports('status').at(-1);
    assert.is(last?.pods[0]?.status.message, '4');
    await w.link.stop();
  });

  it('notices a silent partition by an unanswered probe, and comes back', async () => {
    const w = await new World().start();
    await w.clock.advance(10_000);
    w.wire.isPartitioned = true;
    await w.clock.advance(24_000 + 3000 + 12_000 + 3000);
    assert.is(w.wire.isConnected, false);
    w.wire.isPartitioned = false;
    await w.clock.advance(25_000);
    assert.is(w.wire.isConnected, true);
    assert.is(w.wire.reports('hello').length, 2);
    await w.link.stop();
  });

  it('probes at QoS 1 only after silence', async () => {
    const w = await new World().start();
    await w.clock.advance(60_000);
    const beats = w.wire.seen.filter((m) => m.topic === topics.heartbeat('w1'));
    const probes = beats.filter((m) => m.qos === 1).length;
    assert.ok(probes >= 2 && probes <= 3, `${probes} probes in a minute`);
    assert.ok(beats.length >= 19);
    await w.link.stop();
  });

  it('goes through the addresses and slows down', async () => {
    const w = new World();
    w.wire.isReachable = false;
    await w.start();
    await w.clock.advance(120_000);
    const hosts = w.wire.requests.map((r) => r.address);
    assert.equal(hosts.slice(0, 3), ['hub:8883', 'spare:8883', 'hub:8883']);
    assert.ok(hosts.length >= 8 && hosts.length <= 16, `${hosts.length} attempts in two minutes`);
    await w.link.stop();
  });

  it('tells where the API is, the host it reached first', async () => {
    const w = new World();
    w.wire.refusals.push(new ConnectError('Unreachable', 'x'));
    await w.start();
    await w.clock.advance(10_000);
    assert.is(w.wire.requests.at(-1)?.address, 'spare:8883');
    assert.equal(w.apis, [['spare:6443', 'hub:6443']]);
    await w.link.stop();
  });

  it('renews when the hub says the certificate is over, or keeps refusing', async () => {
    const w = new World();
    w.wire.refusals.push(
      new ConnectError('CertificateExpired', 'x'),
      ...[1, 2, 3].map(() => new ConnectError('Refused', 'x')),
    );
    await w.start();
    await w.clock.advance(30_000);
    assert.is(w.refusedRenewals.filter((wasRefused) => wasRefused).length, 2);
    await w.link.stop();
  });

  it('says hello again when the hub asks or does not answer', async () => {
    const w = new World();
    w.isHubMute = true;
    await w.start();
    await w.clock.advance(16_000);
    assert.is(w.wire.reports('hello').length, 2);
    w.isHubMute = false;
    w.wire.say('w1', { t: 'hello?' });
    await settle();
    assert.is(w.wire.reports('hello').length, 3);
    assert.is(w.link.isConnected, true);
    await w.link.stop();
  });

  it('sends reports again that nobody acknowledges', async () => {
    const w = new World();
    w.outbox.hold([]);
    await w.start();
    w.isHubMute = true;
    w.outbox.putStatus(podReport('a'));
    w.link.outboxChanged();
    await w.clock.advance(1);
    await w.clock.advance(31_000);
    const statuses = w.wire.reports('status').filter((r) => r.pods.length > 0);
    assert.is(statuses.length, 2);
    assert.ok((statuses[1]?.seq ?? 0) > (statuses[0]?.seq ?? 0));
    await w.link.stop();
  });

  it('is not harmed by nonsense on its topics', async () => {
    const w = await new World().start();
    for (const bytes of ['', '{', '[]', '{"t":"desired"}', '{"t":"toString"}', '\u0000']) {
      w.wire.sayRaw(topics.control('w1'), new TextEncoder().encode(bytes));
    }
    w.wire.sayRaw('cox/1/other/d', new TextEncoder().encode('{"t":"hello?"}'));
    await settle();
    assert.is(w.wire.isConnected, true);
    assert.is(w.wire.reports('hello').length, 1);
    await w.link.stop();
  });

  it('waits for an identity and takes it when it comes', async () => {
    const w = new World();
    w.identity = { ok: false, problem: 'NotJoined', why: 'no file' };
    await w.start();
    await w.clock.advance(30_000);
    assert.is(w.wire.requests.length, 0);
    w.identity = { ok: true, identity };
    await w.link.identityChanged();
    await w.clock.advance(1);
    assert.is(w.wire.isConnected, true);
    await w.link.stop();
  });

  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it(`converges over a wire that loses, repeats and reorders, seed ${seed}`, async () => {
      const w = new World();
      let state = seed * 7919;
      w.wire.random = () => {
        state = (state * 48_271) % 2_147_483_647;
        return state / 2_147_483_647;
      };
      // A hub that sends deltas on what it believes, and the full difference when asked.
      let gen = 0;
      let items = [podItem('z')];
      w.wire.onReport = (report) => {
        if (report.t === 'hello')
          w.wire.say('w1', { t: 'welcome', cluster: 'c1', version: 1, hub: 'h', atMs: 1 });
        if (report.t === 'hello' || report.t === 'sync') {
          const differing = items.filter((i) => report.have[i.key] !== i.rev);
          w.wire.say('w1', fullSet(gen, items, { items: differing }));
        } else w.wire.say('w1', { t: 'ack', boot: report.boot, seq: report.seq });
      };
      await w.start();
      w.wire.faults = { drop: 0.2, duplicate: 0.2, reorder: 0.2 };
      for (let i = 1; i <= 40; i++) {
        const base = gen;
        gen += 1;
        const next = podItem(String.fromCharCode(97 + (i % 5)), String(i));
        items = [...items.filter((x) => x.key !== next.key), next];
        w.wire.say('w1', fullSet(gen, [next], { base }));
        w.outbox.putStatus(podReport('a', { status: { message: String(i) } }));
        w.link.outboxChanged();
        if (i % 13 === 0) w.wire.cut();
        await w.clock.advance(2000);
      }
      w.wire.faults = {};
      gen += 1;
      w.wire.say('w1', fullSet(gen, [], { base: gen - 1 }));
      await w.clock.advance(700_000);
      assert.equal(
        [...w.keeper.held.items.values()].map((i) => `${i.key}@${i.rev}`).sort(),
        items.map((i) => `${i.key}@${i.rev}`).sort(),
      );
      assert.is(
        w.wire
          .reports('status')
          .at(-1)
          ?.pods.find((p) => p.uid === 'a')?.status.message,
        '40',
      );
      assert.is(w.outbox.depth.inFlight, 0);
      await w.link.stop();
    });
  }
});
