import { ApiError } from '../../protocol/status.ts';
import { MASTERS } from '../decide/authorize.ts';
import type { Attributes, Authorize, User } from './ports.ts';

/** The default rule: masters may do everything, others nothing. */
export const mastersOnly: Authorize = (user) => user.groups.includes(MASTERS);

/** 403 as Kubernetes words it. */
export function forbidden(user: User, attributes: Attributes): ApiError {
  if ('path' in attributes) {
    const { verb, path } = attributes;
    return new ApiError('Forbidden', `forbidden: User "${user.name}" cannot ${verb} path "${path}"`, {});
  }
  const { group, resource, subresource, namespace, name, verb } = attributes;
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const subject = name === undefined ? qualified : `${qualified} "${name}"`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return new ApiError(
    'Forbidden',
    `${subject} is forbidden: User "${user.name}" cannot ${verb} resource "${full}" in API group "${group}" ${where}`,
    {
      ...(name === undefined ? {} : { name }),
      ...(group === '' ? {} : { group }),
      kind: resource,
    },
  );
}
