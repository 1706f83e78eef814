#!/bin/bash
# SPDX-License-Identifier: MIT
# What `scale` and `bias` of an address field, and `.:N` in a pattern, do from the assembler to the manual.
set -eu
source "$TOP/tests/cli/common.bash"

cat >biased.isa <<'ISA'
isa Biased "addresses that are bits * scale + bias"
space M : 8 x 0x1000
code M parcel 32 low-first
fill checked
reg pc : 12
field t : abs bias 8           # jumps go to bits + 8
field q : abs scale 4 bias 16
field p : abs scale 4
field r : rel next scale 4 bias 4
insn stop "1'8 .:24"          { stop 0 }
insn jmp  "2'8 .:12 t:12"  t  { jump t }
insn near "3'8 ^:20 q:4"   q  { jump q }
insn far  "4'8 .:8 ^:8 p:8" p { jump p }
insn hop  "5'8 .:16 r:8"   r  { jump r }
asm {
  comment ";"
  .org a = org
}
ISA
husk() { "$HUSK" "$@"; }
assemble() { husk asm -q -m biased.isa -f raw -o out.bin in.asm; }
words() { od -An -tx4 -v -w4 out.bin | tr -d ' ' | tr '\n' ' '; }

expect 0 husk isa check biased.isa
cat >in.asm <<'ASM'
	jmp b
b2:	near c
	jmp 8
b:	far d
	hop d
c:	stop
d:	stop
ASM
expect 0 assemble
# jmp 0xC; near 0x14 = 1*4 + 16; jmp 8; far 0x18 = 6*4; hop: 0x14 + 0*4 + 4
[ "$(words)" = "02000004 03fffff1 02000000 0400ff06 05000000 01000000 01000000 " ] || fail "$(words)"
expect 0 husk dis --linear -m biased.isa out.bin
for line in "jmp +L00C" "near +L014" "jmp +L008" "far +L018" "hop +L018" stop; do has "$out" "$line"; done
expect 0 husk run -m biased.isa out.bin
# Below the bias the bits wrap with the addresses: 4 is 0xFFC + 8.
echo 'jmp 4' >in.asm
expect 0 assemble
[ "$(words)" = "02000ffc " ] || fail "$(words)"

refuse() { # TEXT MESSAGE HINT
	printf '%s\n' "$1" >in.asm
	expect 126 assemble
	has "$err" "$2"
	has "$err" "hint: $3"
}
refuse 'near 18' "'18' is address 0x12; near reaches 0x10\.\.0x4C in steps of 4" 'the instruction holds \(address - 16\) / 4'
refuse 'near 80' "'80' is address 0x50; near reaches 0x10" 'the instruction holds'
refuse 'a: near a' "label 'a' is address 0x0; near reaches 0x10" 'the instruction holds'
refuse 'far 6' "'6' is address 0x6; far reaches 0x0" 'the instruction holds'

# A should-be bit that is not what it should be is no instruction.
printf '\0\0\1\1' >bad.bin
expect 132 husk run -m biased.isa bad.bin
sed -i 's/^fill checked/fill ignored/' biased.isa
expect 0 husk run -m biased.isa bad.bin

expect 0 husk isa doc biased.isa
has "$out" 'times 4, plus 16'
