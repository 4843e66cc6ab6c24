import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { decodeProtobuf } from '../../hub/protobuf/decode.ts';
import { ProtobufError } from '../../hub/protobuf/reader.ts';
import { spec } from '../spec.ts';

const bodies = Object.values(
  JSON.parse(
    readFileSync(new URL('../unit/hub/protobuf/kubectl-bodies.json', import.meta.url), 'utf8'),
  ) as Record<string, string>,
).map((text) => Buffer.from(text, 'base64'));

/** Decodes or throws a ProtobufError; what was decoded must be JSON. */
function decodesOrRefuses(bytes: Uint8Array): void {
  try {
    const { object } = decodeProtobuf(bytes);
    assert.equal(JSON.parse(JSON.stringify(object)), object);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
  }
}

spec('decodeProtobuf', (it) => {
  it('only ever refuses with its own error, for random bytes', () => {
    const prefix = Buffer.from('k8s\0');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, prefixed) => {
        decodesOrRefuses(prefixed ? Buffer.concat([prefix, bytes]) : bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('only ever refuses with its own error, for real bodies with some bytes changed', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(
        fc.constantFrom(...bodies),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        (body, changes) => {
          const bytes = Buffer.from(body);
          for (const [at, value] of changes) bytes[at % bytes.length] = value;
          decodesOrRefuses(bytes);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
