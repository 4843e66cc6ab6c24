import * as assert from 'uvu/assert';
import type { KindSpec } from '../../../../protocol/kinds/kind.ts';
import type { KubeObject } from '../../../../protocol/kinds/meta.ts';
import { deploymentKind, replicaSetKind } from '../../../../protocol/kinds/workload-kinds.ts';
import { userDeployment } from '../../../build/kube.ts';
import { spec } from '../../../spec.ts';

function errorsOf(kind: KindSpec, object: KubeObject): string[] {
  kind.setDefaults(object);
  return kind.validate(object).map((e) => `${e.field}: ${e.message}`);
}

spec('deployment', (it) => {
  it('gets its defaults', () => {
    const deployment = userDeployment({ replicas: undefined });
    deploymentKind.setDefaults(deployment);
    assert.is(deployment.spec.replicas, 1);
    assert.equal(deployment.spec.strategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' },
    });
    assert.is(deployment.spec.revisionHistoryLimit, 10);
    assert.is(deployment.spec.progressDeadlineSeconds, 600);
    assert.is(deployment.spec.template.spec.restartPolicy, 'Always');
    assert.is(deployment.spec.template.spec.enableServiceLinks, undefined);
  });

  const cases: readonly (readonly [string, Parameters<typeof userDeployment>[0], string[]])[] = [
    ['accepts a plain one', {}, []],
    [
      'counts from zero',
      { replicas: -1 },
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'must select its own pods',
      { template: { metadata: { labels: { app: 'other' } } } },
      [
        'spec.template.metadata.labels: Invalid value: map[string]string{"app":"other"}: `selector` does not match template `labels`',
      ],
    ],
    [
      'must select something',
      { selector: { matchLabels: null as never } },
      [
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string(nil), MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: empty selector is invalid for deployment',
      ],
    ],
    [
      'restarts always',
      { template: { spec: { restartPolicy: 'Never' } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'must be able to roll',
      { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 0 } } },
      [
        'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: intstr.IntOrString{Type:0, IntVal:0, StrVal:""}: may not be 0 when `maxSurge` is 0',
      ],
    ],
    [
      'keeps rolling parameters off Recreate',
      { strategy: { type: 'Recreate', rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'knows its strategies',
      { strategy: { type: 'Rolling' as never } },
      ['spec.strategy.type: Unsupported value: "Rolling": supported values: "Recreate", "RollingUpdate"'],
    ],
    [
      'waits longer than pods need to be ready',
      { minReadySeconds: 600 },
      ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
    ],
  ];
  for (const [name, overrides, expected] of cases)
    it(name, () => assert.equal(errorsOf(deploymentKind, userDeployment(overrides)), expected));

  it('never changes its selector', () => {
    const before = userDeployment();
    const next = structuredClone(before);
    next.spec.selector = { matchLabels: { app: 'b' } };
    assert.equal(
      deploymentKind.validateUpdate(next, before).map((e) => `${e.field}: ${e.message}`),
      [
        'spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"app":"b"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable',
      ],
    );
  });

  it('prints its columns', () => {
    const deployment = userDeployment();
    deployment.status = { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 };
    const cells = deploymentKind.columns.map((c) =>
      c.cell(deployment, { nowMs: Date.UTC(2026, 0, 1, 0, 5) }),
    );
    assert.equal(cells, ['web', '1/2', 2, 1, '5m', 'app', 'busybox:1', 'app=web']);
  });
});

spec('replica set', (it) => {
  it('needs selector and template', () => {
    const empty = { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: userDeployment().metadata };
    assert.equal(errorsOf(replicaSetKind, empty), [
      'spec.selector: Required value',
      'spec.template.spec.containers: Required value',
    ]);
  });
});
