import * as assert from 'uvu/assert';
import { nextSigningStep } from '../../../../hub/decide/signing.ts';
import { type CertificateSigningRequest, CLIENT_SIGNER } from '../../../../protocol/kinds/certificate.ts';
import { spec } from '../../../spec.ts';

const HOUR_MS = 3_600_000;
const MADE_MS = Date.UTC(2026, 0, 2);

function request(
  types: readonly string[],
  more: Partial<CertificateSigningRequest['spec']> = {},
  certificate = '',
): CertificateSigningRequest {
  const lastUpdateTime = new Date(MADE_MS + HOUR_MS).toISOString();
  return {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: {
      name: 'r',
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: new Date(MADE_MS).toISOString(),
    },
    spec: { request: '', signerName: CLIENT_SIGNER, usages: ['client auth'], ...more },
    status: {
      conditions: types.map((type) => ({ type, status: 'True', lastUpdateTime })),
      ...(certificate === '' ? {} : { certificate }),
    },
  };
}

spec('nextSigningStep', (it) => {
  const cases: [string, CertificateSigningRequest, number, object][] = [
    ['waits a day for a verdict', request([]), MADE_MS, { do: 'wait', forMs: 24 * HOUR_MS }],
    ['then lets go', request([]), MADE_MS + 24 * HOUR_MS, { do: 'delete' }],
    ['signs what is approved', request(['Approved']), MADE_MS, { do: 'sign' }],
    [
      'leaves other signers to themselves',
      request(['Approved'], { signerName: 'a.b/c' }),
      MADE_MS + HOUR_MS,
      { do: 'wait', forMs: HOUR_MS },
    ],
    [
      'keeps the issued for an hour',
      request(['Approved'], {}, 'x'),
      MADE_MS + HOUR_MS,
      { do: 'wait', forMs: HOUR_MS },
    ],
    ['and no longer', request(['Approved'], {}, 'x'), MADE_MS + 2 * HOUR_MS, { do: 'delete' }],
    [
      'keeps the denied for an hour',
      request(['Denied']),
      MADE_MS + 2 * HOUR_MS - 1,
      { do: 'wait', forMs: 1 },
    ],
    [
      'does not sign what has failed',
      request(['Approved', 'Failed']),
      MADE_MS + 2 * HOUR_MS,
      { do: 'delete' },
    ],
    [
      'demands client auth',
      request(['Approved'], { usages: ['digital signature'] }),
      MADE_MS,
      { do: 'fail', why: 'usages must include "client auth"' },
    ],
  ];
  for (const [name, given, nowMs, step] of cases)
    it(name, () => assert.equal(nextSigningStep(given, nowMs), step));

  it('gives no other usage', () => {
    const step = nextSigningStep(request(['Approved'], { usages: ['client auth', 'server auth'] }), MADE_MS);
    assert.is(step.do, 'fail');
  });
});
