/** The real kubectl on kinds that users define. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { spec } from '../spec.ts';
import { startHub, type TestHub } from './hub.ts';

let hub: TestHub;
const PROFILES = fileURLToPath(new URL('../../profiles/workloads', import.meta.url));

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10, description: 'How large it is.' },
        color: { type: 'string', default: 'red', pattern: '^[a-z]+$' },
        port: { 'x-kubernetes-int-or-string': true },
        mode: { type: 'string', enum: ['on', 'off'] },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        replicas: { type: 'integer' },
      },
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, ready: { type: 'string' } } },
  },
};

const version = (name: string, storage: boolean): object => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: SCHEMA },
  subresources: {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  },
  additionalPrinterColumns: [
    { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
    { name: 'Color', type: 'string', jsonPath: '.spec.color', priority: 1 },
  ],
});

const definition = (plural: string, kind: string, group = 'example.com', more: object = {}): object => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: 'Namespaced',
    names: { plural, kind, shortNames: plural === 'widgets' ? ['wd'] : [] },
    versions: [version('v1', true), version('v1beta1', false)],
    ...more,
  },
});

const widget = (own: object, name = 'w1'): object => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name },
  spec: own,
});

async function ok(...args: string[]): Promise<string> {
  const { code, out, err } = await hub.kubectl(...args);
  assert.is(code, 0, `kubectl ${args.join(' ')}: ${out}${err}`);
  return out;
}

const apply = (object: object, ...args: string[]) =>
  hub.kubectlWith({ input: JSON.stringify(object) }, 'apply', '-f', '-', ...args);

async function define(object: { metadata?: { name: string } } & object): Promise<void> {
  const { code, err } = await apply(object);
  assert.is(code, 0, err);
  await ok('wait', '--for=condition=Established', 'crd', object.metadata?.name ?? '', '--timeout=10s');
}

spec(
  'custom resources through kubectl',
  (it) => {
    it('serves what is defined, with its columns', async () => {
      await define(definition('widgets', 'Widget'));
      const made = await apply(widget({ size: 3 }));
      assert.match(made.out, /widget.example.com\/w1 created/);
      assert.match(await ok('get', 'wd', '-o', 'wide'), /NAME +SIZE +COLOR\nw1 +3 +red\n/);
      assert.match((await apply(widget({ size: 3 }))).out, /unchanged/);
      assert.match((await apply(widget({ size: 4 }))).out, /configured/);
      assert.match(await ok('describe', 'widget', 'w1'), /Color: +red/);
      assert.match(
        await ok('api-resources', '--api-group=example.com'),
        /widgets +wd +example.com\/v1 +true +Widget/,
      );
    });

    it('explains it', async () => {
      assert.match(await ok('explain', 'widget.spec.size'), /How large it is/);
      assert.match(await ok('explain', 'widget'), /metadata/);
    });

    const refused: readonly (readonly [string, object, RegExp])[] = [
      ['a missing field', {}, /spec\.size: Required value/],
      [
        'another type',
        { size: 'x' },
        /spec\.size: Invalid value: "string": spec\.size in body must be of type integer: "string"/,
      ],
      [
        'too little',
        { size: 0 },
        /spec\.size: Invalid value: 0: spec\.size in body should be greater than or equal to 1/,
      ],
      [
        'a pattern',
        { size: 1, color: 'R1' },
        /spec\.color: Invalid value: "R1": spec\.color in body should match '\^\[a-z\]\+\$'/,
      ],
      [
        'another value',
        { size: 1, mode: 'x' },
        /spec\.mode: Unsupported value: "x": supported values: "on", "off"/,
      ],
      ['neither number nor text', { size: 1, port: true }, /must be of type integer,string: "boolean"/],
      ['an unknown field', { size: 1, sise: 2 }, /unknown field "spec\.sise"/],
    ];
    for (const [name, own, expected] of refused)
      it(`refuses ${name}`, async () => {
        const { code, err } = await apply(widget(own, 'bad'));
        assert.is.not(code, 0);
        assert.match(err, expected);
      });

    it('prunes what is unknown and keeps what may be', async () => {
      const body = widget({ size: 1, other: 1, free: { a: { b: 1 } } }, 'w2');
      const path = '/apis/example.com/v1/namespaces/default/widgets?fieldValidation=Warn';
      const { status, json, headers } = await hub.ask('POST', path, { body });
      assert.is(status, 201);
      assert.equal((json as { spec: object }).spec, { size: 1, free: { a: { b: 1 } }, color: 'red' });
      assert.match(String(headers['warning']), /unknown field/);
    });

    it('shows every version of one object', async () => {
      const out = await ok(
        'get',
        'widgets.v1beta1.example.com',
        'w1',
        '-o',
        'jsonpath={.apiVersion} {.spec.size}',
      );
      assert.is(out, 'example.com/v1beta1 4');
      const beta = { ...widget({ size: 5 }, 'w3'), apiVersion: 'example.com/v1beta1' };
      assert.is((await apply(beta)).code, 0);
      assert.is(
        await ok('get', 'widgets.v1.example.com', 'w3', '-o', 'jsonpath={.apiVersion}'),
        'example.com/v1',
      );
    });

    it('has status and scale of its own', async () => {
      await ok('scale', 'widget', 'w1', '--replicas=7');
      assert.is(await ok('get', 'widget', 'w1', '-o', 'jsonpath={.spec.replicas}'), '7');
      await ok(
        'patch',
        'widget',
        'w1',
        '--subresource=status',
        '--type=merge',
        '-p',
        '{"status":{"ready":"yes"},"spec":{"size":9}}',
      );
      assert.is(await ok('get', 'widget', 'w1', '-o', 'jsonpath={.status.ready} {.spec.size}'), 'yes 4');
      assert.match(
        await ok('wait', 'widget', 'w1', '--for=jsonpath={.status.ready}=yes', '--timeout=5s'),
        /condition met/,
      );
    });

    it('is edited, labelled and watched like anything else', async () => {
      await ok('label', 'widget', 'w1', 'a=b');
      await ok('patch', 'widget', 'w1', '--type=merge', '-p', '{"spec":{"color":"blue"}}');
      assert.match(await ok('get', 'widgets', '-l', 'a=b', '-o', 'wide'), /w1 +4 +blue/);
      const strategic = await hub.kubectl(
        'patch',
        'widget',
        'w1',
        '--type=strategic',
        '-p',
        '{"spec":{"size":1}}',
      );
      assert.match(strategic.err, /application\/merge-patch\+json|not supported|unknown format/);
    });

    it('is applied on the server side', async () => {
      const sent = widget({ size: 2 }, 'ssa');
      assert.is((await apply(sent, '--server-side')).code, 0);
      assert.is((await apply(sent, '--server-side')).code, 0);
      const other = await apply(widget({ size: 3 }, 'ssa'), '--server-side', '--field-manager=other');
      assert.match(other.err, /conflict with "kubectl"/);
    });

    it('keeps kinds of one name in two groups apart', async () => {
      await define(definition('widgets', 'Widget', 'other.org'));
      const other = { ...widget({ size: 8 }, 'w1'), apiVersion: 'other.org/v1' };
      assert.is((await apply(other)).code, 0);
      assert.is(await ok('get', 'widgets.other.org', 'w1', '-o', 'jsonpath={.spec.size}'), '8');
      assert.is(await ok('get', 'widgets.example.com', 'w1', '-o', 'jsonpath={.spec.size}'), '4');
      const pods = { ...definition('pods', 'Pod', 'clash.io') };
      await define(pods);
      assert.is(
        (await apply({ ...widget({ size: 1 }, 'p'), apiVersion: 'clash.io/v1', kind: 'Pod' })).code,
        0,
      );
      assert.is((await hub.kubectl('get', 'pod', 'p')).code, 1);
      await ok('delete', 'pods.clash.io', 'p');
    });

    it('does not accept names that are taken', async () => {
      assert.is((await apply(definition('gadgets', 'Widget'))).code, 0);
      await ok('wait', '--for=condition=NamesAccepted=false', 'crd', 'gadgets.example.com', '--timeout=10s');
      const message = '{.status.conditions[?(@.type=="NamesAccepted")].message}';
      assert.is(
        await ok('get', 'crd', 'gadgets.example.com', '-o', `jsonpath=${message}`),
        '"widget" is already in use',
      );
      await ok('delete', 'crd', 'gadgets.example.com');
    });

    it('refuses schemas that are not structural', async () => {
      const bad = definition('bads', 'Bad', 'example.com', {
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  a: { description: 'untyped' },
                  b: { type: 'array' },
                  c: { type: 'string', pattern: '(?=x)' },
                },
              },
            },
          },
        ],
      });
      const { err } = await apply(bad);
      assert.match(
        err,
        /properties\[a\]\.type: Required value: must not be empty for specified object fields/,
      );
      assert.match(err, /properties\[b\]\.items: Required value: must be specified/);
      assert.match(
        err,
        /properties\[c\]\.pattern: Invalid value: "\(\?=x\)": must be a valid regular expression/,
      );
    });

    it('warns of rules it does not evaluate', async () => {
      const ruled = definition('ruleds', 'Ruled', 'example.com', {
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: { type: 'object', 'x-kubernetes-validations': [{ rule: 'self.a > 1' }] },
            },
          },
        ],
      });
      assert.match(
        (await apply(ruled)).err,
        /Warning: .*x-kubernetes-validations are kept but not evaluated/,
      );
    });

    it('takes the objects away with their definition', async () => {
      await ok('delete', 'crd', 'widgets.example.com', '--timeout=20s');
      const { err } = await hub.kubectl('get', 'widgets.example.com');
      assert.match(err, /the server doesn't have a resource type/);
      await define(definition('widgets', 'Widget'));
      assert.is(await ok('get', 'widgets.example.com', '-A', '-o', 'name'), '');
    });

    for (const file of readdirSync(PROFILES))
      it(`profiles/workloads/${file} passes`, async () => {
        await ok('apply', '--dry-run=server', '-f', join(PROFILES, file));
      });
  },
  {
    before: async () => {
      hub = await startHub();
    },
    after: () => hub.stop(),
    caseTimeoutMs: 60_000,
  },
);
