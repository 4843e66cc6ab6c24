import type { IncomingMessage } from 'node:http';
import { fromYaml } from '../../kit/yaml.ts';
import { isNestedWithin } from '../../protocol/json.ts';
import { ApiError } from '../../protocol/status.ts';

/** Largest request body in bytes, as in Kubernetes. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;
/** Deeper nesting is refused: no schema needs it, and recursion over it must stay cheap. */
const MAX_DEPTH = 200;

/** Reads a whole body; rejects with `RequestEntityTooLarge` as soon as it is known to be larger than `limitBytes`. */
export async function readBody(request: IncomingMessage, limitBytes = MAX_BODY_BYTES): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? '0') > limitBytes) throw tooLarge(limitBytes);
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity')
    throw new ApiError('UnsupportedMediaType', `content encoding ${encoding} is not supported`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limitBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      reject(tooLarge(limitBytes));
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', (error) => reject(aborted(error)));
    request.on('close', () => {
      if (!request.complete) reject(aborted(undefined));
    });
  });
}

function tooLarge(limitBytes: number): ApiError {
  return new ApiError('RequestEntityTooLarge', `Request entity too large: limit is ${limitBytes}`);
}

function aborted(cause: unknown): ApiError {
  return new ApiError('BadRequest', 'the request body was cut off', undefined, { cause });
}

/** The media type of the body in lower case, without parameters; JSON when the client names none. */
export function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** Parses JSON or, by media type, YAML; throws BadRequest. Also bounds nesting. */
export function parseText(text: string, format: 'json' | 'yaml'): unknown {
  let value: unknown;
  try {
    value = format === 'yaml' ? fromYaml(text) : JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : 'malformed';
    throw new ApiError('BadRequest', `the request body is not valid ${format.toUpperCase()}: ${why}`);
  }
  if (!isNestedWithin(value, MAX_DEPTH)) throw new ApiError('BadRequest', 'exceeded max depth');
  return value;
}
