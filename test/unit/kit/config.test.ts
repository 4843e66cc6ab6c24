import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ConfigError, readConfig, setting } from '../../../kit/config.ts';
import { spec } from '../../spec.ts';

const table = {
  dataDir: setting.text('where state lives', '/var/lib/x', 'X_DATA_DIR'),
  apiPort: setting.whole('port', 6443, 0, 65535),
  advertise: setting.list('hosts', []),
  offline: setting.flag('stay offline'),
  level: setting.choice('log level', ['info', 'debug'], 'info'),
};

const refusal = (argv: string[]): string => {
  try {
    readConfig(table, argv, {});
  } catch (error) {
    if (error instanceof ConfigError) return `${error.reason}: ${error.message}`;
  }
  return 'accepted';
};

spec('readConfig', (it) => {
  it('prefers flag, then environment, then file, then default, and says which', () => {
    const dir = mkdtempSync(join(tmpdir(), 'cox-config-'));
    const file = join(dir, 'c.json');
    writeFileSync(file, JSON.stringify({ apiPort: 1, dataDir: '/file', level: 'debug' }));
    const { values, origins } = readConfig(table, ['--api-port', '2', '--config', file], {
      X_DATA_DIR: '/env',
    });
    rmSync(dir, { recursive: true });
    assert.equal(values, { dataDir: '/env', apiPort: 2, advertise: [], offline: false, level: 'debug' });
    assert.equal(origins, {
      dataDir: 'environment',
      apiPort: 'flag',
      advertise: 'default',
      offline: 'default',
      level: 'file',
    });
  });
  it('reads lists, switches and the = form', () => {
    const { values } = readConfig(table, ['--advertise=a, b', '--offline'], {});
    assert.equal(values.advertise, ['a', 'b']);
    assert.is(values.offline, true);
  });
  const refusals: readonly [string[], string][] = [
    [['--nope'], 'UnknownFlag: unknown flag --nope; --help lists all flags'],
    [['--api-port', '70000'], 'BadValue: --api-port: must be a whole number from 0 to 65535, not "70000"'],
    [['--api-port'], 'BadValue: --api-port: needs a value'],
    [['--level', 'loud'], 'BadValue: --level: must be one of info, debug, not "loud"'],
  ];
  for (const [argv, text] of refusals) it(`refuses ${argv.join(' ')}`, () => assert.is(refusal(argv), text));
  it('refuses a file with a key it does not know', () => {
    const dir = mkdtempSync(join(tmpdir(), 'cox-config-'));
    const file = join(dir, 'c.json');
    writeFileSync(file, '{"apiport": 1}');
    assert.match(refusal(['--config', file]), 'unknown key "apiport"');
    rmSync(dir, { recursive: true });
  });
});
