import * as assert from 'uvu/assert';
import { prometheusText } from '../../../../hub/api/prometheus.ts';
import { spec } from '../../../spec.ts';

spec('prometheusText', (it) => {
  it('writes help, type and values', () => {
    const text = prometheusText([
      {
        name: 'a_total',
        help: 'Counts\nthings.',
        type: 'counter',
        values: [{ value: 1 }, { labels: { why: 'a"b\\c', node: 'n' }, value: 2.5 }, { value: Number.NaN }],
      },
      { name: 'b', help: 'Empty.', type: 'gauge', values: [] },
    ]);
    assert.is(
      text,
      [
        '# HELP a_total Counts\\nthings.',
        '# TYPE a_total counter',
        'a_total 1',
        'a_total{why="a\\"b\\\\c",node="n"} 2.5',
        '# HELP b Empty.',
        '# TYPE b gauge',
        '',
      ].join('\n'),
    );
  });
});
