# SPDX-License-Identifier: MIT
#
# The stack machine of the lessons: its output to the byte, its assembler's words, what its memory allows.
set -eu
source "$TOP/tests/cli/common.bash"

vm() {
	timeout 20 "$HUSK" run --fuel 3M "$@"
}
prints() { # EXPECTED ARG...
	local wanted=$1
	shift
	expect 0 vm "$@"
	printf '%b' "$wanted" | cmp - stdout.txt || fail "$*"
}
words() { # WORD...: out.bin
	local word
	for word in "$@"; do
		printf "\\x$(printf %02x $((word & 255)))\\x$(printf %02x $((word >> 8 & 255)))"
		printf "\\x$(printf %02x $((word >> 16 & 255)))\\x$(printf %02x $((word >> 24 & 255)))"
	done >out.bin
}

halt=0x40000000 add=0x40000001 sub=0x40000002 mul=0x40000003 div=0x40000004

# ---- The facts' examples
echo '3 4 + 2 *' >a.sasm
prints 'tos: 3\ntos: 4\nadd 3 4\ntos: 7\ntos: 2\nmul 7 2\ntos: 14\nhalt\ntos: 14\n' a.sasm
expect 0 "$HUSK" asm -q -f bin -o out.bin a.sasm
words2=$(od -An -v -tx1 out.bin | tr -d '\n')
[ "$words2" = ' 03 00 00 00 04 00 00 00 01 00 00 40 02 00 00 00 03 00 00 40 00 00 00 40' ] || fail "words: $words2"
prints 'tos: 3\ntos: 4\nadd 3 4\ntos: 7\ntos: 2\nmul 7 2\ntos: 14\nhalt\ntos: 14\n' out.bin
printf '2\n3 // a comment + * 7\n\t-' >b.sasm
prints 'tos: 2\ntos: 3\nsub 2 3\ntos: -1\nhalt\ntos: -1\n' b.sasm
echo '5 abc 6 +' >c.sasm
expect 126 vm c.sasm
has "$err" "c.sasm:1:3: error: there is no instruction 'abc'"
prints 'tos: 5\ntos: 6\nadd 5 6\ntos: 11\nhalt\ntos: 11\n' --liberal -d compat --set mode=compat c.sasm
has "$err" "c.sasm:1:3: warning: invalid instruction 'abc'"
echo '1073741825 5 6 0' >d.sasm
expect 126 vm d.sasm
has "$err" 'd.sasm:1:1: error: 1073741825 does not fit'
has "$err" 'hint: .*--dialect compat --set mode=compat' # what to do
prints 'add 0 0\ntos: 0\ntos: 5\ntos: 6\ntos: 0\nhalt\ntos: 0\n' -d compat --set mode=compat d.sasm
expect 0 vm "$TOP/examples/stackvm/mean.sasm"
[ "$(tail -n 1 <<<"$out")" = 'tos: 20' ] || fail "$out"

# ---- What a primitive is: types 1, 2 and 3, and numbers without a meaning
words 5 0x80000007 $halt
prints 'tos: 5\ntos: -7\nhalt\ntos: -7\n' out.bin # strict: type 2 is a negative number
prints 'tos: 5\ntos: 5\nhalt\ntos: 5\n' --set mode=compat out.bin
words 5 6 0x80000001 $halt
prints 'tos: 5\ntos: 6\nadd 5 6\ntos: 11\nhalt\ntos: 11\n' --set mode=compat out.bin
words 5 6 0xC0000003 $halt
prints 'tos: 5\ntos: 6\nmul 5 6\ntos: 30\nhalt\ntos: 30\n' --set mode=compat out.bin
expect 132 vm out.bin
has "$err" 'illegal instruction at 0x00000066'
words 5 0x40000005 0x7FFFFFFF $halt
prints 'tos: 5\ntos: 5\ntos: 5\nhalt\ntos: 5\n' out.bin
words 5 0xC0000000
prints 'tos: 5\nhalt\ntos: 5\n' --set mode=compat --isa stackvm out.bin

# ---- Arithmetic
words 7 2 $div $halt;                   prints 'tos: 7\ntos: 2\ndiv 7 2\ntos: 3\nhalt\ntos: 3\n' out.bin
words 0 7 $sub 2 $div $halt
prints 'tos: 0\ntos: 7\nsub 0 7\ntos: -7\ntos: 2\ndiv -7 2\ntos: -3\nhalt\ntos: -3\n' out.bin
words 0x3FFFFFFF 4 $mul 4 $add $halt # wraps at 32 bits
expect 0 vm out.bin
[ "$(tail -n 1 <<<"$out")" = 'tos: 0' ] || fail "wrap: $out"
words 5 0 $div $halt
expect 133 vm out.bin
[ "$(tail -n 1 <<<"$out")" = 'div 5 0' ] || fail "division: $out"
has "$err" 'division by zero.* at 0x00000066'
expect 133 vm --set mode=compat out.bin # there, too
has "$err" 'division by zero.* at 0x00000066'
words 0 0x20000000 4 $mul $add 0 1 $sub $div $halt # -2^31 by -1
expect 133 vm out.bin
has "$err" 'does not fit'

# ---- The stack
words $halt;          prints 'halt\ntos: 0\n' out.bin
: >e.sasm;            expect 126 vm e.sasm
echo '// empty' >e.sasm; prints 'halt\ntos: 0\n' e.sasm
words 5 $add $halt;   expect 133 vm out.bin; has "$err" 'the stack is empty.* at 0x00000065'
words $add 8 $halt;   prints 'add 0 0\ntos: 0\ntos: 8\nhalt\ntos: 8\n' --set mode=compat out.bin
words $add $add $sub 1 2 3 $halt
prints 'add 0 0\ntos: 0\nadd 0 0\ntos: 0\nsub 0 0\ntos: 0\ntos: 0\ntos: 0\ntos: 3\nhalt\ntos: 3\n' --set mode=compat out.bin
# 99 numbers fill the cells below the program; the hundredth lands on its first word, the 101st on the second
words $(seq 1 99) $halt
expect 0 vm out.bin
[ "$(tail -n 1 <<<"$out")" = 'tos: 99' ] || fail "99: $out"
words $(for i in $(seq 1 205); do echo 7; done) $add $halt
expect 0 vm out.bin
words 7 7 7 7 # without a halt it goes on through zeros, pushing them, to the end of memory
expect 139 vm --set output=off --isa stackvm --pc 999990 out.bin
has "$err" 'outside memory.* at 0x000F4240'
[ -z "$out" ] || fail 'output=off prints'
expect 137 vm --isa stackvm --fuel 1000 out.bin
[ "$(wc -l <stdout.txt)" = 1000 ] && [ "$(tail -n 1 <<<"$out")" = 'tos: 0' ] || fail 'zeros are numbers to push'

# ---- Files
words 5 $halt; printf xyz >>out.bin
prints 'tos: 5\nhalt\ntos: 5\n' --isa stackvm out.bin # a partial word at the end is ignored
head -c 4000000 /dev/zero >big.bin
expect 126 vm --isa stackvm big.bin
has "$err" 'do not fit into memory'
expect 0 "$HUSK" asm -q --set end=none -o out.bin a.sasm # lesson 5
[ "$(wc -c <out.bin)" = 20 ] || fail 'lesson 5 adds no halt'
echo '( 3 4 ) [ 5 "a b" ] 6' >j.sasm
expect 126 vm j.sasm
has "$err" 'j.sasm:1:1'
echo '3 4 ; 5' >j.sasm # separates nothing here
expect 126 vm j.sasm
has "$err" "j.sasm:1:5: error: .*';'"
echo '3 x' >j.sasm
expect 126 vm j.sasm
has "$err" 'hint: there are numbers \+ - \* /$'
printf 'step 2\nback\ncontinue\n' >steps
echo '3 4 +' >j.sasm
expect 0 timeout 20 "$HUSK" debug j.sasm <steps
has "$out" '^   stack=\[ 3 4 \]$'
has "$out" '^   stack=\[ 3 \]$'
