/** What mqtt-packet does for speed and what a small machine cannot afford. */
import { writeToStream } from 'mqtt-packet';

/**
 * From now on two-byte numbers are written into packets when they are needed. Left alone, the library makes a Buffer of each of the
 * 65,536 there are when it writes its first packet, and keeps them: 8 MiB. For the whole process, hence for
 * mqtt and aedes alike; to be called before either writes anything.
 */
export function forgoNumberTable(): void {
  writeToStream.cacheNumbers = false;
}
