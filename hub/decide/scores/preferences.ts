import { untolerated } from '../../../protocol/taints.ts';
import { termMatches } from '../filters/node-match.ts';
import type { Score } from './score.ts';

/** Temperatures in °C between which a board loses its attraction; Raspberry Pi firmware slows down at 80. */
const WARM_CELSIUS = 60;
const HOT_CELSIUS = 80;
/** An image of this size on the node is worth as much as an image can be. */
const LARGE_IMAGE_BYTES = 500 * 2 ** 20;
/** What any image on the node is worth, of 1: a pull costs a round trip however small it is. */
const SMALL_IMAGE_WORTH = 0.3;

/** Share of the weight of preferred node affinity terms that the node matches; 100 when nothing is preferred. */
export const preferredAffinity: Score = (pod, node) => {
  const terms = pod.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution;
  if (terms === undefined) return 100;
  const total = terms.reduce((sum, t) => sum + t.weight, 0);
  if (total <= 0) return 100;
  const matched = terms.reduce((sum, t) => sum + (termMatches(t.preference, node) ? t.weight : 0), 0);
  return (100 * matched) / total;
};

/** Each untolerated PreferNoSchedule taint halves the attraction. */
export const preferNoSchedule: Score = (pod, node) =>
  node.taints.length === 0
    ? 100
    : 100 / 2 ** untolerated(node.taints, pod.tolerations, ['PreferNoSchedule']).length;

/** A board that is hot, or that its firmware slows down, gets less; a board that cannot tell is taken for cool. */
export const coolness: Score = (_pod, node) => {
  if (node.live?.throttled === true) return 0;
  const celsius = node.live?.temperatureCelsius;
  if (celsius === undefined || celsius <= WARM_CELSIUS) return 100;
  return Math.max(0, (100 * (HOT_CELSIUS - celsius)) / (HOT_CELSIUS - WARM_CELSIUS));
};

/** How much pulling the node saves: the pod's images that it has, the large ones more. */
export const imagePresent: Score = (pod, node) => {
  if (node.images.size === 0 || pod.images.length === 0) return 0;
  let worth = 0;
  for (const image of pod.images) {
    const bytes = node.images.get(image);
    if (bytes === undefined) continue;
    worth += SMALL_IMAGE_WORTH + (1 - SMALL_IMAGE_WORTH) * Math.min(1, bytes / LARGE_IMAGE_BYTES);
  }
  return (100 * worth) / pod.images.length;
};
