#!/bin/bash
# SPDX-License-Identifier: MIT
# husk asm: objects, symbols, listings, formats, messages.
set -eu
source "$TOP/tests/cli/common.bash"

hello >hello.asm
expect 0 $HUSK asm hello.asm
has "$err" '^husk: hello.asm: 3 instructions, 1 symbol, 10 cells at x3000\.\.x3009 -> hello\.obj, hello\.sym$'
[ -z "$out" ] || fail "noise on stdout"
[ "$(head -c 7 hello.obj | od -An -tx1 | tr -d ' \n')" = 1c3015c0010101 ] || fail "signature of the object"
grep -q 'TEXT *3003' hello.sym || fail "symbol file: $(cat hello.sym)"
expect 0 $HUSK asm -q hello.asm; [ -z "$err" ] || fail "-q is not quiet"

# The classic format is origin and words, and nothing else.
expect 0 $HUSK asm -q -f classic -o classic.obj --no-symbols hello.asm
[ "$(od -An -tx1 classic.obj | tr -d ' \n')" = 3000e002f022f02500680065006c006c006f000a0000 ] || fail "classic object"
[ ! -e classic.sym ] || fail "--no-symbols wrote some"
expect 0 $HUSK asm -q -f raw -o raw.bin --no-symbols hello.asm
[ "$(od -An -tx1 raw.bin | tr -d ' \n')" = e002f022f02500680065006c006c006f000a0000 ] || fail "raw cells"
expect 0 $HUSK asm -q -f classic -o - hello.asm; cmp stdout.txt classic.obj || fail "-o -"
expect 0 $HUSK asm -q -f classic -o - --isa lc3 - <hello.asm; cmp stdout.txt classic.obj || fail "text on stdin"

# Listing.
expect 0 $HUSK asm -q -o /dev/null --no-symbols --listing - hello.asm
has "$out" '3000 +E002 .*LEA +R0, TEXT'; has "$out" 'TEXT'
expect 0 $HUSK asm -q --listing l.txt --symbols s.txt -o x.obj hello.asm; cmp stdout.txt /dev/null; [ -s l.txt ] && [ -s s.txt ]

# Several programs, each by itself; a wrong one does not keep the others away.
cp hello.asm two.asm; printf '.ORIG x3000\n ADD R0, R0, #40\n.END\n' >bad.asm
expect 0 $HUSK asm -q hello.asm two.asm; cmp hello.obj two.obj
rm two.obj; expect 126 $HUSK asm -q bad.asm two.asm; [ -e two.obj ] || fail "the good one was not assembled"
has "$err" '^bad\.asm:2:[0-9]+: error: '; [ ! -e bad.obj ] || fail "an object in spite of errors"
expect 125 $HUSK asm -o x.obj hello.asm two.asm; one_error

# Dialects and leniency.
printf '.ORIG x3000\n ADD R0, R0, #31\n.END\n' >loose.asm
expect 126 $HUSK asm -q loose.asm
expect 0 $HUSK asm -q --dialect classic loose.asm
printf '.ORIG x3000\nA .FILL 1\nA .FILL 2\n.END\n' >twice.asm
expect 126 $HUSK asm -q twice.asm
expect 0 $HUSK asm --liberal twice.asm; has "$err" 'warning'

# No colour in a pipe, colour in a terminal, none with NO_COLOR.
run $HUSK asm bad.asm; ! grep -q $'\033' stderr.txt || fail "colour in a pipe"
if command -v script >/dev/null; then
	TERM=xterm script -qec "$HUSK asm bad.asm" /dev/null </dev/null >tty.txt || true
	grep -q $'\033' tty.txt || fail "no colour in a terminal"
	NO_COLOR=1 TERM=xterm script -qec "$HUSK asm bad.asm" /dev/null </dev/null >tty.txt || true
	! grep -q $'\033' tty.txt || fail "colour in spite of NO_COLOR"
	TERM=dumb script -qec "$HUSK asm bad.asm" /dev/null </dev/null >tty.txt || true
	! grep -q $'\033' tty.txt || fail "colour on a dumb terminal"
fi

# Wrong calls.
expect 125 $HUSK asm -f nonsense hello.asm; one_error
expect 125 $HUSK asm -o hello.asm/x hello.asm; one_error
cp hello.asm hello.obj
expect 125 $HUSK asm --isa lc3 hello.obj; one_error # it would overwrite its own source
cmp hello.asm hello.obj || fail "the source was overwritten"

# A machine of a text alone is assembled into raw cells.
cat >toy.isa <<'ISA'
isa Toy
space M : 8 x 256
code M
reg pc : 8
reg a : 8
field n : unsigned
insn LOAD "0001 0000 n:8" n { a = n }
insn STOP "0010 0000" { stop 0 }
ISA
printf 'LOAD 5\nSTOP\n' >toy.asm
expect 0 $HUSK asm -q --isa toy.isa toy.asm; [ "$(od -An -tx1 toy.bin | tr -d ' \n')" = 100520 ] || fail "toy"
expect 0 $HUSK run --isa toy.isa toy.bin

# An output is never written over a text that was read, whatever the option or the name.
printf '.ORIG x3000\n HALT\n.END\n' >mine.asm; cp mine.asm copy; mkdir sub; ln mine.asm sub/link
for option in -o --listing --symbols; do
	expect 125 $HUSK asm -q $option mine.asm mine.asm; one_error; has "$err" 'mine\.asm would be overwritten'
	expect 125 $HUSK asm -q $option sub/link mine.asm; one_error
	cmp mine.asm copy || fail "$option wrote over the source"
done
expect 125 $HUSK asm -q -f nonsense mine.asm; one_error; has "$err" 'hint: it has: .*raw$'

# A byte order mark before the text is no label.
printf '\xef\xbb\xbf.ORIG x3000\n HALT\n.END\n' >bom.asm
for dialect in lc3tools classic; do
	expect 0 $HUSK asm -q -o /dev/null --no-symbols --dialect $dialect bom.asm; [ -z "$err" ] || fail "mark: $dialect"
done

# Comments and operands of other assemblers.
for line in '// comment' '# comment'; do
	for dialect in lc3tools classic; do
		printf '.ORIG x3000\n%s\n HALT\n.END\n' "$line" >other.asm
		expect 126 $HUSK asm -q --dialect $dialect other.asm; has "$err" 'hint: a comment begins with ;'
	done
done
printf '.ORIG x3000\n LD R0, =5\n LD R0, [R1]\n HALT\n.END\n' >other.asm
expect 126 $HUSK asm -q other.asm; has "$err" "there is no label '=5'"
grep -q 'did you mean' <<<"$err" && fail "a register for a label"
printf '.ORIG x3000\n .BLKW -1\n HALT\n.END\n' >other.asm
expect 126 $HUSK asm -q other.asm; has "$err" 'wants a number above 0, not -1'
expect 126 $HUSK asm -q --dialect classic other.asm; has "$err" 'wants 0 or more, not -1'
# Without its dots a text is still seen to be the machine's.
printf 'ORIG x3000\nADD R0,R0,#1\nLD R1,X\nPUTS\nHALT\nX FILL 3\nEND\n' >dots.asm
expect 126 $HUSK asm -q dots.asm; has "$err" "hint: did you mean '\.ORIG'"

# A long program takes no longer than its length.
awk 'BEGIN { print " .ORIG x3000"; for (i = 0; i < 30000; i++) print "L" i " ADD R1, R2, #3 ; again"; print " .END" }' >long.asm
expect 0 timeout 10 $HUSK asm -q long.asm
