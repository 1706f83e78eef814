#!/bin/bash
# SPDX-License-Identifier: MIT
# Linux programs: descriptors, pipes, polling, sockets.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

linux_program descriptors
linux_program pipes
linux_program polling
linux_program sockets
linux_program terminals

# Internet sockets: with the network, and without.
linux_program internet --net
run timeout 20 "$HUSK" run internet denied
[ "$code" = 0 ] && [ "$out" = "-1 1" ] || fail "sockets without --net"

# Whoever wants too much gets an error, or ends.
riscv64-linux-gnu-gcc -O1 -w -static -o floods "$TOP/tests/linux/floods.c"
expect 0 timeout 60 "$HUSK" run --limit files=500 --limit open=2000 floods descriptors
[ "$out" = "497: Too many open files" ] || fail "descriptors"
expect 0 timeout 60 "$HUSK" run --limit files=500 --limit open=2000 floods files
[ "$out" = "Too many open files in system" ] || fail "open files"
expect 0 timeout 60 "$HUSK" run floods sockets
has "$out" '^sent: Too many references: cannot splice after some$'
has "$out" '^sets: 200, items: some$'
expect 137 timeout 60 "$HUSK" run --limit output=100000 floods output
[ "$(stat -c %s stdout.txt)" = 100000 ] || fail "$(stat -c %s stdout.txt) bytes of output"
has "$err" 'output limit reached'

# Random calls with random arguments.
riscv64-linux-gnu-gcc -O1 -w -static -o fuzz_calls "$TOP/tests/linux/fuzz_calls.c"
for seed in 1 2 "$RANDOM"; do
	run timeout 60 "$HUSK" run fuzz_calls 30000 "$seed"
	[ "$code" = 0 ] && [ "$out" = "fuzz_calls: made" ] || fail "fuzz_calls with seed $seed: exit code $code"
done
