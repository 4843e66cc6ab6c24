/** What mqtt-packet does for speed and a small machine cannot afford. */
import { writeToStream } from 'mqtt-packet';

/**
 * From now on the whole process writes two-byte numbers into packets when they are needed. Left alone, the library makes a Buffer of
 * each of the 65,536 there are when it writes its first packet, and keeps them: 8 MiB. To be called before a packet is written:
 * mqtt's own `writeCache: false` comes too late where a broker has spoken to a device already.
 */
export function forgoNumberTable(): void {
  writeToStream.cacheNumbers = false;
}
