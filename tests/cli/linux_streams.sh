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

# Descriptors that are closed are closed for the program as well, and nothing else is found in their places.
cat >closed.c <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	int code = 0;
	char c;

	for (int fd = 0; fd < 3; fd++)
		code |= (fcntl(fd, F_GETFD) < 0) << fd;
	code |= (read(0, &c, 1) < 0) << 3 | (write(1, "out\n", 4) < 0) << 4 | (write(2, "err\n", 4) < 0) << 5;
	return code | open("/dev/null", O_RDONLY) << 6;
}
C
riscv64-linux-gnu-gcc -O1 -w -static -o closed closed.c
expect 192 "$HUSK" run closed </dev/null
expect 9 "$HUSK" run closed <&-
expect 192 "$HUSK" run -i closed.c closed <&-
code=0; "$HUSK" run closed >&- 2>stderr.txt </dev/null || code=$?
[ "$code $(cat stderr.txt)" = "$((1 << 1 | 1 << 4 | 1 << 6)) err" ] || fail "closed stdout: $code $(cat stderr.txt)"
code=0; "$HUSK" run --strace=calls.txt closed 2>&- >stdout.txt </dev/null || code=$?
[ "$code" = "$((1 << 2 | 1 << 5 | 2 << 6))" ] || fail "closed stderr: $code"
if grep -q '^err' calls.txt; then fail "errors of the program in the trace"; fi
code=0; "$HUSK" run closed <&- >&- 2>&- || code=$?
[ "$code" = 63 ] || fail "all closed: $code"
