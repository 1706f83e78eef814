# SPDX-License-Identifier: MIT
#
# husk dis --linear of programs for Linux: all code of an ELF file with its symbols; files that are damaged.
set -eu
source "$TOP/tests/cli/common.bash"

cat >prog.s <<'S'
_start:	li	a0, 5
1:	addi	a0, a0, -1
	bnez	a0, 1b
	call	last
	la	a1, data
last:	li	a7, 93
	ecall
	.data
data:	.dword 1
S
expect 0 "$HUSK" asm --isa rv64 -q prog.s -o prog.elf
expect 0 "$HUSK" dis --linear prog.elf
from_file=$out
has "$out" '^_start:$'
has "$out" '^   11000  13 05 50 00           li a0, 5$'
has "$out" '^   11008  .* bnez a0, 0x11004$'
has "$out" '^last:$'
[ "$(grep -c '' <<<"$out")" = 12 ] || fail "so many lines"
expect 0 "$HUSK" dis --linear --isa rv64 prog.s
[ "$out" = "$from_file" ] || fail "a text and its program differ"

# Damaged files: an answer, never a crash.
size=$(wc -c <prog.elf)
for n in 1 20 64 100 4096 4200 $((size - 400)) $((size - 70)) $((size - 1)); do
	head -c "$n" prog.elf >cut.elf
	run "$HUSK" dis --linear --isa rv64 cut.elf
	[ "$code" -lt 128 ] || fail "status $code at $n bytes"
done
for at in 16 32 40 54 56 58 60 62 96 104 $((size - 300)) $((size - 200)) $((size - 100)); do
	cp prog.elf bent.elf
	printf '\377\377\377\377\377\377\377' | dd of=bent.elf bs=1 seek="$at" conv=notrunc status=none
	run "$HUSK" dis --linear --isa rv64 bent.elf
	[ "$code" -lt 128 ] || fail "status $code with bytes at $at changed"
done
