import * as assert from 'uvu/assert';
import * as names from '../../../../protocol/validate/names.ts';
import { spec } from '../../../spec.ts';

spec('names', (it) => {
  it('words a bad subdomain as Kubernetes does', () => {
    assert.equal(names.subdomainErrors('Web_1'), [
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    ]);
  });

  it('words a bad label as Kubernetes does, double spaces included', () => {
    assert.equal(names.labelNameErrors('a_b'), [
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    ]);
  });

  it('says of a name with dots only that', () => {
    assert.equal(names.labelNameErrors('a.b'), ['must not contain dots']);
  });

  const good: readonly (readonly [(name: string) => string[], string])[] = [
    [names.subdomainErrors, 'a.b-c.1'],
    [names.labelNameErrors, 'a'.repeat(63)],
    [names.qualifiedNameErrors, 'example.com/My_name.1'],
    [names.labelValueErrors, ''],
    [names.configKeyErrors, '.dockerconfigjson'],
    [names.envNameErrors, 'my.env-NAME_1'],
    [names.portNameErrors, 'http-1'],
    [names.percentErrors, '25%'],
    [names.localPathErrors, 'a/b..c'],
    [names.ipErrors, '10.0.0.255'],
    [names.ipErrors, '::1'],
    [names.ipErrors, '2001:db8::ffff'],
    [names.ipErrors, '::ffff:10.1.2.3'],
  ];
  for (const [rule, name] of good) it(`${rule.name} accepts ${name}`, () => assert.equal(rule(name), []));

  const bad: readonly (readonly [(name: string) => string[], string, number])[] = [
    [names.subdomainErrors, `${'a'.repeat(254)}`, 1],
    [names.labelNameErrors, '-a', 1],
    [names.labelNameErrors, 'a'.repeat(64), 1],
    [names.qualifiedNameErrors, 'a/b/c', 1],
    [names.qualifiedNameErrors, '/b', 1],
    [names.qualifiedNameErrors, '', 2],
    [names.labelValueErrors, 'a b', 1],
    [names.configKeyErrors, '..', 1],
    [names.configKeyErrors, 'a/b', 1],
    [names.envNameErrors, 'a=b', 1],
    [names.portNameErrors, 'a--b', 1],
    [names.portNameErrors, '80', 1],
    [names.percentErrors, '25', 1],
    [names.localPathErrors, '/a/../b', 2],
    [names.ipErrors, '10.0.0.256', 1],
    [names.ipErrors, '10.0.0', 1],
    [names.ipErrors, '1::2::3', 1],
    [names.ipErrors, 'fe80', 1],
  ];
  for (const [rule, name, count] of bad)
    it(`${rule.name} refuses ${name.slice(0, 20)}`, () => assert.is(rule(name).length, count));
});
