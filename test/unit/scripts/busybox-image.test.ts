import * as assert from 'uvu/assert';
import { spec } from '../../spec.ts';
import { shell } from './shell.ts';

const DIRS = '"$3"/{a,b,c,d,e,f,g,h,usr/bin,i,j,k,l,m,n,o,p}'; // so many that the right one is hardly first by chance

spec('find_dynamic_busybox', (it) => {
  it('takes the program out of the package where only the static one is installed, no other file of its name', () => {
    const programs = {
      busybox: 'exit 0',
      ldd: '[[ $1 == */unpacked/usr/bin/busybox ]]',
      'apt-get': '> busybox_1_amd64.deb',
      'dpkg-deb': `mkdir -p ${DIRS}; for dir in ${DIRS}; do > "$dir/busybox"; done`,
    };
    const line = 'work=$(mktemp -d); find_dynamic_busybox "$work" | sed "s,^$work,,"; rm -rf "$work"';
    assert.is(shell(['common', 'busybox-image'], line, programs), '/unpacked/usr/bin/busybox');
  });
});
