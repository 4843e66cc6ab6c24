import * as assert from 'uvu/assert';
import {
  exceededLimit,
  isStorageDue,
  type StorageLook,
  storageLimits,
  storageLook,
  upperDirIn,
} from '../../../../edge-agent/decide/local-storage.ts';
import type { Container, Volume } from '../../../../protocol/kinds/pod.ts';
import { container } from '../../../build/pod.ts';
import { spec } from '../../../spec.ts';

const MIB = 2 ** 20;
const limited = (name: string, limit?: string, overrides: Partial<Container> = {}): Container =>
  container({
    name,
    ...(limit === undefined ? {} : { resources: { limits: { 'ephemeral-storage': limit } } }),
    ...overrides,
  });
const dir = (name: string, sizeLimit?: string, medium: '' | 'Memory' = ''): Volume => ({
  name,
  emptyDir: { medium, ...(sizeLimit === undefined ? {} : { sizeLimit }) },
});
const use = (containers: Record<string, number>, volumes: Record<string, number> = {}) => ({
  containers: new Map(Object.entries(containers)),
  volumes: new Map(Object.entries(volumes)),
});

spec('storageLimits', (it) => {
  it('is nothing for pods without limits on the disk', () => {
    const volumes = [dir('a'), dir('mem', '1Mi', 'Memory'), { name: 'h', hostPath: { path: '/x' } }];
    assert.is(storageLimits({ containers: [limited('c')], volumes }), undefined);
    assert.is(storageLimits({ containers: [limited('c', '0')], volumes: [dir('a', '0')] }), undefined);
  });

  it('limits the pod as soon as one container is limited, then counts every emptyDir on the disk', () => {
    const limits = storageLimits({
      containers: [limited('a', '10Mi'), limited('b')],
      volumes: [dir('v'), dir('w', '5M'), dir('mem', '1Mi', 'Memory')],
    });
    assert.equal(limits?.pod, { bytes: 10 * MIB, shown: '10Mi' });
    assert.equal(limits?.containers, [{ name: 'a', bytes: 10 * MIB, shown: '10Mi' }]);
    assert.equal(limits?.volumes, [{ name: 'w', bytes: 5_000_000, shown: '5M' }]);
    assert.equal(limits?.onDisk, ['v', 'w']);
  });

  it('adds containers and sidecars, or takes the largest init step', () => {
    const sidecar = limited('s', '512Ki', { restartPolicy: 'Always' });
    const sum = storageLimits({
      initContainers: [sidecar],
      containers: [limited('a', '1Mi'), limited('b', '512Ki')],
    });
    assert.equal(sum?.pod, { bytes: 2 * MIB, shown: '2Mi' });
    assert.equal(
      sum?.containers.map((c) => c.name),
      ['a', 'b', 's'],
    );
    const peak = storageLimits({ initContainers: [limited('i', '1Gi')], containers: [limited('a', '1Mi')] });
    assert.is(peak?.pod?.shown, '1Gi');
    assert.is(storageLimits({ containers: [limited('a', '1M'), limited('b', '2M')] })?.pod?.shown, '3M');
  });
});

spec('exceededLimit', (it) => {
  const one = storageLimits({ containers: [limited('c', '10Mi')], volumes: [dir('v', '5Mi'), dir('w')] });
  const two = storageLimits({ containers: [limited('c', '10Mi'), limited('d', '10Mi')] });
  const cases = [
    ['nothing at the limit', one, use({ c: 5 * MIB }, { v: 5 * MIB }), undefined],
    [
      'an emptyDir first',
      one,
      use({ c: 20 * MIB }, { v: 5 * MIB + 1 }),
      'Usage of EmptyDir volume "v" exceeds the limit "5Mi". ',
    ],
    [
      'the pod with what no limit of its own holds',
      one,
      use({ c: 1 }, { w: 10 * MIB }),
      'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ',
    ],
    [
      'one container within a pod that keeps to its sum',
      two,
      use({ c: 1, d: 11 * MIB }),
      'Container d exceeded its local ephemeral storage limit "10Mi". ',
    ],
    [
      'the sum of all',
      two,
      use({ c: 10 * MIB, d: 10 * MIB, e: 1 }),
      'Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ',
    ],
  ] as const;
  for (const [name, limits, used, message] of cases) {
    it(`tells of ${name}`, () => {
      assert.ok(limits);
      if (limits !== undefined) assert.is(exceededLimit(limits, used), message);
    });
  }
});

spec('isStorageDue', (it) => {
  const look = (overrides: Partial<StorageLook> = {}): StorageLook => ({
    atMs: 0,
    costMs: 10,
    headroomBytes: 100 * MIB,
    usedRatio: 0.1,
    bytesPerMs: 0,
    diskUsedBytes: 0,
    ...overrides,
  });
  const cases: readonly [string, StorageLook | undefined, number, number, boolean][] = [
    ['at once for a new pod', undefined, 0, 0, true],
    ['not again within ten seconds', look({ usedRatio: 0.99 }), 9_999, 10 ** 12, false],
    ['soon after the first look', look({ bytesPerMs: undefined }), 10_000, 0, true],
    ['not sooner', look({ bytesPerMs: undefined }), 9_999, 0, false],
    ['not soon for one that rests far from its limit', look(), 59_999, 0, false],
    ['after a minute at the latest', look(), 60_000, 0, true],
    ['every ten seconds near the limit', look({ usedRatio: 0.8 }), 10_000, 0, true],
    ['when the disk has taken half of what was left', look(), 10_000, 50 * MIB, true],
    ['not for less', look(), 10_000, 50 * MIB - 1, false],
    ['half way to the limit at its pace', look({ bytesPerMs: (100 * MIB) / 40_000 }), 20_000, 0, true],
    ['not before', look({ bytesPerMs: (100 * MIB) / 40_000 }), 19_000, 0, false],
    ['rarely for one that costs much', look({ usedRatio: 0.9, costMs: 9_000 }), 89_999, 0, false],
  ];
  for (const [name, last, atMs, diskUsedBytes, due] of cases)
    it(name, () => assert.is(isStorageDue(last, { atMs, diskUsedBytes }), due));

  it('knows the nearest limit and how fast it comes', () => {
    const limits = storageLimits({ containers: [limited('c', '100Mi')], volumes: [dir('v', '10Mi')] });
    if (limits === undefined) throw new Error('no limits');
    const now = { atMs: 0, costMs: 1, diskUsedBytes: 0 };
    const first = storageLook(limits, use({ c: MIB }, { v: 2 * MIB }), now, undefined);
    assert.equal([first.headroomBytes, first.usedRatio, first.bytesPerMs], [8 * MIB, 0.2, undefined]);
    const later = storageLook(limits, use({ c: MIB }, { v: 4 * MIB }), { ...now, atMs: 1_000 }, first);
    assert.equal([later.headroomBytes, later.bytesPerMs], [6 * MIB, (2 * MIB) / 1_000]);
    const emptied = storageLook(limits, use({ c: MIB }), { ...now, atMs: 2_000 }, later);
    assert.is(emptied.bytesPerMs, 0);
  });
});

spec('upperDirIn', (it) => {
  const proc = '25 20 0:22 / /proc rw - proc proc rw';
  it('finds the upper folder of the root', () => {
    const root =
      '20 1 0:60 / / rw,relatime master:5 - overlay overlay rw,lowerdir=/a:/b,upperdir=/var/lib/x\\040y/fs,workdir=/w';
    assert.is(upperDirIn(`${root}\n${proc}`), '/var/lib/x y/fs');
  });
  it('knows nothing of other roots', () => {
    assert.is(upperDirIn(`20 1 8:1 / / rw - ext4 /dev/sda1 rw\n${proc}`), undefined);
    assert.is(upperDirIn(''), undefined);
  });
});
