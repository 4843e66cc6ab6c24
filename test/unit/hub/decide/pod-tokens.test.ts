import * as assert from 'uvu/assert';
import {
  hasEnded,
  isTokenDue,
  type PodToken,
  podTokensItem,
  refreshAgeMs,
  tokenWishes,
} from '../../../../hub/decide/pod-tokens.ts';
import type { PodSpec, VolumeProjection } from '../../../../protocol/kinds/pod.ts';
import { podOfTokens, podTokensName, tokenKey } from '../../../../protocol/wire/pod-tokens.ts';
import { pod } from '../../../build/workloads.ts';
import { spec } from '../../../spec.ts';

const HOUR_MS = 3600_000;
const projected = (
  name: string,
  ...sources: VolumeProjection[]
): NonNullable<PodSpec['volumes']>[number] => ({
  name,
  projected: { sources },
});
const token = (overrides: Partial<PodToken> = {}): PodToken => ({
  token: 'head.claims.sign',
  lifeMs: HOUR_MS,
  bornAtMs: 1_000_000_000_000,
  bornSinceMs: 5_000,
  ...overrides,
});

spec('tokens that pods ask for', (it) => {
  it('are those of all projected volumes, one for equal wishes', () => {
    const volumes = [
      { name: 'plain', emptyDir: {} },
      projected('a', { configMap: { name: 'c' } }, { serviceAccountToken: { path: 'token' } }),
      projected(
        'b',
        { serviceAccountToken: { path: 'again', expirationSeconds: 3600 } },
        { serviceAccountToken: { path: 'vault', audience: 'vault', expirationSeconds: 600 } },
      ),
    ];
    assert.equal(
      [...tokenWishes({ containers: [], volumes })],
      [
        ['3600 ', { volume: 'a', audience: '', expirationSeconds: 3600 }],
        ['600 vault', { volume: 'b', audience: 'vault', expirationSeconds: 600 }],
      ],
    );
    assert.is(tokenWishes({ containers: [] }).size, 0);
  });

  for (const [lifeMs, ageMs] of [
    [600_000, 480_000],
    [HOUR_MS, 2_880_000],
    [30 * HOUR_MS, 24 * HOUR_MS],
    [8760 * HOUR_MS, 24 * HOUR_MS],
  ] as const)
    it(`are replaced after ${ageMs} ms when they live ${lifeMs} ms`, () =>
      assert.is(refreshAgeMs(lifeMs), ageMs));

  for (const [name, wallAgeMs, monotonicAgeMs, due] of [
    ['a new one stays', 0, 0, false],
    ['one of 79 % stays', 2_844_000, 2_844_000, false],
    ['one of 80 % is due', 2_880_000, 2_880_000, true],
    ['an old one is due although the wall clock stood', 0, 2_880_000, true],
    ['one that ends early by a clock set forwards is due', 2_880_000, 10, true],
    ['one of the future by a clock set back is due', -61_000, 10, true],
    ['a small correction changes nothing', -500, 10, false],
  ] as const)
    it(name, () => {
      const one = token();
      assert.is(isTokenDue(one, one.bornAtMs + wallAgeMs, one.bornSinceMs + monotonicAgeMs), due);
    });

  it('are not replaced for pods that have ended', () => {
    const phases = ['Pending', 'Running', 'Succeeded', 'Failed'] as const;
    const ended = phases.filter((phase) => hasEnded({ ...pod('p', {}), status: { phase } }));
    assert.equal(ended, ['Succeeded', 'Failed']);
  });
});

spec('the item of tokens', (it) => {
  const subject = pod('p', { node: 'n1' });
  it('has a name that no Secret can have, which tells the pod', () => {
    const item = podTokensItem(subject, new Map([['3600 ', token()]]));
    assert.is(item.kind, 'secret');
    assert.is(item.key, `secret/default/token:${subject.metadata.uid}`);
    assert.is(podOfTokens(podTokensName('u-1')), 'u-1');
    assert.is(podOfTokens('any.secret-name'), undefined);
    assert.equal(item.kind === 'secret' && item.body.data, {
      [tokenKey({ path: 'any' })]: Buffer.from('head.claims.sign').toString('base64'),
    });
  });
  it('has another revision for other tokens only', () => {
    const rev = (one: PodToken, of = subject): string => podTokensItem(of, new Map([['3600 ', one]])).rev;
    assert.is(rev(token({ bornAtMs: 1, bornSinceMs: 1 })), rev(token()));
    const touched = {
      ...subject,
      metadata: { ...subject.metadata, resourceVersion: '99', labels: { a: 'b' } },
    };
    assert.is(rev(token(), touched), rev(token()));
    assert.is.not(rev(token({ token: 'head.claims.other' })), rev(token()));
  });
});
