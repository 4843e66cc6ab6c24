import * as assert from 'uvu/assert';
import { negotiate, type Projection } from '../../../../hub/api/media.ts';
import { spec } from '../../../spec.ts';

const ALL: readonly Projection[] = ['object', 'Table', 'PartialObjectMetadata'];
const KUBECTL =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json';

const CASES = [
  ['nothing said', undefined, ALL, 'json object'],
  ['anything', '*/*', ALL, 'json object'],
  ['JSON', 'application/json', ALL, 'json object'],
  ['YAML', 'application/yaml', ALL, 'yaml object'],
  ['protobuf or JSON', 'application/vnd.kubernetes.protobuf,application/json', ALL, 'json object'],
  ['kubectl get', KUBECTL, ALL, 'json Table'],
  ['kubectl get where there is no Table', KUBECTL, ['object'], 'json object'],
  ['an older Table first', KUBECTL.split(',').slice(1).join(','), ALL, 'json object'],
  ['by quality', 'application/yaml;q=0.5, application/json;q=0.9', ALL, 'json object'],
  [
    'metadata',
    'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    ALL,
    'json PartialObjectMetadata',
  ],
  ['refused by quality', 'application/json;q=0', ALL, undefined],
  ['HTML', 'text/html', ALL, undefined],
  ['a name of a prototype', 'constructor', ALL, undefined],
  ['protobuf alone', 'application/vnd.kubernetes.protobuf', ALL, undefined],
] as const;

spec('negotiate', (it) => {
  for (const [name, accept, offers, expected] of CASES)
    it(name, () => {
      const accepted = negotiate(accept, offers);
      assert.is(accepted === undefined ? undefined : `${accepted.format} ${accepted.as}`, expected);
    });
});
