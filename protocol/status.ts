import type { FieldError } from './kinds/kind.ts';

/** Why the hub refused; the first group are Kubernetes' own Status reasons, see docs of metav1.StatusReason. */
export type ApiReason =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Expired'
  | 'Gone'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'Invalid'
  | 'TooManyRequests'
  | 'InternalError'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'InsufficientStorage';

const CODES: Record<ApiReason, number> = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  InsufficientStorage: 507,
};

/** `details` of a Kubernetes Status. */
export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason: string; message: string; field?: string }[];
  retryAfterSeconds?: number;
}

/** A Kubernetes Status object as it goes over the wire. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** A refusal that maps to an HTTP status and a Kubernetes Status. Branch on `reason`, never on the text. */
export class ApiError extends Error {
  readonly reason: ApiReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;

  constructor(reason: ApiReason, message: string, details?: StatusDetails, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ApiError';
    this.reason = reason;
    this.code = CODES[reason];
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

/** Where an object stands, for error texts: `deployments.apps "web"`. */
export interface ResourceName {
  readonly plural: string;
  readonly group: string;
  readonly kind: string;
}

const qualified = (r: ResourceName): string => (r.group === '' ? r.plural : `${r.plural}.${r.group}`);
const plain = (r: ResourceName, name: string): StatusDetails => ({
  name,
  ...(r.group === '' ? {} : { group: r.group }),
  kind: r.plural,
});

/** 404 as Kubernetes words it. */
export function notFound(resource: ResourceName, name: string): ApiError {
  return new ApiError('NotFound', `${qualified(resource)} "${name}" not found`, plain(resource, name));
}

/** 409 AlreadyExists as Kubernetes words it. */
export function alreadyExists(resource: ResourceName, name: string): ApiError {
  return new ApiError(
    'AlreadyExists',
    `${qualified(resource)} "${name}" already exists`,
    plain(resource, name),
  );
}

/** 409 Conflict of a stale resourceVersion, or with another `why`. */
export function conflict(
  resource: ResourceName,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): ApiError {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`;
  return new ApiError('Conflict', message, plain(resource, name));
}

/** 422 Invalid with one cause per refused field; `errors` must not be empty. */
export function invalid(resource: ResourceName, name: string, errors: readonly FieldError[]): ApiError {
  const texts = errors.map((e) => `${e.field}: ${e.message}`);
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new ApiError(
    'Invalid',
    `${resource.kind}${resource.group === '' ? '' : `.${resource.group}`} "${name}" is invalid: ${list}`,
    {
      name,
      ...(resource.group === '' ? {} : { group: resource.group }),
      kind: resource.kind,
      causes: errors.map((e) => ({ reason: e.reason, message: e.message, field: e.field })),
    },
  );
}
