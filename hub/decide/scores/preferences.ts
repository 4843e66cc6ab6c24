import { untolerated } from '../../../protocol/taints.ts';
import { termMatches } from '../filters/node-match.ts';
import type { Score } from './score.ts';

/** Temperatures in °C between which a board loses its attraction; Raspberry Pi firmware slows down at 80. */
const WARM_CELSIUS = 60;
const HOT_CELSIUS = 80;

/** Pods of one owner keep away from each other: the node with most of them gets 0, one with none 100. */
export const spread: Score = (pod, node, { maxOwnerPods }) => {
  if (pod.ownerUid === undefined || maxOwnerPods === 0) return 100;
  return (100 * (maxOwnerPods - (node.owners.get(pod.ownerUid) ?? 0))) / maxOwnerPods;
};

/** Share of the weight of preferred node affinity terms that the node matches; 100 when nothing is preferred. */
export const preferredAffinity: Score = (pod, node) => {
  const terms = pod.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const total = terms.reduce((sum, t) => sum + t.weight, 0);
  if (total <= 0) return 100;
  const matched = terms.reduce((sum, t) => sum + (termMatches(t.preference, node) ? t.weight : 0), 0);
  return (100 * matched) / total;
};

/** Each untolerated PreferNoSchedule taint halves the attraction. */
export const preferNoSchedule: Score = (pod, node) =>
  100 / 2 ** untolerated(node.taints, pod.tolerations, ['PreferNoSchedule']).length;

/** A board that is hot, or that its firmware slows down, gets less; a board that cannot tell is taken for cool. */
export const coolness: Score = (_pod, node) => {
  if (node.live?.throttled === true) return 0;
  const celsius = node.live?.temperatureCelsius;
  if (celsius === undefined || celsius <= WARM_CELSIUS) return 100;
  return Math.max(0, (100 * (HOT_CELSIUS - celsius)) / (HOT_CELSIUS - WARM_CELSIUS));
};

/** Share of the pod's images that the node is known to have; neutral when the node does not say what it has. */
export const imagePresent: Score = (pod, node) => {
  if (node.images.size === 0 || pod.images.length === 0) return 50;
  return (100 * pod.images.filter((image) => node.images.has(image)).length) / pod.images.length;
};
