/**
 * An object as a client may have sent it: any field can be missing at any depth. Defaulting and validation read
 * objects through this type, so that the compiler demands the check instead of trusting the sender.
 */
export type Loose<T> = T extends readonly (infer U)[]
  ? Loose<U>[]
  : T extends object
    ? { [K in keyof T]?: Loose<T[K]> | undefined }
    : T;
