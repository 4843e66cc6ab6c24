/**
 * The full name of an image as registries know it, so that `nginx`, `nginx:latest` and `docker.io/library/nginx:latest` are one.
 * Pure; never throws.
 */
export function imageKey(name: string): string {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost';
  const full = isHost ? name : `docker.io/${slash < 0 ? 'library/' : ''}${name}`;
  const hasTag = full.includes('@') || full.lastIndexOf(':') > full.lastIndexOf('/');
  return hasTag ? full : `${full}:latest`;
}
