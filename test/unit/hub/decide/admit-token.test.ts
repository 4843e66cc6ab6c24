import * as assert from 'uvu/assert';
import { admitAccount, refuseRuntimeClass } from '../../../../hub/decide/admit-pod.ts';
import { admitToken, bindsDefault, TOKEN_FOLDER } from '../../../../hub/decide/admit-token.ts';
import type { ServiceAccount } from '../../../../protocol/kinds/core.ts';
import type { Pod, PodSpec, VolumeMount } from '../../../../protocol/kinds/pod.ts';
import type { RoleBinding, Subject } from '../../../../protocol/kinds/rbac.ts';
import { spec } from '../../../spec.ts';

const pod = (parts: Partial<PodSpec> = {}): Pod =>
  ({
    metadata: { name: 'p', namespace: 'shop' },
    spec: { containers: [{ name: 'a', image: 'i' }], ...parts },
  }) as Pod;
const account = (automount?: boolean): ServiceAccount =>
  ({
    metadata: { name: 'robot', namespace: 'shop' },
    ...(automount === undefined ? {} : { automountServiceAccountToken: automount }),
  }) as ServiceAccount;

function admitted(parts: Partial<PodSpec>, of?: ServiceAccount, hasRights = false): PodSpec {
  const draft = pod(parts);
  admitToken(
    draft,
    of,
    () => 'x7k2b',
    () => hasRights,
  );
  return draft.spec;
}

const MOUNT: VolumeMount = { name: 'kube-api-access-x7k2b', readOnly: true, mountPath: TOKEN_FOLDER };

spec('admitToken', (it) => {
  const cases = [
    ['an account of its own', 'robot', undefined, undefined, true],
    ['the default account', 'default', undefined, undefined, false],
    ['no account named', undefined, undefined, undefined, false],
    ['the default account that says so', 'default', undefined, true, true],
    ['the default account, the pod says so', 'default', true, undefined, true],
    ['an account that says no', 'robot', undefined, false, false],
    ['a pod that says no', 'robot', false, true, false],
    ['a pod that says yes against its account', 'robot', true, false, true],
  ] as const;
  for (const [name, serviceAccountName, said, ofAccount, isGiven] of cases) {
    it(`${name}: ${isGiven ? 'a token' : 'none'}`, () => {
      const parts = {
        ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
        ...(said === undefined ? {} : { automountServiceAccountToken: said }),
      };
      const { volumes = [], containers } = admitted(parts, account(ofAccount));
      assert.is(volumes.length, isGiven ? 1 : 0);
      assert.equal(containers[0]?.volumeMounts, isGiven ? [MOUNT] : undefined);
    });
  }

  it('is given to pods of the default account where that has rights, unless somebody says no', () => {
    assert.is(admitted({ serviceAccountName: 'default' }, undefined, true).volumes?.length, 1);
    assert.is(admitted({}, account(false), true).volumes, undefined);
    assert.is(admitted({ automountServiceAccountToken: false }, undefined, true).volumes, undefined);
  });

  it('is what Kubernetes adds, in every container and after what is there', () => {
    const own = { name: 'data', mountPath: '/data' };
    const { volumes, containers, initContainers } = admitted({
      serviceAccountName: 'robot',
      initContainers: [{ name: 'i', image: 'i' }],
      containers: [
        { name: 'a', image: 'i', volumeMounts: [own] },
        { name: 'b', image: 'i', volumeMounts: [{ name: 'data', mountPath: TOKEN_FOLDER }] },
      ],
      volumes: [{ name: 'data', emptyDir: {} }],
    });
    assert.equal(initContainers?.[0]?.volumeMounts, [MOUNT]);
    assert.equal(containers[0]?.volumeMounts, [own, MOUNT]);
    assert.is(containers[1]?.volumeMounts?.length, 1, 'its own mount at the place stays');
    assert.equal(volumes?.[0], { name: 'data', emptyDir: {} });
    assert.equal(volumes?.[1], {
      name: 'kube-api-access-x7k2b',
      projected: {
        defaultMode: 420,
        sources: [
          { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
          { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          {
            downwardAPI: {
              items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
            },
          },
        ],
      },
    });
  });

  it('uses the volume that a copied pod brings, and adds none where nobody would mount it', () => {
    const name = 'kube-api-access-old11';
    const parts = { serviceAccountName: 'robot', volumes: [{ name, emptyDir: {} }] };
    const copied = admitted(parts);
    assert.is(copied.volumes?.length, 1);
    assert.equal(copied.containers[0]?.volumeMounts, [{ ...MOUNT, name }]);
    const mounted = { name: 'a', image: 'i', volumeMounts: [{ name: 'own', mountPath: TOKEN_FOLDER }] };
    assert.is(admitted({ serviceAccountName: 'robot', containers: [mounted] }).volumes, undefined);
  });
});

spec('bindsDefault', (it) => {
  const binding = (namespace: string | undefined, ...subjects: Subject[]): RoleBinding =>
    ({ metadata: { name: 'b', ...(namespace === undefined ? {} : { namespace }) }, subjects }) as RoleBinding;
  const own: Subject = { kind: 'ServiceAccount', name: 'default', namespace: 'shop' };
  const cases: readonly (readonly [string, RoleBinding, boolean])[] = [
    ['of the cluster', binding(undefined, own), true],
    [
      'of the namespace, which need not be said',
      binding('shop', { kind: 'ServiceAccount', name: 'default' }),
      true,
    ],
    ['among others', binding('shop', { kind: 'User', name: 'default' }, own), true],
    ['for the account of another namespace', binding(undefined, { ...own, namespace: 'other' }), false],
    ['for another account', binding('shop', { ...own, name: 'robot' }), false],
    ['for a user of that name', binding('shop', { kind: 'User', name: 'default' }), false],
    ['for all accounts', binding(undefined, { kind: 'Group', name: 'system:serviceaccounts' }), false],
    ['for nobody', { ...binding('shop'), subjects: null }, false],
  ];
  for (const [name, held, expected] of cases)
    it(`a binding ${name}: ${expected}`, () => assert.is(bindsDefault([held], 'shop'), expected));
});

spec('admitAccount', (it) => {
  it('refuses an account that is not there, as Kubernetes words it', () => {
    const why = 'error looking up service account shop/robot: serviceaccount "robot" not found';
    assert.is(
      admitAccount(pod({ serviceAccountName: 'robot' }), () => undefined),
      why,
    );
  });

  it('refuses a runtime that no class names, instead of another than was asked for', () => {
    const why = 'pod rejected: RuntimeClass "gvisor" not found';
    assert.is(refuseRuntimeClass(pod({ runtimeClassName: 'gvisor' })), why);
    assert.is(refuseRuntimeClass(pod()), undefined);
  });

  it('takes default for there, because it soon is', () => {
    const draft = pod();
    assert.is(
      admitAccount(draft, () => undefined),
      undefined,
    );
    assert.is(draft.spec.serviceAccountName, 'default');
  });

  it('gives the pull secrets of the account to who has none', () => {
    const secrets = { ...account(), imagePullSecrets: [{ name: 'reg' }] };
    const draft = pod({ serviceAccountName: 'robot' });
    assert.is(
      admitAccount(draft, () => secrets),
      undefined,
    );
    assert.equal(draft.spec.imagePullSecrets, [{ name: 'reg' }]);
    const own = pod({ serviceAccountName: 'robot', imagePullSecrets: [{ name: 'own' }] });
    admitAccount(own, () => secrets);
    assert.equal(own.spec.imagePullSecrets, [{ name: 'own' }]);
  });
});
