/** What the API refuses, in Kubernetes' codes, reasons and words. */
import * as assert from 'uvu/assert';
import type { Status } from '../../protocol/status.ts';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';
import { container, DEPLOYMENTS, MAPS, pod, V1 } from './refusals.ts';
import { REFUSED_OBJECTS } from './refused-objects.ts';
import { REFUSED_REQUESTS } from './refused-requests.ts';
import { readyNode } from './worlds.ts';

let hub: TestHub;

spec(
  'API refusals',
  (it) => {
    for (const [name, [method, path, options], code, reason, message] of [
      ...REFUSED_OBJECTS,
      ...REFUSED_REQUESTS,
    ])
      it(name, async () => {
        const reply = await hub.ask(method, path, options);
        const status = reply.json as Status;
        assert.is(reply.status, code, reply.text);
        assert.is(status.kind, 'Status');
        assert.is(status.apiVersion, 'v1');
        assert.is(status.status, 'Failure');
        assert.is(status.code, code);
        assert.is(status.reason, reason);
        assert.ok(status.message?.includes(message), status.message);
      });

    it('names what it refuses in the details', async () => {
      const absent = (await hub.ask('GET', `${DEPLOYMENTS}/x`)).json as Status;
      assert.equal(absent.details, { name: 'x', group: 'apps', kind: 'deployments' });
      const invalid = (await hub.ask('POST', `${V1}/pods`, { body: pod({ containers: [] }) })).json as Status;
      assert.is(invalid.details?.kind, 'Pod');
      assert.equal(invalid.details?.causes?.[0], {
        reason: 'FieldValueRequired',
        message: 'Required value',
        field: 'spec.containers',
      });
      const future = (await hub.ask('GET', `${MAPS}?resourceVersion=99999999999`)).json as Status;
      assert.is(future.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge');
    });

    it('warns of unknown fields, and drops them', async () => {
      const path = `${MAPS}?fieldValidation=Warn&dryRun=All`;
      const reply = await hub.ask('POST', path, {
        body: { metadata: { name: 'w' }, oops: 1, data: { a: 'b' } },
      });
      assert.is(reply.status, 201);
      assert.is(reply.headers['warning'], '299 - "unknown field \\"oops\\""');
      assert.not.match(reply.text, '"oops"');
      const silent = await hub.ask('POST', `${MAPS}?fieldValidation=Ignore&dryRun=All`, {
        body: { metadata: { name: 'w' }, oops: 1 },
      });
      assert.is(silent.headers['warning'], undefined);
    });

    it('logs no complaint in all of this', () => {
      assert.equal(hub.complaints, []);
    });
  },
  {
    before: async () => {
      hub = await startHub();
      await hub.put({
        kind: 'ConfigMap',
        metadata: { name: 'kept', namespace: 'default' },
        data: { a: 'b' },
      });
      await hub.put(readyNode('worker-1'));
      await hub.put({
        kind: 'Pod',
        metadata: { name: 'loose', namespace: 'default' },
        spec: { containers: [container] },
      });
      const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [container] } };
      await hub.put({
        kind: 'Deployment',
        metadata: { name: 'web', namespace: 'default' },
        spec: { selector: { matchLabels: { app: 'web' } }, template },
      });
    },
    after: () => hub.stop(),
  },
);
