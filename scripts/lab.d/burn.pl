#!/usr/bin/perl
# burn.pl CORES SECONDS: burn that much CPU (0.16 = 16 % of one core), kept on course by the process's own CPU clock, so
# that a busy machine delays the load but does not lessen it.
use strict;
use warnings;
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID);
my ($cores, $seconds) = @ARGV;
setpriority 0, 0, -10;
my $begin = clock_gettime(CLOCK_MONOTONIC);
while ((my $passed = clock_gettime(CLOCK_MONOTONIC) - $begin) < $seconds) {
    my $due = $passed * $cores;
    while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID) < $due) { my $x = 0; $x += $_ for 1 .. 2000 }
    sleep 0.02;
}
