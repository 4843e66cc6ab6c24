import * as assert from 'uvu/assert';
import type { RefusalKind } from '../../../../hub/decide/filters/filter.ts';
import { podToPlace } from '../../../../hub/decide/pod-to-place.ts';
import { couldHelp, type Relief } from '../../../../hub/decide/retry-hints.ts';
import { aboutApp, evenly, type PodParts, podObject, ruled } from '../../../build/scheduling.ts';
import { spec } from '../../../spec.ts';

const pod = (parts: PodParts = {}) => podToPlace(podObject('p', parts));
const web = pod({ labels: { app: 'web' } });
const db = pod({ labels: { app: 'db' } });
const nearWeb = { spec: ruled('near', aboutApp('web', 'zone')) };
const awayFromWeb = { spec: ruled('away', aboutApp('web', 'zone')) };
const evenWeb = { spec: { topologySpreadConstraints: [evenly('web', 'zone')] } };

spec('what could help a waiting pod', (it) => {
  const left = (of = web): Relief => ({ what: 'podLeft', node: 'n', pod: of });
  const came = (of = web): Relief => ({ what: 'podCame', pod: of });
  const cases: readonly [string, Relief, RefusalKind[], PodParts, 'yes' | 'look' | 'no'][] = [
    ['a node, for room', { what: 'node', node: 'n' }, ['resources'], {}, 'look'],
    ['a node, for a domain', { what: 'node', node: 'n' }, ['spread'], evenWeb, 'yes'],
    ['a pod that leaves, for room', left(), ['resources'], {}, 'look'],
    ['a pod that leaves, for a port', left(), ['ports'], {}, 'look'],
    ['a pod that leaves and was in the way', left(), ['antiAffinity'], awayFromWeb, 'yes'],
    ['a pod that leaves and was not', left(db), ['antiAffinity'], awayFromWeb, 'no'],
    ['the same, with room wanted too', left(db), ['antiAffinity', 'resources'], awayFromWeb, 'look'],
    ['a hermit that leaves', left(pod(awayFromWeb)), ['antiAffinity'], { labels: { app: 'web' } }, 'yes'],
    ['one of the crowd that leaves', left(), ['spread'], evenWeb, 'yes'],
    ['company that comes', came(), ['affinity'], nearWeb, 'yes'],
    ['others that come', came(db), ['affinity'], nearWeb, 'no'],
    ['a pod that comes, for room', came(), ['resources'], {}, 'no'],
    ['one of the crowd that comes elsewhere', came(), ['spread'], evenWeb, 'yes'],
    ['load that falls', { what: 'load', node: 'n' }, ['live'], {}, 'look'],
    ['load that falls, for requests', { what: 'load', node: 'n' }, ['resources'], {}, 'no'],
    ['a volume', { what: 'volume' }, ['volume'], {}, 'yes'],
    ['a volume, for room', { what: 'volume' }, ['resources'], {}, 'no'],
    ['a namespace, for rules', { what: 'namespace' }, ['affinity'], nearWeb, 'yes'],
    ['a namespace, for room', { what: 'namespace' }, ['resources'], {}, 'no'],
  ];
  for (const [name, relief, blockers, waiting, expected] of cases) {
    it(`${name}: ${expected}`, () =>
      assert.is(
        couldHelp(relief, { pod: pod(waiting), blockers: new Set(blockers) }, () => undefined),
        expected,
      ));
  }
});
