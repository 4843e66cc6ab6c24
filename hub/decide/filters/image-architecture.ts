import type { ImageVariants } from '../image-variants.ts';
import { type Filter, NO_REFUSAL } from './filter.ts';

/** Label by which nodes say what they are. */
export const ARCHITECTURE_LABEL = 'kubernetes.io/arch';

/**
 * Refuses a node that one of the pod's images is known to have no variant for. Images of which that is not known pass, and so do
 * nodes that do not say what they are.
 */
export const imageArchitecture: Filter = (pod, node) => {
  if (pod.platforms.length === 0) return NO_REFUSAL;
  const own = node.labels[ARCHITECTURE_LABEL];
  if (own === undefined) return NO_REFUSAL;
  const wrong = pod.platforms.find(({ variants }) => isMissing(variants, own));
  if (wrong === undefined) return NO_REFUSAL;
  const text = `image ${wrong.image} is for ${wrong.variants.known.join(', ')}, node is ${own}`;
  return [{ kind: 'node', reason: `node(s) can't run an image: ${text}`, final: true }];
};

function isMissing({ known, missing }: ImageVariants, own: string): boolean {
  if (known.some((architecture) => runsOn(architecture, own))) return false;
  return missing === 'others' || missing.includes(own);
}

/** True when a node of architecture `own` runs images of `architecture`: 64-bit ARM engines fall back to 32-bit ARM images. */
export function runsOn(architecture: string, own: string): boolean {
  const [family = '', variant] = architecture.split('/');
  const [ownFamily = '', ownVariant] = own.split('/');
  if (family === 'arm' && ownFamily === 'arm64') return true;
  if (family !== ownFamily) return false;
  // `arm` alone does not say which generation the board is: only what is known to be newer than it is refused.
  if (family !== 'arm' || variant === undefined || ownVariant === undefined) return true;
  return Number(variant.slice(1)) <= Number(ownVariant.slice(1));
}
