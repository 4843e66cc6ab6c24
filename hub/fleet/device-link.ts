import type { Control, Report, Telemetry } from '../../protocol/wire/messages.ts';

/**
 * The hub's side of the wire as the fleet needs it: messages are decoded and belong to the device that sent them.
 * The broker room implements it. Listeners are called in the order the device sent, and stay for the life of the process.
 */
export interface DeviceLink {
  /** Resolves once the broker has taken the message (QoS 1); rejects when it could not. Keeps the order of the calls. */
  sendControl(node: string, message: Control): Promise<void>;
  /** One stream frame, QoS 0, down to the device; one that cannot go is dropped, and the stream notices the gap. */
  sendFrame(node: string, stream: string, frame: Uint8Array): void;
  onReport(listener: (node: string, report: Report) => void): void;
  /** `sample` is undefined for an empty heartbeat: nothing has changed since the last sample. */
  onHeartbeat(listener: (node: string, sample: Telemetry | undefined) => void): void;
  onFrame(listener: (node: string, stream: string, frame: Uint8Array) => void): void;
}
