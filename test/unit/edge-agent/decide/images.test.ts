import * as assert from 'uvu/assert';
import { imageFacts } from '../../../../edge-agent/decide/image-facts.ts';
import {
  type ImageUse,
  type NodeImage,
  normalRef,
  rememberImages,
  removableImages,
} from '../../../../edge-agent/decide/image-gc.ts';
import { emulatedArchitectures, platformRefusal } from '../../../../edge-agent/decide/image-platform.ts';
import { spec } from '../../../spec.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const image = (name: string, overrides: Partial<NodeImage> = {}): NodeImage => ({
  id: digest(name[0] ?? 'a'),
  tags: [`${name}:1`],
  digests: [`${name}@${digest(name[0] ?? 'a')}`],
  sizeBytes: 100,
  platform: 'arm64',
  ...overrides,
});

spec('removableImages', (it) => {
  const removable = (
    images: readonly NodeImage[],
    needed: readonly string[],
    inUse: readonly string[] = [],
    uses: Readonly<Record<string, Partial<ImageUse>>> = {},
  ): string => {
    const old = images.map((i) => {
      const use = { firstSeenMs: 0, lastUsedMs: 0, ...uses[i.tags[0]?.split(':')[0] ?? ''] };
      return [i.id, use] as const;
    });
    const kept = { inUse: new Set(inUse), needed };
    return removableImages(images, kept, new Map(old), 1_000_000, 120_000)
      .map((i) => i.tags[0]?.split(':')[0])
      .join(' ');
  };
  const two = [image('alpha'), image('beta')];
  it('takes what nobody needs', () => assert.is(removable(two, []), 'alpha beta'));
  it('keeps what a pod names', () => assert.is(removable(two, ['alpha:1']), 'beta'));
  it('keeps it under another spelling', () => {
    assert.is(removable(two, ['docker.io/library/alpha:1']), 'beta');
    assert.is(removable(two, [`docker.io/alpha:2@${digest('a')}`]), 'beta');
    assert.is(removable(two, [digest('b')]), 'alpha');
  });
  it('keeps what a container was made from', () => assert.is(removable(two, [], [digest('a')]), 'beta'));
  it('keeps what no registry could bring back', () =>
    assert.is(removable([image('alpha', { digests: [] }), image('beta')], []), 'beta'));
  it('keeps the young', () => assert.is(removable(two, [], [], { alpha: { firstSeenMs: 900_000 } }), 'beta'));
  it('takes the least recently used first', () =>
    assert.is(removable(two, [], [], { alpha: { lastUsedMs: 9 }, beta: { lastUsedMs: 3 } }), 'beta alpha'));
  it('knows nothing of an image it never saw: it stays', () =>
    assert.equal(removableImages(two, { inUse: new Set(), needed: [] }, new Map(), 5, 1), []));

  it('remembers first sight and last use, and forgets what is gone', () => {
    const first = rememberImages(new Map(), [{ id: 'a' }, { id: 'b' }], new Set(['a']), 10);
    const second = rememberImages(first, [{ id: 'a' }], new Set(), 20);
    assert.equal([...second], [['a', { firstSeenMs: 10, lastUsedMs: 10 }]]);
    assert.equal(first.get('b'), { firstSeenMs: 10, lastUsedMs: 0 });
  });

  for (const [ref, normal] of [
    ['nginx', 'nginx:latest'],
    ['docker.io/library/nginx:1', 'nginx:1'],
    ['reg.example:5000/a/b', 'reg.example:5000/a/b:latest'],
    [`reg.example:5000/a:2@${digest('a')}`, `reg.example:5000/a@${digest('a')}`],
  ] as const)
    it(`reads ${ref.slice(0, 40)}`, () => assert.is(normalRef(ref), normal));
});

spec('imageFacts', (it) => {
  const board = { os: 'linux', architecture: 'arm64', emulated: new Set<string>() };
  it('names the largest, with the platform only of those that cannot run here', () => {
    const many = [
      image('small', { sizeBytes: 1 }),
      image('other', { sizeBytes: 5, platform: 'amd64' }),
      image('none', { tags: [], digests: [] }),
      image('v7', { sizeBytes: 3, platform: 'arm/v7' }),
    ];
    const facts = imageFacts(many, board);
    assert.equal(
      facts.map(([names, size, platform]) => [names.at(-1), size, platform]),
      [
        ['other:1', 5, 'amd64'],
        ['v7:1', 3, undefined],
        ['small:1', 1, undefined],
      ],
    );
    assert.equal(imageFacts(many.toReversed(), board), facts);
    const zero = { ...board, architecture: 'arm', variant: 'v6' };
    assert.is(imageFacts([image('x', { platform: 'arm/v7' })], zero)[0]?.[2], 'arm/v7');
    const lots = Array.from({ length: 80 }, (_, i) => image('x', { id: `sha256:${i}`, sizeBytes: i }));
    assert.equal([imageFacts(lots, board).length, imageFacts(lots, board).at(-1)?.[1]], [50, 30]);
  });
});

spec('platformRefusal', (it) => {
  const refusal = (platform: string, architecture: string, variant?: string, handlers: string[] = []) =>
    platformRefusal('app:1', platform, {
      os: 'linux',
      architecture,
      ...(variant === undefined ? {} : { variant }),
      emulated: emulatedArchitectures(handlers),
    });
  const runs: readonly [string, string, (string | undefined)?, string[]?][] = [
    ['amd64', 'amd64'],
    ['386', 'amd64'],
    ['arm/v7', 'arm64'],
    ['arm64/v8', 'arm64'],
    ['arm/v6', 'arm', 'v7'],
    ['', 'arm64'],
    ['arm/v7', 'arm'],
    ['arm64', 'amd64', undefined, ['qemu-aarch64']],
    ['amd64', 'arm64', undefined, ['box64']],
  ];
  for (const [platform, architecture, variant, handlers] of runs)
    it(`${architecture}${variant ?? ''} ${handlers ?? ''} runs "${platform}"`, () =>
      assert.is(refusal(platform, architecture, variant, handlers), undefined));
  for (const [platform, architecture, variant, own] of [
    ['amd64', 'arm64', undefined, 'linux/arm64'],
    ['arm64', 'arm', 'v7', 'linux/arm/v7'],
    ['arm/v7', 'arm', 'v6', 'linux/arm/v6'],
    ['arm64', 'amd64', undefined, 'linux/amd64'],
  ] as const)
    it(`${own} refuses "${platform}", naming both`, () =>
      assert.is(
        refusal(platform, architecture, variant, ['qemu-s390x']),
        `image "app:1" is for linux/${platform}, but this node is ${own}`,
      ));
});
