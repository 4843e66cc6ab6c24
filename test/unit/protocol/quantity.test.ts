import * as assert from 'uvu/assert';
import {
  bytesOf,
  canonicalQuantity,
  cpuMilli,
  formatBytes,
  formatCpu,
  parseQuantity,
} from '../../../protocol/quantity.ts';
import { spec } from '../../spec.ts';

spec('canonicalQuantity', (it) => {
  // As a real API server gives them back.
  const cases: readonly [string | number, string][] = [
    ['0.5', '500m'],
    [0.1, '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1.5', '1500m'],
    [2, '2'],
    ['1000', '1k'],
    ['1000k', '1M'],
    ['128974848', '128974848'],
    ['134217728', '134217728'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['512Ki', '512Ki'],
    ['1023Ki', '1023Ki'],
    ['1.1Ki', '1126400m'],
    ['0', '0'],
    ['0Gi', '0'],
    ['000.100', '100m'],
    ['+2k', '2k'],
    ['-1Ki', '-1Ki'],
    ['-0', '0'],
    ['-500m', '-500m'],
    ['1e3', '1e3'],
    ['1e2', '100'],
    ['12e-1', '1200e-3'],
    ['129e6', '129e6'],
    ['0.0000000001', '1n'],
    ['8Ei', '8Ei'],
    ['nonsense', 'nonsense'],
    ['1e999999999', '1e999999999'],
  ];
  for (const [given, canonical] of cases)
    it(`gives ${JSON.stringify(given)} back as ${canonical}`, () => {
      assert.is(canonicalQuantity(given), canonical);
      assert.is(canonicalQuantity(canonical), canonical, 'again');
    });
});

spec('parseQuantity', (it) => {
  const cases: readonly [string | number, number | undefined][] = [
    ['1', 1],
    ['100m', 0.1],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['5.', 5],
    ['-1Ki', -1024],
    ['+2k', 2000],
    ['128Mi', 134217728],
    ['1e3', 1000],
    ['1E', 1e18],
    ['1E2', 100],
    ['12e-1', 1.2],
    [2, 2],
    ['', undefined],
    ['m', undefined],
    ['1 Gi', undefined],
    ['1ki', undefined],
    ['0x10', undefined],
    ['1e', undefined],
    ['1.2.3', undefined],
    [Number.NaN, undefined],
  ];
  for (const [text, value] of cases)
    it(`reads ${JSON.stringify(text)}`, () => assert.is(parseQuantity(text), value));
  it('rounds CPU up to thousandths', () => {
    assert.is(cpuMilli('0.1'), 100);
    assert.is(cpuMilli('1n'), 1);
    assert.is(cpuMilli('2'), 2000);
    assert.is(cpuMilli('0.29'), 290);
    assert.is(cpuMilli(undefined), 0);
  });
  it('rounds bytes up', () => {
    assert.is(bytesOf('1.5'), 2);
    assert.is(bytesOf('64Mi'), 67108864);
    assert.is(bytesOf(undefined), 0);
  });
  it('writes amounts as Kubernetes does', () => {
    assert.is(formatCpu(250), '250m');
    assert.is(formatCpu(2000), '2');
    assert.is(formatBytes(536870912), '512Mi');
    assert.is(formatBytes(1000), '1000');
    assert.is(formatBytes(1536), '1536');
    assert.is(formatBytes(1024 * 3), '3Ki');
  });
});
