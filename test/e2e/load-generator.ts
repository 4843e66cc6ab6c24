/**
 * Asks Ready endpoints for a page for as long as standard input is open. Runs inside a device, where the addresses of its pods are
 * reached as its own programs reach them: no proxy of the hub and no retry lies between a failure and the count.
 *
 * In: a JSON list of `address:port` a line, each the whole set of the moment. Out: an empty line once the first is read, and one
 * JSON line, `Told`, at the end.
 */
import { request } from 'node:http';
import { createInterface } from 'node:readline';

/** What became of the requests. */
export interface Told {
  readonly sent: number;
  /** Addresses that were asked at all. */
  readonly asked: number;
  readonly failed: readonly { readonly to: string; readonly why: string; readonly afterMs: number }[];
}

const LOOPS = 2;
const PAUSE_MS = 20;
const LIMIT_MS = 5_000;

let ready: readonly string[] = [];
let open = true;
let sent = 0;
const asked = new Set<string>();
const failed: { to: string; why: string; afterMs: number }[] = [];

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One request on a connection of its own; undefined when it was answered in full, else why not. */
function ask(to: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sending = request(
      `http://${to}/`,
      { agent: false, headers: { connection: 'close' } },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', (error) => resolve(`cut off: ${error.message}`));
        response.on('end', () => {
          const isWhole = response.statusCode === 200 && text.startsWith('hello');
          resolve(isWhole ? undefined : `answered ${response.statusCode} ${JSON.stringify(text)}`);
        });
      },
    );
    sending.setTimeout(LIMIT_MS, () => sending.destroy(new Error(`no answer within ${LIMIT_MS} ms`)));
    sending.on('error', (error) => resolve(error.message));
    sending.end();
  });
}

async function loop(): Promise<void> {
  // Whoever was named is asked once at least, however soon the end comes.
  while (open || (sent === 0 && ready.length > 0)) {
    const to = ready[Math.floor(Math.random() * ready.length)];
    if (to !== undefined) {
      const sinceMs = performance.now();
      sent += 1;
      asked.add(to);
      const why = await ask(to);
      if (why !== undefined) failed.push({ to, why, afterMs: Math.round(performance.now() - sinceMs) });
    }
    await pause(PAUSE_MS);
  }
}

const lines = createInterface({ input: process.stdin });
lines.once('line', () => process.stdout.write('\n'));
lines.on('line', (line) => {
  ready = JSON.parse(line) as string[];
});
lines.on('close', () => {
  open = false;
});
await Promise.all(Array.from({ length: LOOPS }, loop));
process.stdout.write(`${JSON.stringify({ sent, asked: asked.size, failed } satisfies Told)}\n`);
