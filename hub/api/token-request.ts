import { toTime } from '../../kit/clock.ts';
import { isRecord } from '../../protocol/json.ts';
import type { FieldError } from '../../protocol/kinds/kind.ts';
import { ApiError, invalid } from '../../protocol/status.ts';
import { invalidValue } from '../../protocol/validate/field-errors.ts';
import { type ApiContext, existing, methodNotAllowed, type Target } from './context.ts';
import { readValue } from './decode.ts';
import type { Answer, Exchange } from './exchange.ts';
import type { TokenWish } from './ports.ts';

const RESOURCE = { kind: 'TokenRequest', group: 'authentication.k8s.io', plural: 'tokenrequests' };
const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 2 ** 32;

/** Answers POST `serviceaccounts/x/token` (`kubectl create token`): a new token, signed and not kept. */
export async function tokenRequest(context: ApiContext, exchange: Exchange, target: Target): Promise<Answer> {
  if (exchange.method !== 'POST' || context.accounts === undefined) throw methodNotAllowed();
  existing(context, target);
  const body = (await readValue(exchange, context.codec))?.value ?? {};
  const { namespace, name } = target;
  const named = isRecord(body['metadata']) ? body['metadata']['name'] : undefined;
  if (named !== undefined && named !== '' && named !== name)
    throw new ApiError('BadRequest', 'metadata.name of the request does not match the service account');
  const wish = wishOf(isRecord(body['spec']) ? body['spec'] : {});
  const { token, audiences, expiresAtMs } = await context.accounts.issue(namespace, name, wish);
  const object = {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: toTime(context.clock.nowMs()) },
    spec: {
      audiences,
      expirationSeconds: wish.expirationSeconds,
      ...(wish.bound === undefined ? {} : { boundObjectRef: { ...wish.bound, apiVersion: 'v1' } }),
    },
    status: { token, expirationTimestamp: toTime(expiresAtMs) },
  };
  return { object, code: 201 };
}

function wishOf(spec: Record<string, unknown>): TokenWish {
  const given = spec['expirationSeconds'];
  const expirationSeconds = given === undefined || given === null ? DEFAULT_SECONDS : Number(given);
  const errors = secondsErrors(expirationSeconds);
  if (errors.length > 0) throw invalid(RESOURCE, '', errors);
  const list = spec['audiences'];
  const audiences = Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
  const ref = spec['boundObjectRef'];
  if (!isRecord(ref)) return { audiences, expirationSeconds };
  const text = (key: string): string => (typeof ref[key] === 'string' ? ref[key] : '');
  const uid = text('uid');
  const bound = { kind: text('kind'), name: text('name'), ...(uid === '' ? {} : { uid }) };
  return { audiences, expirationSeconds, bound };
}

function secondsErrors(seconds: number): FieldError[] {
  const refused = (why: string): FieldError[] => [invalidValue('spec.expirationSeconds', seconds, why)];
  if (!Number.isInteger(seconds)) return refused('must be a whole number');
  if (seconds < MIN_SECONDS) return refused('may not specify a duration less than 10 minutes');
  return seconds > MAX_SECONDS ? refused('may not specify a duration larger than 2^32 seconds') : [];
}
