#!/bin/bash
# SPDX-License-Identifier: MIT
# What the assembler knows of a name (the width of a variable, a fraction) holds for the later lines of a session.
set -eu
source "$TOP/tests/cli/common.bash"

cat >t.isa <<'ISA'
isa T "variables and fractions"
space code : 64, size program
space D : 8, size 4096
code code
reg r[4] : 64 names r0-r3
reg pc : 16
field d : r
field i : signed
field x : float 64
field v8 : abs of 8 "byte"
field v16 : abs of 16 "word"
insn mov "1'8 0'48 d:8 x:64" d, x { d = x }
insn add "2'8 0'48 d:8 i:64" d, i { d = d + i }
insn add "3'8 d:8 v8:48" d, v8 { d = d + zx(D[zx(v8[11:0])]) }
insn add "4'8 d:8 v16:48" d, v16 { d = d + zx(D:16[zx(v16[11:0])]) }
insn say "5'8 0'48 d:8" d { host print_int(d); host putc(10) }
asm { separators " ,"  section bytes in D  section words in D align 2
  db v = data 8 in bytes
  dw v = data 16 little in words
  define n v = equ redefine }
ISA
printf '%s\n' 'b: db 7 9' 'w: dw 770' 'add r1 b' 'add r1 b+1' 'add r1 w' 'add r1 100' 'say r1' 'define HALF 0.5' 'mov r2 HALF' \
	'say r2' 'mov r2 -HALF' 'say r2' 'add r2 HALF' 'mov r2 HALF+1' 'mov r2 1e999' >lines
expect 0 $HUSK repl -m t.isa <lines
has "$out" '^886$'; has "$out" '^4602678819172646912$'; has "$out" '^-4620693217682128896$'
[ "$(grep -c 'HALF. is a decimal fraction; a whole number is wanted here' <<<"$out$err")" = 1 ] || fail "a fraction as a number"
has "$out$err" "is beyond the largest number"
has "$out$err" 'there is no arithmetic with decimal fractions'
