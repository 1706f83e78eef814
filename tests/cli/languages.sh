#!/bin/bash
# SPDX-License-Identifier: MIT
# Files that are known by an extension of the machine's own: assembly texts, and languages that are compiled, to assembly
# text (Palladium) or to object files (TinyVM). For run, asm, dis, debug; mistakes come with their place.
set -eu
source "$TOP/tests/cli/common.bash"

printf '.data\nhello: .asciiz '"'Hello'"'\n.code\nprts @hello\nhlt\n' >hello.iasm
expect 0 $HUSK run hello.iasm; [ "$out" = Hello ] || fail "an assembly text by its extension"
cp hello.iasm HELLO.IASM; expect 0 $HUSK run HELLO.IASM; [ "$out" = Hello ] || fail "capital letters"
expect 126 $HUSK run --isa lc3 hello.iasm

echo '(2+3)*4' >sum.pd
expect 0 $HUSK run sum.pd
expect 0 $HUSK asm -q -S sum.iasm -o sum.epie sum.pd; has "$(cat sum.iasm)" '^MUL'
expect 0 $HUSK run sum.epie
expect 0 $HUSK run sum.iasm
expect 0 $HUSK dis sum.pd; has "$out" 'MUL'
expect 0 $HUSK debug -c 'step' sum.pd; has "$out" 'sum\.pd\.iasm:4' # lines of what was compiled
expect 0 $HUSK asm -q --listing - -o /dev/null sum.pd; has "$out" 'MUL'
echo '(2+' >bad.pd; expect 126 $HUSK run bad.pd; has "$err" '^bad\.pd:1:4: error'
expect 126 $HUSK asm bad.pd; has "$err" '^bad\.pd:1:4: error'; [ ! -e bad.epie ] || fail "an object file in spite of errors"
expect 126 $HUSK run --isa lc3 sum.pd; has "$err" 'a language of Iridium, not of LC-3'
expect 125 $HUSK asm -S - hello.iasm; one_error
expect 125 $HUSK asm -S sum.pd -o x.epie sum.pd; one_error # it would be overwritten
printf 'a\001b' >binary.pd; expect 126 $HUSK run binary.pd; one_error; has "$err" 'is not a text'

printf 'function main\nprint x\nreturn\n' >main.tvm
expect 0 $HUSK asm -q -o main.tvmc main.tvm; [ -s main.tvmc ] || fail "no object file"
expect 125 $HUSK asm -f raw main.tvm; one_error
expect 125 $HUSK asm -S - main.tvm; one_error
run timeout 20 $HUSK run --set time=off main.tvm; source_code=$code
run timeout 20 $HUSK run --set time=off main.tvmc; [ "$code" = "$source_code" ] || fail "source and object end differently"
expect 0 $HUSK dis main.tvm

expect 0 $HUSK isa list; has "$out" '^iridium .* \.iasm \.pd'; has "$out" '^tinyvm .* \.tvm'
