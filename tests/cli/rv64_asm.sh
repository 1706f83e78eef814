# SPDX-License-Identifier: MIT
#
# RISC-V assembly: the same bytes as the GNU assembler's, constants of all sizes, programs that run, messages.
set -eu
source "$TOP/tests/cli/common.bash"

# Sections, symbols and bytes are those of GNU as and ld.
expect 0 "$HUSK" asm --isa rv64 -q "$TOP/tests/rv64/gnu.s" -o mine
at() { riscv64-linux-gnu-readelf -SW mine | awk -v n="$1" '{ sub(/^ *\[ *[0-9]+\] */, "") } $1 == n { print "0x" $3 }'; }
riscv64-linux-gnu-gcc -march=rv64gc_zba_zbb_zbs_zihintpause -fno-pic -nostdlib -static -Wl,--no-relax -Wl,--build-id=none \
	-Wl,-Ttext="$(at .text)" -Wl,--section-start=.rodata="$(at .rodata)" -Wl,-Tdata="$(at .data)" \
	-Wl,-Tbss="$(at .bss)" "$TOP/tests/rv64/gnu.s" -o theirs
for section in .text .rodata .data; do
	riscv64-linux-gnu-objcopy -O binary -j $section mine "mine$section"
	riscv64-linux-gnu-objcopy -O binary -j $section theirs "theirs$section"
	cmp "mine$section" "theirs$section" || fail "$section is not that of GNU"
done
symbols() { riscv64-linux-gnu-nm "$1" | awk '$3 ~ /^(_start|function|value|number|buffer|message|length|sixteen)$/ { print $3, $1 }' | sort; }
[ "$(symbols mine)" = "$(symbols theirs)" ] || fail "other symbols"

# li makes every constant.
{
	echo '	.text'
	echo '_start:'
	n=0
	for v in 0 1 -1 2047 2048 -2048 -2049 0x7ff 0x800 0xfff 0x1000 0x7fffffff 0x7ffff800 0x7ffff7ff 0x80000000 -0x80000000 \
		-0x80000001 0xffffffff 0x100000000 0x123456789abcdef0 0x7fffffffffffffff 0x7ffffffffffff800 -0x7fffffffffffffff \
		0x8000000000000000 0xffffffffffffffff 0xfedcba9876543210 0x800000000 0x7fffff7ff 0xdeadbeef00000000; do
		n=$((n + 1))
		echo "	li a7, $n; li a0, $v; ld a1, v$n; bne a0, a1, wrong"
		echo "	.data; v$n: .dword $v; .text"
	done
	echo '	li a7, 0'
	echo 'wrong: mv a0, a7; li a7, 93; ecall'
} >li.s
expect 0 "$HUSK" run --isa rv64 li.s

# A program with data, numeric labels and a stack.
cat >sum.s <<'S'
	.globl _start
_start:	la	a1, numbers
	li	a2, (end - numbers) / 8
	li	a0, 0
1:	beqz	a2, 1f
	ld	t0, (a1)
	add	a0, a0, t0
	addi	a1, a1, 8
	addi	a2, a2, -1
	j	1b
1:	sd	a0, -8(sp)
	lw	a0, -8(sp)
	li	a7, 93
	ecall
	.data
numbers: .dword 1, 2, 3, 36
end:
S
expect 42 "$HUSK" run --isa rv64 sum.s
expect 0 "$HUSK" asm --isa rv64 sum.s -o sum.elf
[ -x sum.elf ] || fail "sum.elf is not executable"
expect 42 "$HUSK" run sum.elf
expect 42 qemu-riscv64 sum.elf

# Mistakes.
bad() {
	printf '%s\n' "$1" >bad.s
	expect 126 "$HUSK" asm --isa rv64 bad.s -o bad.elf
	has "$err" "$2"
}
bad 'addi a0, a0, 4096' "4096 does not fit 'imm', 12 bits signed"
bad 'j 1f' 'there is no label 1 behind this'
bad 'beqz a0, 1b' 'there is no label 1 before this'
bad 'addi a0, a0, %pcrel_lo(x)
x: nop' '%pcrel_lo wants the label of an instruction with %pcrel_hi'
bad '1: auipc a0, %pcrel_hi(%pcrel_lo(1b))
lw a0, %pcrel_lo(1b)(a0)' '%pcrel_lo wants the label'
bad '1000: nop' 'labels that are numbers are 0 to 999'
bad 'lw a0, 4(a0' "'\)' is missing here"
bad '.align 77' '.align wants 0 to 20, not 77'
bad '.section' '.section wants the name of a space'
bad '.section .weird' 'there is no space'
bad 'x10: nop' "'x10' is a register"
bad 'fmv.d fa0, 1' 'a register'

# As compilers end their texts, and what they keep near the global pointer.
cat >compiled.s <<'S'
	.globl _start
	.text
_start:
	lla a1, seven
	lw a0, 0(a1)
	li a7, 93
	ecall
	.section .sdata,"aw"
seven:	.word 7
	.section .note.GNU-stack,"",@progbits
S
expect 7 "$HUSK" run compiled.s
