import * as assert from 'uvu/assert';
import { planClaim } from '../../../../hub/decide/claim.ts';
import { deployment, pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const names = (pods: readonly { metadata: { name: string } }[]): string[] => pods.map((p) => p.metadata.name);
const web = { app: 'web' };
const pods = [
  pod('mine', { owner: 'd', labels: web }),
  pod('relabelled', { owner: 'd', labels: { app: 'debug' } }),
  pod('relabelled-going', { owner: 'd', labels: {}, deleting: true }),
  pod('orphan', { labels: web }),
  pod('orphan-going', { labels: web, deleting: true }),
  pod('orphan-other', { labels: { app: 'other' } }),
  pod('others', { owner: 'x', labels: web }),
];

spec('planClaim', (it) => {
  it('keeps, adopts and releases by the selector', () => {
    const { keep, adopt, release } = planClaim(deployment('a'), { matchLabels: web }, pods);
    assert.equal(names(keep), ['mine', 'relabelled-going']);
    assert.equal(names(adopt), ['orphan']);
    assert.equal(names(release), ['relabelled']);
  });

  it('takes nothing over for an owner that is going', () => {
    const owner = deployment('a');
    owner.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    const { keep, adopt, release } = planClaim(owner, { matchLabels: web }, pods);
    assert.equal(names(keep), ['mine', 'relabelled', 'relabelled-going']);
    assert.equal([adopt, release], [[], []]);
  });
});
