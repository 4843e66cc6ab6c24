#!/usr/bin/perl
# power-cut.pl PID DIR: take the power from the host whose first process is PID and whose disk is mounted at DIR.
use strict;
use warnings;
use constant EXT4_IOC_SHUTDOWN => 0x8004587D;    # _IOR('X', 125, u32)
use constant NO_LOG_FLUSH      => pack 'L', 2;   # nothing more reaches the disk, not even the journal in memory
my ($pid, $dir) = @ARGV;
open my $disk, '<', $dir or die "$dir: $!\n";
kill 9, $pid or die "kill $pid: $!\n";
my $flags = NO_LOG_FLUSH;
ioctl $disk, EXT4_IOC_SHUTDOWN, $flags or die "shut down $dir: $!\n";
