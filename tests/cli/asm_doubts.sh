#!/bin/bash
# SPDX-License-Identifier: MIT
# What is right by the rules, and hardly what was meant, is said: an origin in the wrong base, a raw file that will not
# run. Explanations write numbers as the dialect does.
set -eu
source "$TOP/tests/cli/common.bash"

printf ' .ORIG 3000\n HALT\n .END\n' >d.asm
for dialect in lc3tools classic; do
	expect 0 $HUSK asm -q --dialect $dialect -o d.obj d.asm
	has "$err" '^d\.asm:1:8: warning: this is decimal 3000, which is xBB8$'
	has "$err" '= hint: did you mean x3000\?'
done
for origin in x3000 12288 '#3000' 4096 3001 xBB8; do # what nobody mistakes
	printf ' .ORIG %s\n HALT\n .END\n' "$origin" >d.asm
	expect 0 $HUSK asm -q -o d.obj d.asm
	[ -z "$err" ] || fail "a doubt about $origin"
done

hello >hello.asm
expect 0 $HUSK asm -q -f raw -o hello.bin hello.asm
has "$err" "raw cells say neither what they are nor where they go"; has "$err" 'hint: for a file that runs: -f '

printf ' .ORIG x3000\n LD R1, X\nX HALT\n .END\n' >e.asm
echo explain >commands
expect 0 $HUSK debug e.asm <commands
has "$out" '^x3000  LD R1'; has "$out" 'target x3001'; has "$out" 'R1 = ld\(x3001\)'
if grep -q '0x' <<<"$out"; then fail "a number of another language"; fi
