import type { Duplex } from 'node:stream';
import type { Control, Report, Telemetry } from '../../protocol/wire/messages.ts';

/** What the loops of the hub see of the devices. */
export interface DeviceLink {
  /** Resolves when the broker has taken the message; rejects with LinkError. Devices that are away never see it. */
  sendControl(node: string, message: Control): Promise<void>;
  /** Best effort; a frame that cannot go now is dropped and counted, and the stream notices the gap. */
  sendFrame(node: string, stream: string, bytes: Uint8Array): void;
  onReport(listener: (node: string, report: Report) => void): void;
  onHeartbeat(listener: (node: string, telemetry: Telemetry | undefined) => void): void;
  onFrame(listener: (node: string, stream: string, bytes: Uint8Array) => void): void;
}

/** Why a message did not leave the hub. */
export class LinkError extends Error {
  readonly reason: 'Disconnected' | 'Busy' | 'TooLarge' | 'Refused';
  constructor(reason: LinkError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LinkError';
    this.reason = reason;
  }
}

/** Where the broker is: a stream made for each connection, or an address with what it asks for. PEM texts. */
export type BrokerAddress =
  | { readonly inProcess: () => Duplex }
  | {
      /** `mqtts://host:8883` or `mqtt://host:1883`. */
      readonly url: string;
      readonly ca?: string;
      readonly cert?: string;
      readonly key?: string;
      readonly username?: string;
      readonly password?: string;
    };
