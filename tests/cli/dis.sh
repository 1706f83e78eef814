#!/bin/bash
# SPDX-License-Identifier: MIT
# husk dis: what it shows assembles to the same object again; code and data are told apart.
set -eu
source "$TOP/tests/cli/common.bash"

hello >hello.asm
expect 0 $HUSK asm -q hello.asm
expect 0 $HUSK dis hello.obj
has "$out" '^x3000  E002 +LEA R0, L3003'
has "$out" '^x3002  F025 +HALT'
has "$out" '^x3003  0068 +L3003 +\.FILL x0068 +; h'
[ "$(grep -c '' stdout.txt)" = 10 ] || fail "not ten lines: is the operating system in it?"
expect 0 $HUSK dis hello.asm; has "$out" '^x3003  0068 +TEXT '

expect 0 $HUSK dis --start x3000 --count 2 hello.obj; [ "$(grep -c '' stdout.txt)" = 2 ] || fail "--count"
expect 0 $HUSK dis --start 0x0200 --count 5 hello.obj; has "$out" '^x0200'
expect 125 $HUSK dis --start nowhere hello.obj; one_error
expect 125 $HUSK dis --start 0x10000 hello.obj; one_error
expect 0 $HUSK dis --start xFFFE --count 50 hello.obj; [ "$(grep -c '' stdout.txt)" -le 2 ] || fail "past the end"
expect 0 $HUSK dis -o d.txt hello.obj; [ -s d.txt ] && [ -z "$out" ] || fail "-o"

# Round trip, in both formats and dialects, of every example and benchmark program.
n=0
for source in "$TOP"/examples/lc3/*.asm "$TOP"/bench/lc3/*.asm "$TOP"/tests/cli/*.asm; do
	[ -f "$source" ] || continue
	for dialect in lc3tools classic; do
		$HUSK asm -q -f classic --no-symbols -o one.obj --isa lc3 "$source" || fail "$source"
		for how in "" --linear; do
			expect 0 $HUSK dis $how --source --isa lc3 --dialect $dialect one.obj
			cp stdout.txt two.asm
			expect 0 $HUSK asm -q -f classic --no-symbols -o two.obj --dialect $dialect two.asm
			cmp one.obj two.obj || fail "$source does not come back ($dialect $how)"
			n=$((n + 1))
		done
	done
done
[ $n -ge 16 ] || fail "only $n round trips"

# Any bytes at all come back, as code or as data.
{ printf '\060\000'; head -c 3000 $HUSK | tail -c 2000; } >noise.obj
expect 0 $HUSK dis --source --linear --isa lc3 noise.obj; cp stdout.txt noise.asm
expect 0 $HUSK asm -q -f classic --no-symbols -o again.obj noise.asm; cmp noise.obj again.obj || fail "noise"

# Several segments.
printf '.ORIG x3000\nHALT\n.END\n.ORIG x4000\n.FILL x1234\n.FILL 0\n.END\n' >two.asm
$HUSK asm -q two.asm
expect 0 $HUSK dis two.obj; has "$out" '^x3000  F025'; has "$out" '^x4001  0000'
[ "$(grep -c '^x' stdout.txt)" = 3 ] || fail "three cells"
expect 0 $HUSK dis --source two.obj; [ "$(grep -c ORIG stdout.txt)" = 2 ] || fail "two segments"

# A snapshot is all of memory.
run $HUSK run --fuel 5 -q --snapshot-on-exit s.snap hello.asm
expect 125 $HUSK dis s.snap; one_error
expect 0 $HUSK dis --start x3000 --count 3 s.snap; has "$out" 'HALT'
cp hello.asm same.asm; expect 125 $HUSK dis -o same.asm same.asm; one_error; cmp hello.asm same.asm

# Each of several files has an entry of its own.
printf '.ORIG x4000\n LEA R0, S\n PUTS\n RET\nS .FILL 0\n.END\n' >sub.asm; expect 0 $HUSK asm -q sub.asm; expect 0 $HUSK asm -q hello.asm
for files in 'hello.obj sub.obj' 'sub.obj hello.obj' 'hello.asm sub.obj' 'sub.asm hello.obj'; do
	expect 0 $HUSK dis $files; has "$out" '^x3001 .* PUTS$'; has "$out" '^x4002 .* RET$'
done
# Instructions stand in one column, however many cells they have.
printf '\xa2\x00\x8d\x01\xf0\x4c\x00\x00' >few.bin
expect 0 $HUSK dis --isa "$TOP/examples/isa/6502.isa" few.bin
[ "$(grep -oE '^.*(LDX|STA|JMP)' <<<"$out" | awk '{ print length }' | sort -u | wc -l)" = 1 ] || fail "columns"
printf x >odd.obj; expect 126 $HUSK dis odd.obj hello.obj; [ "$(grep -c 'error' <<<"$err")" = 1 ] || fail "complains twice"
