import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { certificateProblem } from '../../kit/certificates.ts';
import type { Identity } from './identity.ts';
import { ConnectError } from './transport.ts';

/** Host and port of `host:port`, `[v6]:port` or a URL such as `mqtts://host:port`. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Reads an address; undefined when it is none. */
export function parseAddress(address: string, defaultPort: number): Endpoint | undefined {
  const bare = address.replace(/^[a-z0-9+.-]+:\/\//i, '').replace(/\/.*$/, '');
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(bare);
  const host = found?.[1] ?? found?.[2];
  const port = found?.[3] === undefined ? defaultPort : Number(found[3]);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port };
}

const TIMEOUT_MS = 10_000;
/** Texts of the alerts by which a peer says that our certificate is over; they come as errors of the TLS library. */
const EXPIRED_ALERT = /CERTIFICATE_EXPIRED/;

/**
 * Opens mutual TLS to the hub and proves the peer. The usual verification decides first. A board without a clock battery
 * boots in 1970, where every certificate is "not yet valid": when it fails for the date, the chain to the pinned CA, the
 * purpose and the name are checked here instead, and the end of the certificate's life against `nowMs`, which is never
 * below the last time the device has known. Rejects with ConnectError.
 */
export function openTls(endpoint: Endpoint, identity: Identity, nowMs: number): Promise<TLSSocket> {
  const { host, port } = endpoint;
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      ca: identity.ca,
      cert: identity.certificate,
      key: identity.key,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: false, // Decided below, in every case.
      ...(isIP(host) === 0 ? { servername: host } : {}),
    });
    const fail = (error: ConnectError): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(TIMEOUT_MS, () =>
      fail(new ConnectError('Unreachable', `${host}:${port} does not answer`)),
    );
    socket.once('error', (cause) => fail(toConnectError(cause, `${host}:${port}`)));
    socket.once('secureConnect', () => {
      const problem = peerProblem(socket, identity.ca, host, nowMs);
      if (problem !== undefined) {
        fail(new ConnectError('NotOurHub', `${host}:${port} is not our hub: ${problem}`));
        return;
      }
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      socket.removeAllListeners('error');
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

/** What a failed connection means, from the error of socket or TLS. */
export function toConnectError(cause: Error, peer: string): ConnectError {
  // The MQTT library's errors carry the number of a CONNACK there.
  const raw: unknown = 'code' in cause ? cause.code : '';
  if (typeof raw === 'number') {
    return new ConnectError('Refused', `${peer} refuses our session: ${cause.message}`, { cause });
  }
  const code = typeof raw === 'string' ? raw : '';
  if (EXPIRED_ALERT.test(code)) {
    return new ConnectError('CertificateExpired', `${peer}: our certificate has expired`, { cause });
  }
  if (code.startsWith('ERR_SSL_')) {
    return new ConnectError('Refused', `${peer} refuses our certificate: ${cause.message}`, { cause });
  }
  return new ConnectError('Unreachable', `${peer}: ${cause.message}`, { cause });
}

const DATE_PROBLEMS: readonly string[] = ['CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED'];

function peerProblem(socket: TLSSocket, ca: string, host: string, nowMs: number): string | undefined {
  if (socket.authorized) return undefined;
  const raw: unknown = socket.authorizationError;
  const code = raw instanceof Error ? ((raw as NodeJS.ErrnoException).code ?? raw.message) : String(raw);
  if (!DATE_PROBLEMS.includes(code)) return code;
  return certificateProblem(socket.getPeerCertificate().raw, ca, { purpose: 'server', host, nowMs });
}
