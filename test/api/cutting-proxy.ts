/** Passes TCP connections on to a port of loopback, and cuts them when told to. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly port: number;
  /** How many connections were cut in all. */
  readonly cuts: number;
  /** Closes every connection, in the middle of whatever it carries, that `picks` says so of, in the order they were opened. */
  cut(picks: (index: number) => boolean): void;
  stop(): Promise<void>;
}

/** Starts to listen on a free port of loopback. */
export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  const open = new Set<[Socket, Socket]>();
  let cuts = 0;
  const server = createServer((client) => {
    const hub = connect(target, '127.0.0.1');
    const pair: [Socket, Socket] = [client, hub];
    open.add(pair);
    for (const [from, to] of [pair, [hub, client]] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy()); // cut: the other side learns of it this way
      from.on('close', () => {
        open.delete(pair);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get cuts() {
      return cuts;
    },
    cut: (picks) => {
      [...open].forEach(([client, hub], i) => {
        if (!picks(i)) return;
        cuts++;
        client.destroy();
        hub.destroy();
      });
    },
    stop: async () => {
      for (const [client, hub] of open) {
        client.destroy();
        hub.destroy();
      }
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
