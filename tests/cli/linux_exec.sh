#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs as files: what execve does, static and dynamic programs, and what is said about files that are none.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

linux_program exec

cat >hello.c <<'C'
#include <stdio.h>
int main(int argc, char **argv)
{
	printf("%d %s\n", argc, argv[argc - 1]);
	return 3;
}
C
sysroot=/usr/riscv64-linux-gnu
riscv64-linux-gnu-gcc -static -o static hello.c
riscv64-linux-gnu-gcc -o dynamic hello.c
riscv64-linux-gnu-gcc -no-pie -o fixed hello.c
riscv64-linux-gnu-gcc -c -o object hello.c
for program in static dynamic fixed; do
	expect 3 timeout 60 "$HUSK" run -L "$sysroot" "$program" one two
	[ "$out" = "3 two" ] || fail "$program"
done
# Two segments in one page, code that may be written, no room between segments.
cat >small.s <<'S'
	.globl _start
_start:	la	a1, answer
	ld	a0, (a1)
	addi	a0, a0, 1
	sd	a0, (a1)
	li	a7, 93
	ecall
	.data
answer:	.quad	2
S
riscv64-linux-gnu-gcc -nostdlib -static -Wl,-N,--no-warn-rwx-segments -o writable small.s
expect 3 timeout 60 "$HUSK" run writable
riscv64-linux-gnu-gcc -static -Wl,-z,max-page-size=4096,-z,noseparate-code,-z,norelro -o narrow hello.c
expect 3 timeout 60 "$HUSK" run narrow
riscv64-linux-gnu-gcc -static -Wl,-z,max-page-size=2097152,-Ttext-segment=0x400000 -o wide hello.c
expect 3 timeout 60 "$HUSK" run wide

# FILE PATTERN: it is refused with these words.
refused() {
	run timeout 60 "$HUSK" run "$1"
	[ "$code" = 126 ] || fail "exit code $code for $1"
	[ -z "$out" ] || fail "$1 printed something"
	has "$err" "$2"
}
refused object 'object: error: this is an object file, not a program \(e_type, at offset 16, is 1\)'
head -c 3000 static >cut
refused cut 'p_filesz 0x[0-9a-f]+ reaches beyond the file.s end at 0xbb8'
head -c 40 static >stump
refused stump 'it ends at offset 40, within the ELF header'
refused dynamic 'ld-linux-riscv64-lp64d.so.1'
cp static loud
printf '\377' | dd of=loud bs=1 seek=57 conv=notrunc status=none
refused loud 'e_phnum, at offset 56'
cp static lost
printf '\0\0\0\0\0\0\0\0' | dd of=lost bs=1 seek=24 conv=notrunc status=none
refused lost 'e_entry, at offset 24, is 0x0: in no segment'

riscv64-linux-gnu-gcc -static -Wl,-z,max-page-size=2097152,-Ttext-segment=0 -o low hello.c
refused low 'p_vaddr 0x0 is below 0x10000, the lowest address a program may have'

# Too large for the memory there is: said, not tried.
cat >large.c <<'C'
static char room[1 << 30];
int main(void) { return room[12345]; }
C
riscv64-linux-gnu-gcc -static -o large large.c
run timeout 60 "$HUSK" run --memory 64M large
[ "$code" != 0 ] && [ -z "$out" ] || fail "large: $code"
has "$err" "it can't be loaded: Cannot allocate memory"
expect 0 timeout 60 "$HUSK" run --memory 2G large
