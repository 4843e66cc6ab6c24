import * as assert from 'uvu/assert';
import type { Telemetry } from '../../../../protocol/wire/messages.ts';
import { decodeTelemetry, encodeTelemetry } from '../../../../protocol/wire/telemetry.ts';
import { spec } from '../../../spec.ts';

const full: Telemetry = {
  windowMs: 10_000,
  cpuRatio: 0.253,
  memoryUsedBytes: 300 * 1024 * 1024,
  memoryTotalBytes: 1024 * 1024 * 1024,
  diskRatio: 0.5,
  temperatureCelsius: 61.5,
  throttled: true,
  rxBytesPerSecond: 12,
  txBytesPerSecond: 34,
  pods: {
    '01234567': {
      cpuMilli: 20,
      memoryBytes: 8 * 1024 * 1024,
      containers: { web: { cpuMilli: 20, memoryBytes: 8 * 1024 * 1024 } },
    },
  },
};

const refused = (text: string): string => {
  const decoded = decodeTelemetry(new TextEncoder().encode(text));
  return decoded.ok ? 'accepted' : decoded.why;
};

spec('telemetry on the wire', (it) => {
  it('comes back as it was sent', () => {
    assert.equal(decodeTelemetry(encodeTelemetry(full)), { ok: true, value: full });
  });
  it('keeps absent what the board cannot tell', () => {
    const { temperatureCelsius, throttled, rxBytesPerSecond, txBytesPerSecond, pods, ...bare } = full;
    assert.equal(decodeTelemetry(encodeTelemetry(bare)), { ok: true, value: bare });
  });
  it('reads an empty heartbeat as no sample', () => {
    assert.equal(decodeTelemetry(new Uint8Array()), { ok: true, value: undefined });
  });
  it('fits a board without pods into 64 bytes', () => {
    const { pods, ...bare } = full;
    assert.ok(encodeTelemetry(bare).length <= 64, String(encodeTelemetry(bare).length));
  });
  it('cuts uids to eight characters', () => {
    const sample = { ...full, pods: { '0123456789abcdef': { cpuMilli: 1, memoryBytes: 1024 } } };
    const decoded = decodeTelemetry(encodeTelemetry(sample));
    assert.ok(decoded.ok && decoded.value?.pods?.['01234567'] !== undefined);
  });
  const bad: readonly [string, string][] = [
    ['{', 'not JSON in UTF-8'],
    ['{}', 'not a telemetry array of version 1'],
    ['[2,1,1,1,1,1]', 'not a telemetry array of version 1'],
    ['[1,1,-1,1,1,1]', 'a required number is missing or negative'],
    ['[1,1,"5",1,1,1]', 'a required number is missing or negative'],
    ['[1,1,1001,1,1,1]', 'a share is above its whole'],
    ['[1,1,10,2,1,1]', 'a share is above its whole'],
    ['[1,1,10,1,1,1,null,null,null,null,{"a":[1]}]', 'pods: malformed'],
    ['[1,1,10,1,1,1,null,null,null,null,[]]', 'pods: malformed'],
  ];
  for (const [text, why] of bad) it(`refuses ${text}`, () => assert.is(refused(text), why));
  it('ignores positions of later versions', () =>
    assert.is(refused('[1,1,10,1,1,1,null,null,null,null,{},"new"]'), 'accepted'));
});
