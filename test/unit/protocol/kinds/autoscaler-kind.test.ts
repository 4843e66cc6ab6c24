import * as assert from 'uvu/assert';
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricStatus,
} from '../../../../protocol/kinds/autoscaling.ts';
import {
  horizontalPodAutoscalerKind as kind,
  targetsText,
} from '../../../../protocol/kinds/horizontal-pod-autoscaler-kind.ts';
import { hpaToV1, hpaToV2 } from '../../../../protocol/kinds/horizontal-pod-autoscaler-v1-kind.ts';
import { autoscaler, cpuShare } from '../../../build/hpa.ts';
import { spec } from '../../../spec.ts';

const average = (name: string, averageValue: string): MetricSpec => ({
  type: 'Resource',
  resource: { name, target: { type: 'AverageValue', averageValue } },
});
const now = (name: string, current: object): MetricStatus => ({
  type: 'Resource',
  resource: { name, current },
});

spec('targets of an autoscaler as printed', (it) => {
  const cases: [string, MetricSpec[], MetricStatus[], string][] = [
    [
      'a share',
      [cpuShare(50)],
      [now('cpu', { averageUtilization: 12, averageValue: '24m' })],
      'cpu: 12%/50%',
    ],
    ['a share not known yet', [cpuShare(50)], [], 'cpu: <unknown>/50%'],
    ['an average', [average('memory', '64Mi')], [now('memory', { averageValue: '5M' })], 'memory: 5M/64Mi'],
    [
      'of one container',
      [
        {
          type: 'ContainerResource',
          containerResource: {
            name: 'cpu',
            container: 'a',
            target: { type: 'Utilization', averageUtilization: 70 },
          },
        },
      ],
      [],
      'cpu: <unknown>/70%',
    ],
    [
      'a metric of pods',
      [
        {
          type: 'Pods',
          pods: { metric: { name: 'hits' }, target: { type: 'AverageValue', averageValue: '10' } },
        },
      ],
      [],
      '<unknown>/10',
    ],
    [
      'one from elsewhere',
      [
        {
          type: 'External',
          external: { metric: { name: 'q' }, target: { type: 'AverageValue', averageValue: '3' } },
        },
      ],
      [],
      '<unknown>/3 (avg)',
    ],
    ['two', [cpuShare(50), average('memory', '64Mi')], [], 'cpu: <unknown>/50%, memory: <unknown>/64Mi'],
    [
      'three',
      [cpuShare(50), cpuShare(60), cpuShare(70)],
      [],
      'cpu: <unknown>/50%, cpu: <unknown>/60% + 1 more...',
    ],
  ];
  for (const [name, metrics, currentMetrics, text] of cases)
    it(name, () => {
      assert.is(
        targetsText({ ...autoscaler({ metrics }), status: { desiredReplicas: 0, currentMetrics } }),
        text,
      );
    });
});

spec('rules of an autoscaler', (it) => {
  const errors = (parts: Partial<HorizontalPodAutoscaler['spec']>): string[] =>
    kind.validate(autoscaler(parts)).map((e) => `${e.field}: ${e.message}`);
  const rule = (scaleUp: object): Partial<HorizontalPodAutoscaler['spec']> => ({ behavior: { scaleUp } });
  const policies = [{ type: 'Pods' as const, value: 1, periodSeconds: 60 }];
  const cases: [string, Partial<HorizontalPodAutoscaler['spec']>, RegExp][] = [
    ['minimum', { minReplicas: 0 }, /^spec.minReplicas: .*must be greater than or equal to 1/],
    [
      'maximum',
      { minReplicas: 5, maxReplicas: 4 },
      /^spec.maxReplicas: .*greater than or equal to `minReplicas`/,
    ],
    [
      'a window too long',
      rule({ stabilizationWindowSeconds: 3601, policies }),
      /must be less than or equal to 3600/,
    ],
    [
      'no policy',
      rule({ policies: [] }),
      /scaleUp.policies: Required value: must specify at least one Policy/,
    ],
    [
      'a period too long',
      rule({ policies: [{ ...policies[0], periodSeconds: 1801 }] }),
      /policies\[0\].periodSeconds: .*1800/,
    ],
    [
      'a policy of nothing',
      rule({ policies: [{ ...policies[0], value: 0 }] }),
      /policies\[0\].value: .*greater than zero/,
    ],
    [
      'a word for select',
      rule({ selectPolicy: 'Best', policies }),
      /scaleUp.selectPolicy: Unsupported value: "Best"/,
    ],
    [
      'a tolerance below nothing',
      rule({ tolerance: '-0.1', policies }),
      /scaleUp.tolerance: Invalid value: "-0.1": must be greater than or equal to 0/,
    ],
    [
      'no amount',
      { metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization' } } }] },
      /target.averageUtilization: Required value/,
    ],
    [
      'two sources',
      { metrics: [{ ...cpuShare(50), pods: { metric: { name: 'x' }, target: {} } }] },
      /metrics\[0\].pods: Forbidden: must populate the given metric source only/,
    ],
  ];
  for (const [name, parts, expected] of cases)
    it(`refuses ${name}`, () => assert.match(errors(parts).join('\n'), expected));

  it('accepts one as its defaults leave it', () => {
    const bare = autoscaler({ behavior: { scaleDown: { stabilizationWindowSeconds: 60 } } });
    kind.setDefaults(bare);
    assert.equal(kind.validate(bare), []);
    assert.is(bare.spec.behavior?.scaleUp?.policies?.length, 2);
  });
});

spec('autoscaling/v1', (it) => {
  it('shows conditions and figures in annotations, and gives them back', () => {
    const stored: HorizontalPodAutoscaler = {
      ...autoscaler({ metrics: [cpuShare(50), average('memory', '64Mi')] }),
      status: {
        desiredReplicas: 2,
        currentReplicas: 2,
        currentMetrics: [now('cpu', { averageUtilization: 9 }), now('memory', { averageValue: '5M' })],
        conditions: [{ type: 'AbleToScale', status: 'True', reason: 'ReadyForNewScale' }],
      },
    };
    const v1 = hpaToV1(stored);
    assert.match(
      v1.metadata.annotations?.['autoscaling.alpha.kubernetes.io/conditions'] ?? '',
      'ReadyForNewScale',
    );
    assert.is(
      (v1 as unknown as { status: { currentCPUUtilizationPercentage: number } }).status
        .currentCPUUtilizationPercentage,
      9,
    );
    assert.equal(hpaToV2(v1), stored);
  });
});
