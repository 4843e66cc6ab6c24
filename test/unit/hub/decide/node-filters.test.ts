import * as assert from 'uvu/assert';
import { imageArchitecture, runsOn } from '../../../../hub/decide/filters/image-architecture.ts';
import {
  namedNodes,
  nodeMatch,
  termMatches,
  volumeNodes,
} from '../../../../hub/decide/filters/node-match.ts';
import { imageKey } from '../../../../hub/decide/image-name.ts';
import { foreignImages, type ImageVariants, variantsOf } from '../../../../hub/decide/image-variants.ts';
import { podToPlace } from '../../../../hub/decide/pod-to-place.ts';
import { imagePresent } from '../../../../hub/decide/scores/preferences.ts';
import type { NodeSelectorRequirement, NodeSelectorTerm } from '../../../../protocol/kinds/node.ts';
import { nodeOf, podOf } from '../../../build/placement.ts';
import { podObject, textsOf } from '../../../build/scheduling.ts';
import { spec } from '../../../spec.ts';

const node = nodeOf('n', { labels: { zone: 'z1', cores: '4', word: 'four' } });

spec('node selector terms', (it) => {
  const cases: readonly [NodeSelectorRequirement, boolean][] = [
    [{ key: 'zone', operator: 'In', values: ['z1', 'z2'] }, true],
    [{ key: 'zone', operator: 'In', values: ['z2'] }, false],
    [{ key: 'zone', operator: 'NotIn', values: ['z2'] }, true],
    [{ key: 'absent', operator: 'NotIn', values: ['z2'] }, true],
    [{ key: 'zone', operator: 'Exists' }, true],
    [{ key: 'absent', operator: 'Exists' }, false],
    [{ key: 'absent', operator: 'DoesNotExist' }, true],
    [{ key: 'cores', operator: 'Gt', values: ['3'] }, true],
    [{ key: 'cores', operator: 'Gt', values: ['4'] }, false],
    [{ key: 'cores', operator: 'Lt', values: ['5'] }, true],
    [{ key: 'word', operator: 'Gt', values: ['3'] }, false],
    [{ key: 'absent', operator: 'Lt', values: ['3'] }, false],
  ];
  for (const [r, expected] of cases) {
    it(`${r.key} ${r.operator} ${r.values ?? ''}`, () =>
      assert.is(termMatches({ matchExpressions: [r] }, node), expected));
  }

  it('matches fields by the name of the node', () => {
    const named = (name: string): NodeSelectorTerm => ({
      matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }],
    });
    assert.ok(termMatches(named('n'), node));
    assert.not.ok(termMatches(named('m'), node));
    assert.not.ok(termMatches({}, node), 'a term without anything matches nothing');
  });

  it('knows the nodes that a pod names', () => {
    const of = (...nodeSelectorTerms: NodeSelectorTerm[]): string[] | undefined => {
      const affinity = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
      const names = namedNodes({ nodeAffinity: affinity });
      return names === undefined ? undefined : [...names];
    };
    const a = { matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: ['a'] }] };
    assert.equal(of(a), ['a']);
    assert.is(of(a, { matchExpressions: [{ key: 'zone', operator: 'Exists' }] }), undefined);
  });

  it('needs every volume to allow the node', () => {
    const here = { matchExpressions: [{ key: 'zone', operator: 'In' as const, values: ['z1'] }] };
    const there = { matchExpressions: [{ key: 'zone', operator: 'In' as const, values: ['z9'] }] };
    assert.equal(volumeNodes(podOf({ volumeNodes: [[there, here], [here]] }), node), []);
    assert.equal(textsOf(volumeNodes(podOf({ volumeNodes: [[here], [there]] }), node)), [
      'node(s) had volume node affinity conflict',
    ]);
    assert.equal(textsOf(nodeMatch(podOf({ nodeSelector: { zone: 'z9' } }), node)), [
      "node(s) didn't match Pod's node affinity/selector",
    ]);
  });
});

spec('image architecture', (it) => {
  const on = (arch: string | undefined, architectures: readonly string[] | undefined): string[] => {
    const variants = (): ImageVariants | undefined =>
      architectures === undefined ? undefined : { known: architectures, missing: 'others' };
    const pod = podToPlace(podObject('p'), { variants });
    return textsOf(
      imageArchitecture(pod, nodeOf('n', { labels: arch ? { 'kubernetes.io/arch': arch } : {} })),
    );
  };

  it('refuses what the node cannot run, and says which image', () => {
    assert.equal(on('amd64', ['arm64']), [
      "node(s) can't run an image: image busybox is for arm64, node is amd64",
    ]);
    assert.equal(on('amd64', ['arm64', 'arm/v7']).length, 1);
  });

  it('lets pass what fits, and what nobody knows', () => {
    for (const known of [['amd64'], ['arm64', 'amd64'], undefined]) assert.equal(on('amd64', known), []);
    assert.equal(on(undefined, ['arm64']), []);
  });

  it('learns from nodes that have an image for another architecture', () => {
    const seen = (...sightings: [own: string, platform: string][]): unknown =>
      variantsOf(sightings.map(([own, platform]) => ({ own, platform })));
    assert.equal(seen(['amd64', 'arm64']), { known: ['arm64'], missing: ['amd64'] });
    assert.is(seen(['amd64', 'amd64']), undefined, 'what fits says nothing of others');
    assert.is(seen(['amd64', 'arm64'], ['amd64', 'amd64']), undefined, 'another one has the variant');
    assert.is(seen(), undefined);
  });

  it('reads what a node says of them', () => {
    assert.equal([...foreignImages('{"arm64":["me/app"],"x":5}')], [['docker.io/me/app:latest', 'arm64']]);
    for (const text of [undefined, '', '{', '[]', 'null', '7']) assert.is(foreignImages(text).size, 0);
  });

  const cases: readonly [string, string, boolean][] = [
    ['arm64', 'arm64', true],
    ['arm64/v8', 'arm64', true],
    ['arm/v7', 'arm64', true],
    ['arm/v7', 'arm', true],
    ['arm/v7', 'arm/v6', false],
    ['arm/v6', 'arm/v7', true],
    ['arm64', 'arm', false],
    ['amd64', 'arm64', false],
    ['386', 'amd64', false],
  ];
  for (const [image, own, expected] of cases) {
    it(`${image} on ${own}: ${expected}`, () => assert.is(runsOn(image, own), expected));
  }
});

spec('images on the node', (it) => {
  const cases: readonly [string, string][] = [
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['me/app', 'docker.io/me/app:latest'],
    ['docker.io/library/nginx:1', 'docker.io/library/nginx:1'],
    ['registry.local:5000/app', 'registry.local:5000/app:latest'],
    ['localhost/app:2', 'localhost/app:2'],
    ['ghcr.io/a/b@sha256:00', 'ghcr.io/a/b@sha256:00'],
  ];
  for (const [name, key] of cases) it(name, () => assert.is(imageKey(name), key));

  it('are worth more the larger they are', () => {
    const pod = podOf({ images: [imageKey('big')] });
    const withImage = (bytes: number): number =>
      imagePresent(pod, nodeOf('n', { images: new Map([[imageKey('big'), bytes]]) }));
    assert.is(imagePresent(pod, nodeOf('n')), 0);
    assert.ok(withImage(0) > 0 && withImage(0) < withImage(2e8) && withImage(2e8) < withImage(6e8));
    assert.is(withImage(6e8), 100);
  });
});
