import * as assert from 'uvu/assert';
import { agentSettings } from '../../../edge-agent/config.ts';
import { hubSettings } from '../../../hub/config.ts';
import { setting } from '../../../kit/config.ts';
import { describeConfig, describeFlags } from '../../../kit/describe-config.ts';
import { spec } from '../../spec.ts';

spec('describeFlags', (it) => {
  it('tells what a flag takes, its default and its variable', () => {
    const text = describeFlags({
      apiPort: setting.whole('port of the API', 6443, 0, 65_535),
      advertise: setting.list('names', [], 'X_NAMES'),
      offline: setting.flag('stay offline'),
    });
    assert.equal(text.split('\n'), [
      '  --api-port N            port of the API [default 6443]',
      '  --advertise A,B,...     names [$X_NAMES]',
      '  --offline               stay offline',
    ]);
  });

  it('fits 80 columns for both programs', () => {
    for (const settings of [hubSettings, agentSettings])
      for (const line of describeFlags(settings).split('\n')) assert.ok(line.length < 80, line);
  });
});

spec('describeConfig', (it) => {
  it('names the value and where it came from', () => {
    const text = describeConfig(
      { apiPort: 1, advertise: ['a', 'b'] },
      { apiPort: 'flag', advertise: 'file' },
    );
    assert.match(text, /^apiPort +1 +flag\nadvertise +a,b +file$/);
  });
});
