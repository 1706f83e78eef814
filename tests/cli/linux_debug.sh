#!/bin/bash
# SPDX-License-Identifier: MIT
# The debugger on Linux programs: names, breakpoints, steps in both directions, from the beginning again.
set -eu
source "$TOP/tests/cli/common.bash"

cat >hello.c <<'C'
#include <stdio.h>
__attribute__((noinline)) int twice(int x) { return 2 * x; }
int main(int argc, char **argv)
{
	printf("%d\n", twice(argc));
	return 3;
}
C
cat >small.s <<'S'
	.globl _start, twice
_start:	lla	s0, text
	call	twice
	li	a7, 64
	li	a0, 1
	mv	a1, s0
	li	a2, 2
	ecall
	li	a7, 93
	li	a0, 3
	ecall
twice:	slli	a0, a0, 1
	ret
	.data
text:	.ascii	"2\n"
S
riscv64-linux-gnu-gcc -O1 -static -o fixed hello.c
riscv64-linux-gnu-gcc -nostdlib -pie -Wl,--no-dynamic-linker -o moved small.s
for program in fixed moved; do
	run timeout 60 "$HUSK" debug "$program" <<-'COMMANDS'
		break twice
		continue
		step
		back
		reset
		continue
		continue
		quit
	COMMANDS
	has "$out" '^=> 0x[0-9A-F]+ <_start>  [a-z]'
	has "$out" '^Breakpoint 1 at 0x[0-9A-F]+ <twice>'
	has "$out" '<twice\+[24]>'
	[ "$(grep -c '^=> 0x[0-9A-F]* <twice>  .*slli' <<<"$out")" = 3 ] || fail "not back, or not once more"
	[ "$(grep -c '^=> 0x[0-9A-F]* <_start> ' <<<"$out")" = 2 ] || fail "not from the beginning"
	has "$out" '^2$'
	has "$out" 'The program has ended, code 3'
done
has "$out" '^Breakpoint 1 at 0x0000002AAAAA'
