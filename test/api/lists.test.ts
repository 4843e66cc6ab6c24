/** Long lists: written while they are made, whole and alike in every form, and cut cleanly when the client goes. */

import { request } from 'node:https';
import { gunzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { fromYaml } from '../../kit/yaml.ts';
import { spec } from '../spec.ts';
import { ADMIN_TOKEN, startHub, type TestHub } from './hub.ts';

let hub: TestHub;
const COUNT = 600;
const MAPS = '/api/v1/namespaces/default/configmaps';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const METADATA = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';

interface List {
  readonly kind: string;
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Item[];
}

interface Item {
  readonly kind?: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** The bytes of an answer, as they came. */
function raw(
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ bytes: Buffer; encoding: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: hub.port,
        ca: hub.caPem,
        path,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...headers },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => void chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ bytes: Buffer.concat(chunks), encoding: response.headers['content-encoding'] ?? '' }),
        );
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

spec(
  'long lists',
  (it) => {
    it('come whole, in order, in pieces', async () => {
      const { headers, json } = await hub.ask('GET', MAPS);
      const list = json as List;
      assert.is(headers['transfer-encoding'], 'chunked');
      assert.is(list.kind, 'ConfigMapList');
      assert.match(list.metadata.resourceVersion, /^\d+$/);
      assert.equal(
        list.items.map((item) => item.metadata.name),
        Array.from({ length: COUNT }, (_, n) => nameOf(n)),
      );
      assert.ok(list.items.every((item) => item.kind === undefined && item.data?.['text']?.endsWith('ö€😀')));
    });

    it('are the same with gzip', async () => {
      const plain = (await hub.ask('GET', MAPS)).text;
      const { bytes, encoding } = await raw(MAPS, { 'accept-encoding': 'gzip' });
      assert.is(encoding, 'gzip');
      assert.ok(bytes.length < plain.length / 4, `${bytes.length} of ${plain.length}`);
      assert.is(gunzipSync(bytes).toString(), plain);
      assert.is((await raw(MAPS, { 'accept-encoding': 'gzip;q=0' })).bytes.toString(), plain);
    });

    it('are the same in YAML, and as Tables and metadata', async () => {
      const { items } = (await hub.ask('GET', MAPS)).json as List;
      const yaml = (await hub.ask('GET', MAPS, { headers: { accept: 'application/yaml' } })).text;
      assert.equal((fromYaml(yaml) as List).items, items);
      const table = (await hub.ask('GET', MAPS, { headers: { accept: TABLE } })).json as {
        rows: { cells: unknown[] }[];
        columnDefinitions: unknown[];
      };
      assert.equal(
        table.rows.map(({ cells }) => cells[0]),
        items.map((item) => item.metadata.name),
      );
      assert.is(table.columnDefinitions.length, table.rows[0]?.cells.length);
      const heads = (await hub.ask('GET', MAPS, { headers: { accept: METADATA } })).json as List;
      assert.is(heads.kind, 'PartialObjectMetadataList');
      assert.equal(
        heads.items.map((item) => item.metadata),
        items.map((item) => item.metadata),
      );
    });

    it('have a length when they are short', async () => {
      const { headers, json } = await hub.ask('GET', `${MAPS}?limit=2`);
      assert.is((json as List).items.length, 2);
      assert.ok((json as List).metadata.continue);
      assert.ok(Number(headers['content-length']) > 0);
    });

    it('answer HEAD without a body', async () => {
      const { status, text } = await hub.ask('HEAD', MAPS);
      assert.is(status, 200);
      assert.is(text, '');
    });

    it('may be left in the middle', async () => {
      for (const encoding of ['identity', 'gzip']) {
        const response = await hub.open(MAPS, { 'accept-encoding': encoding });
        await new Promise((resolve) => response.once('data', resolve));
        const gone = new Promise((resolve) => response.once('close', resolve));
        response.destroy();
        await gone;
      }
      assert.is(((await hub.ask('GET', MAPS)).json as List).items.length, COUNT);
      assert.equal(hub.complaints, []);
    });

    it('show one instant, whatever is written meanwhile', async () => {
      const response = await hub.open(MAPS);
      const chunks: Buffer[] = [];
      await new Promise((resolve) => response.once('readable', resolve));
      await hub.ask('DELETE', `${MAPS}/${nameOf(COUNT - 1)}`);
      for await (const chunk of response) chunks.push(chunk as Buffer);
      assert.is((JSON.parse(Buffer.concat(chunks).toString()) as List).items.length, COUNT);
    });
  },
  {
    before: async () => {
      hub = await startHub();
      const text = `${'x'.repeat(4000)}ö€😀`;
      for (let n = 0; n < COUNT; n += 50)
        await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            hub.put({
              kind: 'ConfigMap',
              metadata: { name: nameOf(n + i), namespace: 'default' },
              data: { text },
            }),
          ),
        );
    },
    after: () => hub.stop(),
  },
);

function nameOf(n: number): string {
  return `map-${String(n).padStart(4, '0')}`;
}
