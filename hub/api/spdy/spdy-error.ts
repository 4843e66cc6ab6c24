/** Why a SPDY session cannot go on. */
export type SpdyReason = 'BadFrame' | 'FrameTooLarge' | 'BadHeaders' | 'BadVersion';

/** The peer broke the protocol: its session ends. */
export class SpdyError extends Error {
  readonly reason: SpdyReason;
  constructor(reason: SpdyReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SpdyError';
    this.reason = reason;
  }
}
