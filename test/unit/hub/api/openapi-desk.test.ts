/** When documents are let go of. */
import * as assert from 'uvu/assert';
import type { Exchange } from '../../../../hub/api/exchange.ts';
import { OpenApiDesk } from '../../../../hub/api/openapi-desk.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

function world() {
  const clock = new ManualClock();
  let drops = 0;
  const desk = new OpenApiDesk(
    {
      groupVersions: () => ['v1'],
      hash: () => 'H',
      file: () => ({ hash: 'H', json: '{}' }),
      v2: (format) => ({ hash: format, bytes: Buffer.from(format) }),
      drop: () => {
        drops++;
      },
    },
    clock,
  );
  const ask = (path: string, headers: Record<string, string> = {}): ReturnType<OpenApiDesk['answer']> =>
    desk.answer({ path, query: new URLSearchParams(), request: { headers } } as unknown as Exchange);
  return { clock, desk, ask, drops: () => drops };
}

spec('OpenApiDesk', (it) => {
  for (const path of ['/openapi/v2', '/openapi/v3', '/openapi/v3/api/v1'])
    it(`lets go of documents a minute after ${path} was last asked for`, async () => {
      const { clock, ask, drops } = world();
      ask(path);
      await clock.advance(50_000);
      ask(path);
      await clock.advance(59_999);
      assert.is(drops(), 0);
      await clock.advance(1);
      assert.is(drops(), 1);
      await clock.advance(600_000);
      assert.is(drops(), 1);
    });

  it('minds its own paths only, and leaves no timer behind', () => {
    const { clock, desk, ask } = world();
    assert.is(ask('/openapi'), undefined);
    assert.is(ask('/openapi/v2/x'), undefined);
    assert.is(clock.pending, 0);
    ask('/openapi/v2/');
    desk.stop();
    assert.is(clock.pending, 0);
  });

  const forms: [string, string][] = [
    ['', 'json'],
    ['*/*', 'json'],
    ['application/json;q=0.5, application/com.github.proto-openapi.spec.v2@v1.0+protobuf', 'protobuf'],
    ['application/com.github.proto-openapi.spec.v2.v1.0+protobuf', 'protobuf'],
    ['text/html, application/json', 'json'],
  ];
  for (const [accept, form] of forms)
    it(`gives ${form} to those who accept ${JSON.stringify(accept)}`, () => {
      const answer = world().ask('/openapi/v2', accept === '' ? {} : { accept });
      assert.ok(answer !== undefined && 'text' in answer);
      assert.is(Buffer.from(answer.text as Uint8Array).toString(), form);
    });
});
