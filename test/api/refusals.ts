/** Where the objects of the tests of refusals are, and what a refusal looks like. */
import type { AskOptions } from './hub.ts';

/** Paths of the namespace `default`. */
export const V1 = '/api/v1/namespaces/default';
export const MAPS = `${V1}/configmaps`;
export const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
/** Parts of request bodies. */
export const container = { name: 'c', image: 'busybox' };
export const map = (name: string, more: object = {}): object => ({ metadata: { name }, ...more });
export const pod = (spec: object): object => ({ metadata: { name: 'p' }, spec });

/** A request and the Status it must get; `message` is a part of the Status' message. */
export type Refusal = readonly [
  name: string,
  request: readonly [method: string, path: string, options?: AskOptions],
  code: number,
  reason: string,
  message: string,
];

/** Headers that name the form of a body. */
export const yaml = { 'content-type': 'application/yaml' };
export const merge = { 'content-type': 'application/merge-patch+json' };
export const json = { 'content-type': 'application/json-patch+json' };
export const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
