import * as assert from 'uvu/assert';
import type { Loose } from '../../../../protocol/kinds/loose.ts';
import type { Container, PodSpec } from '../../../../protocol/kinds/pod.ts';
import { securityFault, validateSecurityLabels } from '../../../../protocol/validate/pod-security.ts';
import { spec } from '../../../spec.ts';

const labels = (level: string, version?: string): Record<string, string> => ({
  'pod-security.kubernetes.io/enforce': level,
  ...(version === undefined ? {} : { 'pod-security.kubernetes.io/enforce-version': version }),
});
const one = (parts: Loose<Container> = {}, more: Loose<PodSpec> = {}): Loose<PodSpec> => ({
  containers: [{ name: 'c', ...parts }],
  ...more,
});
const judged = (level: string, pod: Loose<PodSpec>): string | undefined =>
  securityFault(labels(level), 'enforce', pod);

const SAFE = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

spec('Pod Security Standards', (it) => {
  const offences: readonly (readonly [string, Loose<PodSpec>])[] = [
    ['host namespaces (hostNetwork=true, hostPID=true)', one({}, { hostNetwork: true, hostPID: true })],
    [
      'privileged (container "c" must not set securityContext.privileged=true)',
      one({ securityContext: { privileged: true } }),
    ],
    [
      'non-default capabilities (containers "c", "d" must not include "NET_ADMIN", "SYS_TIME" in securityContext.capabilities.add)',
      {
        containers: [
          { name: 'c', securityContext: { capabilities: { add: ['SYS_TIME', 'CHOWN'] } } },
          { name: 'd', securityContext: { capabilities: { add: ['NET_ADMIN'] } } },
        ],
      },
    ],
    [
      'hostPath volumes (volumes "a", "b")',
      one(
        {},
        {
          volumes: [
            { name: 'a', hostPath: { path: '/' } },
            { name: 'b', hostPath: { path: '/x' } },
          ],
        },
      ),
    ],
    ['hostPort (container "c" uses hostPort 80)', one({ ports: [{ containerPort: 80, hostPort: 80 }] })],
    [
      'hostPort (container "c" uses hostPorts 80, 443)',
      one({
        ports: [
          { containerPort: 1, hostPort: 443 },
          { containerPort: 2, hostPort: 80 },
        ],
      }),
    ],
    [
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
      one({}, { securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    ],
    [
      'forbidden sysctls (kernel.msgmax)',
      one(
        {},
        {
          securityContext: {
            sysctls: [
              { name: 'kernel.msgmax', value: '1' },
              { name: 'net.ipv4.tcp_syncookies', value: '1' },
            ],
          },
        },
      ),
    ],
  ];
  for (const [expected, pod] of offences)
    it(`baseline: ${expected.split(' (')[0]}`, () => {
      assert.is(judged('baseline', pod), `"baseline:latest": ${expected}`);
      assert.is(judged('privileged', pod), undefined);
    });

  it('baseline lets usual pods in', () => {
    assert.is(judged('baseline', one()), undefined);
    assert.is(judged('baseline', one({ securityContext: { capabilities: { add: ['CHOWN'] } } })), undefined);
  });

  it('restricted says all that is missing, in the words of Kubernetes', () => {
    assert.is(
      judged('restricted', one()),
      '"restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
  });

  it('restricted lets a pod in that keeps to it, by itself or by its containers', () => {
    assert.is(judged('restricted', one({ securityContext: SAFE })), undefined);
    const { runAsNonRoot, seccompProfile, ...own } = SAFE;
    const pod = one({ securityContext: own }, { securityContext: { runAsNonRoot, seccompProfile } });
    assert.is(judged('restricted', pod), undefined);
    const token = one({ securityContext: SAFE }, { volumes: [{ name: 'kube-api-access-x', projected: {} }] });
    assert.is(judged('restricted', token), undefined);
  });

  const strict: readonly (readonly [string, Loose<PodSpec>])[] = [
    [
      'hostPath volumes (volume "a"), restricted volume types (volume "a" uses restricted volume type "hostPath")',
      one({ securityContext: SAFE }, { volumes: [{ name: 'a', hostPath: { path: '/' } }] }),
    ],
    [
      'runAsUser=0 (container "c" must not set runAsUser=0)',
      one({ securityContext: { ...SAFE, runAsUser: 0 } }),
    ],
    [
      'unrestricted capabilities (container "c" must not include "CHOWN" in securityContext.capabilities.add)',
      one({
        securityContext: { ...SAFE, capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_BIND_SERVICE'] } },
      }),
    ],
    [
      'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false)',
      one({ securityContext: { ...SAFE, runAsNonRoot: false } }),
    ],
    [
      'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
      one({ securityContext: { ...SAFE, seccompProfile: { type: 'Unconfined' } } }),
    ],
  ];
  for (const [expected, pod] of strict)
    it(`restricted: ${expected.split(' (')[0]}`, () =>
      assert.is(judged('restricted', pod), `"restricted:latest": ${expected}`));

  it('looks at containers of every role', () => {
    const privileged = [{ name: 'i', securityContext: { privileged: true } }];
    assert.match(judged('baseline', { ...one(), initContainers: privileged }) ?? '', 'container "i"');
    assert.match(judged('baseline', { ...one(), ephemeralContainers: privileged }) ?? '', 'container "i"');
  });

  it('names the version that the namespace names, and takes what is no level for the strictest', () => {
    const pod = one({ securityContext: { privileged: true } });
    assert.match(securityFault(labels('baseline', 'v1.30'), 'enforce', pod) ?? '', /^"baseline:v1.30": /);
    assert.match(judged('strict', one()) ?? '', /^"restricted:latest": /);
    assert.is(securityFault(undefined, 'enforce', pod), undefined);
    assert.is(securityFault(labels('baseline'), 'warn', pod), undefined, 'each mode has its own label');
  });

  it('wants levels and versions that there are', () => {
    assert.equal(validateSecurityLabels(labels('baseline', 'latest')), []);
    assert.equal(
      validateSecurityLabels(labels('strict', '1.30')).map((e) => `${e.field}: ${e.message}`),
      [
        'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
        'metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: "1.30": must be "latest" or "v1.x"',
      ],
    );
  });
});
