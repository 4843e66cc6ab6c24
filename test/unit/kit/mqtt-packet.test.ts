import { generate, writeToStream } from 'mqtt-packet';
import * as assert from 'uvu/assert';
import { forgoNumberTable } from '../../../kit/mqtt-packet.ts';
import { spec } from '../../spec.ts';

spec('forgoNumberTable', (it) => {
  it('has packets written without the table of all numbers, and written the same', () => {
    const packet = { cmd: 'publish', topic: 'a', payload: 'b', qos: 1, messageId: 0xabcd } as const;
    forgoNumberTable();
    assert.is(writeToStream.cacheNumbers, false);
    const bytes = generate({ ...packet, dup: false, retain: false });
    assert.equal([...bytes], [0x32, 6, 0, 1, 0x61, 0xab, 0xcd, 0x62]);
  });
});
