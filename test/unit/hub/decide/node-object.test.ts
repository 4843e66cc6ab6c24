import * as assert from 'uvu/assert';
import {
  carries,
  IMAGE_PLATFORMS,
  MEMORY_LIMITS,
  nodeAnnotations,
  nodeStatus,
  withEntries,
} from '../../../../hub/decide/node-object.ts';
import { decodeReport, encodeMessage } from '../../../../protocol/wire/decode.ts';
import type { ImageFact } from '../../../../protocol/wire/messages.ts';
import { nodeFacts } from '../../../build/desired.ts';
import { spec } from '../../../spec.ts';

const now = { atMs: 0, time: '2026-01-01T00:00:00Z' };
const IMAGES: readonly ImageFact[] = [
  [['app@sha256:1', 'app:1'], 90],
  [['wrong:1'], 50, 'amd64'],
  [['old:1'], 40, 'arm/v7'],
];

spec('what a node says of its images and devices', (it) => {
  it('fills status.images, and keeps them when the facts are silent', () => {
    const first = nodeStatus(undefined, nodeFacts({ images: IMAGES }), now);
    assert.equal(first.images?.[0], { names: ['app@sha256:1', 'app:1'], sizeBytes: 90 });
    assert.equal(nodeStatus(first, nodeFacts(), now).images, first.images);
    assert.equal(nodeStatus(first, nodeFacts({ images: [] }), now).images, []);
  });

  it('keeps in an annotation what is for other boards', () => {
    const annotations = nodeAnnotations(nodeFacts({ images: IMAGES }));
    assert.is(annotations[IMAGE_PLATFORMS], '{"amd64":["wrong:1"],"arm/v7":["old:1"]}');
    assert.is(IMAGE_PLATFORMS in nodeAnnotations(nodeFacts()), false, 'silence changes nothing');
    const clean = nodeAnnotations(nodeFacts({ images: IMAGES.slice(0, 1) }));
    assert.ok(IMAGE_PLATFORMS in clean);
    assert.equal(withEntries({ a: '1', [IMAGE_PLATFORMS]: 'x' }, { [IMAGE_PLATFORMS]: undefined }), {
      a: '1',
    });
    assert.is(carries({ [IMAGE_PLATFORMS]: 'x' }, clean), false, 'what should not be there is a difference');
  });

  it('makes devices extended resources, also those that are absent', () => {
    const status = nodeStatus(
      undefined,
      nodeFacts({ devices: { 'x.dev/a': 2, 'x.dev/b': 0, cpu: 99, '/x y': 1 } }),
      now,
    );
    assert.equal([status.capacity?.['x.dev/a'], status.allocatable?.['x.dev/a']], ['2', '2']);
    assert.is(status.allocatable?.['x.dev/b'], '0');
    assert.is(status.capacity?.['cpu'], '4', 'a device cannot take the name of the processor');
  });

  it('marks a node that cannot enforce memory limits', () => {
    const off = { type: 'MemoryCgroup', status: 'False' as const };
    assert.is(nodeAnnotations(nodeFacts({ conditions: [off] }))[MEMORY_LIMITS], 'not-enforced');
    assert.is(nodeAnnotations(nodeFacts())[MEMORY_LIMITS], undefined);
  });

  it('reads old and new facts, and refuses nonsense', () => {
    const read = (facts: object): string => {
      const bytes = new TextEncoder().encode(JSON.stringify({ t: 'facts', boot: 'b', seq: 1, facts }));
      const decoded = decodeReport(bytes);
      return decoded.ok ? 'ok' : decoded.why;
    };
    assert.is(read(nodeFacts()), 'ok');
    assert.is(read({ ...nodeFacts(), images: IMAGES, devices: { 'a/b': 1 } }), 'ok');
    assert.is(read({ ...nodeFacts(), images: [[['a'], 1, 'arm64', 'later']] }), 'ok');
    assert.is(read({ ...nodeFacts(), images: [['a']] }), 'facts.images[0][0]: not a list');
    assert.is(read({ ...nodeFacts(), images: [[['a'], 'big']] }), 'facts.images[0][1]: not a whole number');
    assert.is(read({ ...nodeFacts(), devices: { 'a/b': 'two' } }), 'facts.devices.a/b: not a whole number');
    assert.ok(
      encodeMessage({ t: 'facts', boot: 'b', seq: 1, facts: nodeFacts({ images: IMAGES }) }).length > 0,
    );
  });
});
