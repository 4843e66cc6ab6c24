import { type Filter, NO_REFUSAL } from './filter.ts';

const ARCHITECTURE_LABEL = 'kubernetes.io/arch';

/**
 * Refuses a node that no variant of one of the pod's images is made for. Images whose architectures are not known pass, and so do
 * nodes that do not say what they are.
 */
export const imageArchitecture: Filter = (pod, node) => {
  if (pod.platforms.length === 0) return NO_REFUSAL;
  const own = node.labels[ARCHITECTURE_LABEL];
  if (own === undefined) return NO_REFUSAL;
  const wrong = pod.platforms.find(({ architectures }) => !architectures.some((a) => runsOn(a, own)));
  if (wrong === undefined) return NO_REFUSAL;
  const text = `image ${wrong.image} is for ${wrong.architectures.join(', ')}, node is ${own}`;
  return [{ kind: 'node', reason: `node(s) can't run an image: ${text}`, final: true }];
};

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
