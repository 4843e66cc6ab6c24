import * as assert from 'uvu/assert';
import type { Pod } from '../../protocol/kinds/pod.ts';
import type { Item } from '../../protocol/wire/messages.ts';
import { HubWorld } from '../build/hub-world.ts';
import type { MemoryDevice } from '../fakes/memory-devices.ts';
import { spec } from '../spec.ts';

const MINUTE_MS = 60_000;

function pod(
  name: string,
  seconds = 600,
  account?: string,
): Pick<Pod, 'spec'> & { metadata: { name: string; namespace: string; labels: Record<string, string> } } {
  return {
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: {
      ...(account === undefined ? {} : { serviceAccountName: account }),
      automountServiceAccountToken: false,
      containers: [{ name: 'c', image: 'i' }],
      volumes: [
        {
          name: 'access',
          projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: seconds } }] },
        },
      ],
    },
  };
}

const itemsOf = (device: MemoryDevice | undefined): Item[] =>
  [...(device?.held.values() ?? [])].filter((item) => item.key.includes('/token:'));

function tokenOf(device: MemoryDevice | undefined): string {
  const [item] = itemsOf(device);
  const data = item?.kind === 'secret' ? Object.values(item.body.data ?? {}) : [];
  return Buffer.from(data[0] ?? '', 'base64').toString();
}

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

const sentTokens = (world: HubWorld): number =>
  world.link.sent.filter(
    ({ message }) => message.t === 'desired' && message.items.some((item) => item.key.includes('/token:')),
  ).length;

const madeTokens = (world: HubWorld): number =>
  new Set(
    world.link.sent.flatMap(({ message }) =>
      message.t === 'desired'
        ? message.items.flatMap((item) => (item.key.includes('/token:') ? [item.rev] : []))
        : [],
    ),
  ).size;

const away = [{ key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' } as const];

spec('tokens of pods', (it) => {
  it('come with the pod, are bound to it, and hold until it is gone', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.store.create('Pod', pod('p'));
    await world.until(() => world.ready('p').length === 1 && itemsOf(device).length === 1);
    const [held] = world.pods('p');
    const node = world.store.get('Node', '', 'worker-1');
    const token = tokenOf(device);
    const claims = claimsOf(token);
    const account = world.store.get('ServiceAccount', 'default', 'default');
    assert.is(claims['sub'], 'system:serviceaccount:default:default');
    assert.is(Number(claims['exp']) - Number(claims['iat']), 600);
    assert.equal(claims['kubernetes.io'], {
      namespace: 'default',
      pod: { name: 'p', uid: held?.metadata.uid },
      node: { name: 'worker-1', uid: node?.metadata.uid },
      serviceaccount: { name: 'default', uid: account?.metadata.uid },
    });
    assert.is(world.tokens.review(token, [])?.user.name, 'system:serviceaccount:default:default');
    assert.is(sentTokens(world), 1);
    await world.store.delete('Pod', 'default', 'p');
    await world.until(
      () => world.store.get('Pod', 'default', 'p') === undefined && itemsOf(device).length === 0,
    );
    assert.is(world.tokens.review(token, []), undefined, 'taken back with the pod');
    await world.stop();
  });

  it('are replaced at four fifths of their life, and sent once each time', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.store.create('Pod', pod('p'));
    await world.until(() => itemsOf(device).length === 1);
    const first = tokenOf(device);
    await world.store.modify('Pod', 'default', 'p', (draft) => {
      draft.metadata.annotations = { note: 'another revision of the pod, not of its token' };
      return true;
    });
    await world.clock.advance(7 * MINUTE_MS);
    assert.is(tokenOf(device), first);
    assert.is(sentTokens(world), 1);
    await world.clock.advance(MINUTE_MS);
    await world.until(() => tokenOf(device) !== first);
    assert.is(sentTokens(world), 2);
    assert.ok(world.tokens.review(tokenOf(device), []) !== undefined);
    await world.clock.advance(8 * MINUTE_MS);
    await world.until(() => sentTokens(world) === 3);
    assert.is(world.tokens.review(first, []), undefined, 'the first has expired');
    assert.is(device?.starts, 1, 'the pod was not started again');
    await world.stop();
  });

  it('of a device that is away wait until it is back', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1', 'worker-2');
    const subject = pod('p');
    subject.spec.nodeSelector = { 'kubernetes.io/hostname': 'worker-1' };
    subject.spec.tolerations = away;
    await world.store.create('Pod', subject);
    await world.until(() => itemsOf(device).length === 1);
    const first = tokenOf(device);
    device?.cut();
    await world.clock.advance(20 * MINUTE_MS);
    assert.is(sentTokens(world), 1, 'nothing is made for nobody');
    device?.connect(false);
    await world.until(() => tokenOf(device) !== first);
    // A device that says hello twice is told twice, but the same.
    assert.is(madeTokens(world), 2);
    await world.clock.advance(8 * MINUTE_MS);
    await world.until(() => madeTokens(world) === 3);
    await world.stop();
  });

  it('are made anew by a hub that has started again', async () => {
    const world = await HubWorld.start();
    const [device] = await world.devices('worker-1');
    await world.store.create('Pod', pod('p'));
    await world.until(() => itemsOf(device).length === 1);
    const first = tokenOf(device);
    await world.stop(true);
    device?.cut();
    const next = await HubWorld.start({ directory: world.directory, clock: world.clock });
    if (device === undefined) throw new Error('no device');
    next.adopt(device);
    await next.until(() => tokenOf(device) !== first && itemsOf(device).length === 1);
    assert.ok(next.tokens.review(first, []) !== undefined, 'the old one holds as well');
    assert.is(device.starts, 1);
    await next.stop();
  });

  it('wait for their service account, which the pod is told, and follow one that is made again', async () => {
    const world = await HubWorld.start();
    const robot = { metadata: { name: 'robot', namespace: 'default' } };
    await world.store.create('ServiceAccount', robot);
    await world.store.create('Pod', pod('p', 600, 'robot'));
    await world.store.delete('ServiceAccount', 'default', 'robot');
    const [device] = await world.devices('worker-1');
    const told = (): string[] =>
      world.store
        .list('Event', 'default')
        .flatMap((e) => (e.reason === 'FailedMount' ? [e.message ?? ''] : []));
    await world.until(() => told().length === 1);
    assert.equal(told(), [
      'MountVolume.SetUp failed for volume "access" : failed to fetch token: serviceaccounts "robot" not found',
    ]);
    assert.is(itemsOf(device).length, 0);
    await world.store.create('ServiceAccount', robot);
    await world.until(() => itemsOf(device).length === 1);
    const first = tokenOf(device);
    await world.store.delete('ServiceAccount', 'default', 'robot');
    assert.is(world.tokens.review(first, []), undefined);
    assert.is(tokenOf(device), first, 'the file stays');
    await world.store.create('ServiceAccount', robot);
    await world.until(() => tokenOf(device) !== first);
    assert.ok(world.tokens.review(tokenOf(device), []) !== undefined);
    assert.is(told().length, 1);
    await world.stop();
  });
});
