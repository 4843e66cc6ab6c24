import * as assert from 'uvu/assert';
import { CliError } from '../../../cli/cli-error.ts';
import { HUB_KUBECONFIG, kubeconfigCandidates } from '../../../cli/kubeconfig.ts';
import { formatAge, formatBytes, table } from '../../../cli/table.ts';
import { readTtlMs } from '../../../cli/token.ts';
import { isNodeName, nodeOfCommonName } from '../../../protocol/wire/identity.ts';
import { spec } from '../../spec.ts';

spec('readTtlMs', (it) => {
  for (const [text, ttlMs] of [
    ['30s', 30_000],
    ['30m', 1_800_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
  ] as const)
    it(text, () => assert.is(readTtlMs(text), ttlMs));
  for (const text of ['', '0h', '-1h', '1', 'h', '1w', '1.5h', '9999999d'])
    it(`refuses "${text}"`, () =>
      assert.throws(
        () => readTtlMs(text),
        (e: unknown) => e instanceof CliError,
      ));
});

spec('kubeconfigCandidates', (it) => {
  it('prefers the flag, then the environment, then the places by habit', () => {
    assert.equal(kubeconfigCandidates('/a', '/b:/c'), ['/a']);
    assert.equal(kubeconfigCandidates(undefined, '/b:/c'), ['/b', '/c']);
    assert.is(kubeconfigCandidates(undefined, '')[0], HUB_KUBECONFIG);
  });
});

spec('table', (it) => {
  it('pads columns to the widest cell and leaves no trailing space', () => {
    assert.is(
      table(
        ['A', 'B'],
        [
          ['long', 'x'],
          ['s', ''],
        ],
      ),
      'A     B\nlong  x\ns',
    );
  });
  it('writes ages and sizes short', () => {
    assert.equal([90_000, 3_600_000, 90_000_000, 1e9].map(formatAge), ['90s', '60m', '25h', '11d']);
    assert.equal([512 * 2 ** 20, 1.5 * 2 ** 30].map(formatBytes), ['512Mi', '1.5Gi']);
  });
});

spec('node names', (it) => {
  for (const name of ['a', 'worker-1', '0', 'x'.repeat(63)])
    it(`accepts ${name}`, () => assert.ok(isNodeName(name)));
  for (const name of ['', '-a', 'a-', 'A', 'a.b', 'a/b', '+', '#', 'x'.repeat(64), 'a\n', 'kü'])
    it(`refuses ${JSON.stringify(name)}`, () => assert.not.ok(isNodeName(name)));
  it('reads the node of a common name', () => {
    assert.is(nodeOfCommonName('system:node:w1'), 'w1');
    for (const other of ['w1', 'system:node:', 'system:node:W1', 'kubernetes-admin'])
      assert.is(nodeOfCommonName(other), undefined);
  });
});
