#!/bin/bash
# respawn.sh NAME COMMAND...: run COMMAND again 100 ms after it ended, for ever; its pid in NAME.pid, the loop's own in
# NAME.loop.
name=$1
shift
echo $$ >"$name.loop"
while :; do
  "$@" &
  echo $! >"$name.pid"
  wait $!
  sleep 0.1
done
