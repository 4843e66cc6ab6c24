import * as assert from 'uvu/assert';
import { checkToken, newToken, parseToken, type TokenStore } from '../../../../hub/pki/tokens.ts';
import { FewObjects } from '../../../fakes/few-objects.ts';
import { ManualClock } from '../../../fakes/manual-clock.ts';
import { spec } from '../../../spec.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function storeWith(
  data: Record<string, string>,
  type = 'bootstrap.kubernetes.io/token',
): Promise<TokenStore> {
  const objects = new FewObjects();
  const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)]));
  await objects.create('Secret', {
    metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system' },
    type,
    data: encoded,
  });
  return { view: objects, client: objects, clock: new ManualClock(Date.UTC(2026, 5, 1)) };
}

const good = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  expiration: '2026-06-02T00:00:00Z',
  'usage-bootstrap-authentication': 'true',
};

spec('parseToken', (it) => {
  it('reads what newToken makes', () => {
    for (let i = 0; i < 50; i++) {
      const token = newToken();
      assert.equal(parseToken(`${token.id}.${token.secret}`), token);
    }
  });
  for (const text of [
    '',
    'abcdef',
    'abcdef.',
    'ABCDEF.0123456789abcdef',
    'abcdef.0123456789abcde',
    'abcdef.0123456789abcdef\n',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => assert.is(parseToken(text), undefined));
});

spec('checkToken', (it) => {
  const token = 'abcdef.0123456789abcdef';
  const cases = [
    ['another secret', good, 'abcdef.0123456789abcdee', 'UnknownOrUsed'],
    ['another id', good, 'abcdeg.0123456789abcdef', 'UnknownOrUsed'],
    ['past its time', { ...good, expiration: '2026-05-31T00:00:00Z' }, token, 'Expired'],
    ['unreadable time', { ...good, expiration: 'soon' }, token, 'Expired'],
    [
      'not for authentication',
      { ...good, 'usage-bootstrap-authentication': 'false' },
      token,
      'NotForJoining',
    ],
    ['an empty secret', { ...good, 'token-secret': '' }, token, 'UnknownOrUsed'],
  ] as const;
  for (const [name, data, text, problem] of cases)
    it(name, async () => assert.is(checkToken(await storeWith(data), text), problem));
  it('a Secret of another type', async () =>
    assert.is(checkToken(await storeWith(good, 'Opaque'), token), 'UnknownOrUsed'));
  it('a good one, also one made by hand without an end', async () => {
    const { expiration: _expiration, ...endless } = good;
    for (const data of [good, endless]) {
      const found = checkToken(await storeWith(data), token);
      assert.ok(typeof found !== 'string' && found.id === 'abcdef');
    }
  });
});
