# SPDX-License-Identifier: MIT
#
# basic-cpu: every group of its instructions, seen in the registers at the end.
set -eu
source "$TOP/tests/cli/common.bash"

cpu() {
	timeout 20 "$HUSK" run --isa basiccpu --fuel 1M --report report.json "$@"
}
is() { # REGISTER VALUE: after the last run
	local value
	value=$(json report.json "registers.$1") || fail "no register $1"
	[ "$(printf %016X "$((value))")" = "$(printf %016X "$(($2))")" ] || fail "$1 is $value, not $2"
}
ends() { # REGISTER=VALUE...: with the program on stdin
	local pair
	cat >p.asm
	expect 0 cpu p.asm
	for pair; do
		is "${pair%%=*}" "${pair#*=}"
	done
}

# ---- The example: words as the facts have them, and as assembly
for word in 11 0 1 11 1 5 11 2 1 21 0 1 20 1 2 2 1 0 30 8 41; do
	printf "\\x$(printf %02x "$word")\\0\\0\\0\\0\\0\\0\\0"
done >fact.bin
expect 0 cpu fact.bin
is r0 120
is r1 0
is zero 1
ends r0=120 r1=0 zero=1 <"$TOP/examples/basiccpu/factorial.asm"
expect 0 "$HUSK" dis --isa basiccpu fact.bin
has "$out" 'JNZ L0*9' # operand 8: targets are one more

# ---- Integers
ends r0=120 r1=0 r2=1 r5=60 r6=2 r7=61 <<'ASM'
	LII r0, 120
	LII r1, 0
	LII r2, 1
	LII r5, 20
	LII r6, 3
	MUL r5, r6
	DEC r6
	MOV r7, r5
	INC r7
	HLT
ASM
ends r1=-3 r2=6 r3=0x8000000000000000 ltz=0 <<'ASM'
	LII r0, -7
	LII r1, 2
	LII r2, 6
	DIV r0, r1      ; toward zero
	MOV r1, r0
	LII r3, 9223372036854775807
	INC r3          ; wraps
	SUB r4, r3      ; flags stay
	HLT
ASM
# ---- Flags: from a comparison alone
ends zero=0 ltz=1 gtz=0 <<<$'LII r0, 3\nCMPI r0, 4\nSUB r0, r0\nHLT'
ends zero=0 ltz=0 gtz=1 <<<$'LII r0, 3\nLII r1, -4\nCMP r0, r1\nHLT'
ends zero=1 ltz=0 gtz=0 <<<$'LIF f3, 5\nLIF f4, 5\nCMPF f3, f4\nHLT'
ends zero=0 ltz=1 gtz=0 <<<$'LIF f3, -5\nCMPFI f3, 4\nHLT'
ends zero=0 ltz=0 gtz=0 <<<$'CMPI r0, 0\nCLF\nHLT'
ends zero=0 ltz=0 gtz=0 <<<$'DIVF f0, f1\nCMPF f0, f1\nHLT' # 0/0 compares with nothing
# ---- Floating point; the stack and memory take integers
ends r0=3 r1=-2 r2=3 f0=0x400C000000000000 f5=0x4008000000000000 sp=65535 <<'ASM'
	LIF f0, 7
	LIF f1, 2
	DIVF f0, f1     ; 3.5
	PSHF f0
	POP r0
	LIF f2, -2
	PSHF f2
	POP r1
	STF cell, f0
	LDI r2, cell
	LDF f5, cell
	HLT
cell:	.word 0
ASM
ends f0=0x4024000000000000 f3=0x4014000000000000 <<<$'LIF f0,6\nLIF f1,4\nMOVF f3,f0\nADDF f0,f1\nSUBF f3,f1\nMULF f3,f1\nSUBF f3,f1\nINC r0\nPSH r0\nPOPF f4\nADDF f3,f4\nHLT'
# ---- Bits and logic
ends r0=7 r1=5 r2=6 r3=1 r4=-8 r5=1 r6=3 r7=2 <<'ASM'
	LII r0, 3
	LII r1, 4
	BOR r0, r1      ; 7
	LII r1, 13
	BAND r1, r0     ; 5
	LII r2, 3
	BXOR r2, r1     ; 6
	LII r3, 1
	LII r4, 7
	BNOT r4         ; -8
	LII r5, 1
	LII r6, 12
	LII r7, 2
	SHR r6, r7      ; 3
	HLT
ASM
ends r0=-2 r1=0x4000000000000000 <<<$'LII r0, -8\nLII r2, 2\nSHR r0, r2\nLII r1, 1\nLII r3, 62\nSHL r1, r3\nHLT'
ends r0=0 r1=1 r2=1 r3=0 r4=0 r5=1 <<<$'LII r0,0\nLII r1,5\nLII r2,9\nLAND r0,r1\nLAND r1,r2\nLOR r2,r0\nLOR r3,r4\nLNOT r1\nLNOT r1\nLII r5,0\nLNOT r5\nHLT'
# ---- Jumps
ends r0=1 r1=2 r2=1 r3=0 <<'ASM'
	CMPI r0, 1
	JGZ bad
	JEZ bad
	JLZ one
bad:	INC r3
	HLT
one:	INC r0
	CMPI r0, 1
	JNZ bad
	JEZ two
	HLT
two:	LII r1, 2
	CMPI r1, 1
	JLZ bad
	JGZ three
	HLT
three:	INC r2
	JMP end
	INC r3
end:	HLT
ASM
# ---- Opcodes from 42 on are passed over; only the low byte of an opcode counts
ends r0=2 <<<$'.word 42\n.word 255\nINC r0\n.word 0x1111111111111111\n.word 0\nHLT'
# ---- Programs that go wrong
stops() { # CODE TEXT, with the program on stdin
	cat >p.asm
	expect "$1" cpu p.asm
	has "$err" "$2"
}
stops 133 'division by zero.* at 0x0*3 .*p.asm:2' <<<$'LII r0, 1\nDIV r0, r1\nHLT'
stops 133 'does not fit' <<<$'LII r0, -9223372036854775808\nLII r1, -1\nDIV r0, r1\nHLT'
stops 139 'M\[0x0*10000\]' <<<$'POP r0\nPOP r0\nHLT' # the first finds the word that is never used
stops 139 'outside memory' <<<$'STI 70000, r0\nHLT'
stops 137 'fuel' <<<$'l: PSH r0\nJMP l' # the stack comes down over the program and leaves CLF everywhere
stops 139 'at 0x0*FFFFF' <<<$'JMP 1048575'
stops 133 'there is no such register' <<<$'.word 5\n.word 8\n.word 0\nHLT' # MOV f0, r0
stops 137 'fuel' <<<$'l: JMP l'
expect 126 cpu - <<<$'MOV r0, f1'
has "$err" '1:[0-9]*: error'
printf '12345' >cut.bin
expect 126 cpu cut.bin
has "$err" 'whole number of cells'
