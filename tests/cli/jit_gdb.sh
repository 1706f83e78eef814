#!/bin/bash
# SPDX-License-Identifier: MIT
# mode: release
# --jit gdb: a debugger of husk itself knows compiled code by its names, and unwinds from there to who called it.
set -eu
source "$TOP/tests/cli/common.bash"
command -v gdb >/dev/null || { echo "no gdb here"; exit 0; }

cat >loop.c <<'END'
static volatile unsigned long cell;
__attribute__((noinline)) unsigned long inner(unsigned long n)
{
	cell += n;
	return cell * 3;
}
__attribute__((noinline)) unsigned long outer(unsigned long n)
{
	return inner(n) + inner(n + 1);
}
void _start(void)
{
	unsigned long sum = 0;
	for (unsigned long i = 0; i < 100; i++)
		sum += outer(i);
	register long a0 __asm__("a0") = sum & 63, a7 __asm__("a7") = 93;
	__asm__ volatile("ecall" : : "r"(a0), "r"(a7));
}
END
riscv64-linux-gnu-gcc -O1 -nostdlib -static -o loop loop.c
expect 38 timeout 20 "$HUSK" run --jit gdb loop
# Some instructions behind the way in it is in the middle of what was compiled.
run timeout 60 gdb -q -batch -nx -ex 'break x64_enter' -ex 'ignore 1 10' -ex run -ex 'info functions husk:' -ex 'stepi 90' \
	-ex 'info symbol $pc' -ex bt --args "$HUSK" run --jit gdb,soft loop
has "$out" '^0x[0-9a-f]+ +husk:inner:0x[0-9a-f]+$'
has "$out" '^husk:[a-z_]+[:+].* in section \.text of '
has "$out" '^#0 .* in husk:[a-z_]+[:+]'
has "$out" '^#1 .*x64_enter'
has "$out" '^#[0-9]+ .*main'
