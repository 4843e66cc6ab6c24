import * as assert from 'uvu/assert';
import type { Node } from '../../protocol/kinds/node.ts';
import { HubWorld } from '../build/hub-world.ts';
import { spec } from '../spec.ts';

const LEASE_MS = 8_000;

const taintKeys = (node: Node | undefined): string[] => [
  ...new Set((node?.spec.taints ?? []).map((t) => t.key)),
];

spec('the hub and devices that come and go', (it) => {
  it('moves pods of a lost device within its lease, and fights over nothing when it returns', async () => {
    const world = await HubWorld.start();
    const [one, two, three] = await world.devices('worker-1', 'worker-2', 'worker-3');
    await world.deploy('web', 6);
    await world.until(() => world.ready('web').length === 6);
    const kept = world
      .pods('web')
      .filter((p) => p.spec.nodeName !== 'worker-1')
      .map((p) => p.metadata.uid);
    one?.cut();
    const cutAtMs = world.clock.monotonicMs();
    await world.until(
      () => world.ready('web').filter((p) => p.spec.nodeName !== 'worker-1').length === 6,
      20,
    );
    const tookMs = world.clock.monotonicMs() - cutAtMs;
    assert.ok(tookMs >= LEASE_MS - 3_000 && tookMs < LEASE_MS + 3_000, `took ${tookMs} simulated ms`);
    assert.equal(taintKeys(world.store.get('Node', '', 'worker-1')), ['node.kubernetes.io/unreachable']);
    const terminating = world.store.podsOnNode('worker-1');
    assert.ok(terminating.every((p) => p.metadata.deletionTimestamp !== undefined));
    const after = world.pods('web').map((p) => p.metadata.uid);
    assert.ok(kept.every((uid) => after.includes(uid)));
    const starts = [two?.starts, three?.starts];
    one?.connect();
    await world.until(() => one?.running.size === 0 && world.store.podsOnNode('worker-1').length === 0);
    await world.until(
      () => world.isReady('worker-1') && taintKeys(world.store.get('Node', '', 'worker-1')).length === 0,
    );
    assert.equal(
      world.pods('web').map((p) => p.metadata.uid),
      after,
    );
    assert.equal([two?.starts, three?.starts], starts);
    await world.stop();
  });

  it('keeps pods that tolerate the silence, and makes them ready again when heartbeats go on', async () => {
    const world = await HubWorld.start();
    const [one] = await world.devices('worker-1', 'worker-2');
    const tolerations = [
      {
        key: 'node.kubernetes.io/unreachable',
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 3600,
      },
    ] as const;
    await world.store.create('Pod', {
      metadata: { name: 'patient', namespace: 'default', labels: { app: 'patient' } },
      spec: {
        containers: [{ name: 'c', image: 'i' }],
        nodeSelector: { 'kubernetes.io/hostname': 'worker-1' },
        tolerations: tolerations.map((t) => ({ ...t })),
      },
    });
    await world.until(() => world.ready('patient').length === 1);
    const [pod] = world.pods('patient');
    one?.cut();
    await world.until(() => world.ready('patient').length === 0, 20);
    assert.is(world.pods('patient')[0]?.metadata.uid, pod?.metadata.uid);
    one?.heal();
    await world.until(() => world.ready('patient').length === 1 && world.isReady('worker-1'));
    assert.is(one?.starts, 1, 'nothing was started again');
    await world.stop();
  });

  it('does not bring a deleted node back with what the device said before, only when it connects anew', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1', 'worker-2');
    if (device === undefined) throw new Error('no device');
    device.facts({ labels: { shelf: 'no ; label' } });
    await world.clock.advance(2_000);
    await world.store.delete('Node', '', 'worker-1');
    device.facts({ labels: { shelf: 'left' } });
    await world.clock.advance(60_000);
    // Writes are carried out in order: with this one all before it.
    await world.store.create('ConfigMap', { metadata: { name: 'last', namespace: 'default' } });
    assert.is(world.store.get('Node', '', 'worker-1'), undefined);
    device.cut();
    device.connect();
    await world.until(() => world.isReady('worker-1'));
    await world.stop();
  });

  it('does not blame the devices when nobody at all is heard', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 4);
    await world.until(() => world.ready('web').length === 4);
    const before = world.pods('web').map((p) => p.metadata.uid);
    for (const device of devices) device.cut();
    await world.until(() => !world.isReady('worker-1') && !world.isReady('worker-2'), 50);
    await world.clock.advance(20_000);
    for (const device of devices) device.connect(false);
    await world.until(
      () => world.ready('web').length === 4 && world.isReady('worker-1') && world.isReady('worker-2'),
    );
    assert.equal(
      world.pods('web').map((p) => p.metadata.uid),
      before,
    );
    await world.stop();
  });

  it('is taken over by a new hub on the same store without any churn', async () => {
    const world = await HubWorld.start();
    const devices = await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 4);
    await world.until(() => world.ready('web').length === 4);
    const before = world.pods('web').map((p) => p.metadata.uid);
    const starts = devices.map((d) => d.starts);
    await world.stop(true);
    for (const device of devices) device.cut();
    const next = await HubWorld.start({ directory: world.directory, clock: world.clock });
    await next.clock.advance(12_000);
    assert.ok(next.isReady('worker-1'), 'devices have time to find the hub again');
    for (const device of devices) next.adopt(device);
    await next.until(() => next.ready('web').length === 4);
    await next.clock.advance(5_000);
    assert.equal(
      next.pods('web').map((p) => p.metadata.uid),
      before,
    );
    assert.equal(
      devices.map((d) => d.starts),
      starts,
    );
    await next.stop();
  });

  it('with an empty store keeps the fleet running and says so, until a person decides', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.deploy('web', 3);
    await world.until(() => world.ready('web').length === 3);
    await world.stop();
    device?.cut();
    const empty = await HubWorld.start({ clock: world.clock });
    if (device === undefined) throw new Error('no device');
    empty.adopt(device);
    const condition = (): { status: string; message?: string } | undefined =>
      empty.store
        .get('Node', '', 'worker-1')
        ?.status?.conditions?.find((c) => c.type === 'DesiredStateRefused');
    await empty.until(() => condition()?.status === 'True');
    assert.is(device.running.size, 3);
    assert.match(condition()?.message ?? '', /default\/web-/);
    await empty.until(() =>
      empty.store.list('Event').some((e) => e.reason === 'DesiredStateRefused' && e.type === 'Warning'),
    );
    await empty.until(() =>
      taintKeys(empty.store.get('Node', '', 'worker-1')).includes('coxswain.dev/desired-state-refused'),
    );
    device.connect(false);
    await empty.clock.advance(5_000);
    assert.is(device.running.size, 3, 'also when it connects again');
    await empty.store.modify('Node', '', 'worker-1', (draft) => {
      draft.metadata.annotations = {
        ...draft.metadata.annotations,
        'coxswain.dev/accept-desired-state': 'true',
      };
      return true;
    });
    await empty.until(() => device.running.size === 0 && condition()?.status === 'False');
    await empty.deploy('new', 2);
    await empty.until(() => empty.ready('new').length === 2);
    await empty.stop();
  });

  it('gives each node its own pod range, removes the pods of a deleted node, acknowledges what is durable', async () => {
    const world = await HubWorld.start();
    const names = ['worker-1', 'worker-2', 'worker-3', 'worker-4'];
    const devices = await world.devices(...names);
    const ranges = names.map((name) => world.store.get('Node', '', name)?.spec.podCIDR);
    assert.is(new Set(ranges).size, 4);
    assert.ok(ranges.every((r) => /^10\.42\.\d+\.0\/24$/.test(r ?? '')));
    await world.deploy('web', 4);
    await world.until(() => world.ready('web').length === 4);
    devices[3]?.cut();
    await world.store.delete('Node', '', 'worker-4');
    await world.until(
      () => world.store.podsOnNode('worker-4').length === 0 && world.ready('web').length === 4,
      100,
    );
    assert.ok((devices[0]?.acks.length ?? 0) > 0);
    await world.until(() => world.store.get('Lease', 'kube-node-lease', 'worker-1') !== undefined);
    await world.stop();
  });

  it('shows what devices have seen, with their own times, once', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    const event = {
      id: 'e1',
      involved: { kind: 'Pod', namespace: 'default', name: 'p', uid: 'u' },
      type: 'Normal',
      reason: 'Started',
      message: 'Started container',
      count: 1,
      firstTimestamp: '2020-01-01T00:00:00Z',
      lastTimestamp: '2020-01-01T00:00:00Z',
    } as const;
    device?.event(event);
    device?.event(event);
    await world.until(() => world.store.list('Event', 'default').some((e) => e.reason === 'Started'));
    await world.clock.advance(100);
    const seen = world.store.list('Event', 'default').filter((e) => e.reason === 'Started');
    assert.is(seen.length, 1);
    assert.is(seen[0]?.lastTimestamp, '2020-01-01T00:00:00Z');
    assert.is(seen[0]?.count, 1);
    await world.stop();
  });

  it('replaces what a device evicts, elsewhere while the device is short of something', async () => {
    const world = await HubWorld.start();
    const [one] = await world.devices('worker-1', 'worker-2');
    await world.deploy('web', 2);
    await world.until(() => world.ready('web').length === 2);
    const hot = { type: 'TemperaturePressure', status: 'True' as const, reason: 'NodeIsHot' };
    const short = { type: 'MemoryPressure', status: 'True' as const, reason: 'NodeHasInsufficientMemory' };
    one?.facts({ conditions: [hot, short] });
    await world.until(() => taintKeys(world.store.get('Node', '', 'worker-1')).length === 2);
    assert.equal(taintKeys(world.store.get('Node', '', 'worker-1')), [
      'node.kubernetes.io/memory-pressure',
      'coxswain.dev/temperature-pressure',
    ]);
    const [victim] = world.pods('web').filter((p) => p.spec.nodeName === 'worker-1');
    const { uid = '', namespace = '', name = '' } = victim?.metadata ?? {};
    const status = {
      phase: 'Failed' as const,
      reason: 'Evicted',
      message: 'The node was low on resource: memory. ',
    };
    one?.say({ t: 'status', ...one.head(), pods: [{ uid, namespace, name, status }] });
    await world.until(() => world.ready('web').filter((p) => p.spec.nodeName === 'worker-2').length === 2);
    assert.is(world.store.byUid('Pod', uid)?.status?.reason, 'Evicted');
    one?.facts({ conditions: [] });
    await world.until(() => taintKeys(world.store.get('Node', '', 'worker-1')).length === 0);
    await world.stop();
  });
});
