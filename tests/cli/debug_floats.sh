#!/bin/bash
# SPDX-License-Identifier: MIT
# Registers that hold floats are shown in decimal beside their bits, by the debugger and by a session; singles in 64 bits too.
set -eu
source "$TOP/tests/cli/common.bash"

cat >floaty.isa <<'ISA'
isa Floaty "registers that hold floats"
space M : 8 x 256
code M
image M[0]
reg pc : 8
reg f[4] : 64 float names fa fb fc fd
reg s : 32 float
reg n : 8
field a b : f
insn HALT "0000 0000" { stop 0 }
insn HALF "0001 00 aa" a { a = 0x3FE0000000000000 }
insn ADD  "0010 aa bb" a, b { a = f64.add(a, b) }
insn ONE  "0011 00 aa" a { a = 0xFFFFFFFF'32 @ 0x3FC00000'32; s = 0x3DCCCCCD; n = 3 }
ISA
printf '%s\n' 'HALF fa' 'ADD fa, fa' 'ADD fa, fa' 'ONE fb' 'HALT' >f.asm

run $HUSK debug --isa floaty.isa -c 'step 3' -c step -c 'info registers' -c 'print fa' -c 'print f[1]' -c 'print fa + 1' \
	-c 'print/f fb' -c 'print/f s' -c 'print/x fa' -c 'x/f 1' f.asm
[ "$code" = 0 ] || fail "exit code $code"
has "$out" '^   fb 0x0000000000000000 \(0.0\) -> 0xFFFFFFFF3FC00000 \(1.5f\)   s 0x00000000 \(0.0\) -> 0x3DCCCCCD \(0.1\)   n 0x00 -> 0x03$'
has "$out" 'fa     0x4000000000000000 \(2.0\)$'
has "$out" '^fb     0xFFFFFFFF3FC00000 \(1.5f\)$'
has "$out" '^s      0x3DCCCCCD \(0.1\) '
has "$out" '^fa = 0x4000000000000000 \(2.0\)$'
has "$out" '^f\[1\] = 0xFFFFFFFF3FC00000 \(1.5f\)$'
has "$out" '^fa \+ 1 = 0x4000000000000001 \(4611686018427387905\)$'
has "$out" '^fb = 1.5f$'
has "$out" '^s = 0.1$'
has "$out" '^fa = 0x4000000000000000$'

run $HUSK debug --isa floaty.isa -c 'set fa = -2.5' -c 'print fa' -c 'set fb = 0.1f' -c 'print fb' -c 'set fc = 3' -c 'print fc' \
	-c 'set fd = 0x3FF0000000000000' -c 'print fd' -c 'set s = inf' -c 'print s' -c 'set n = 5' -c 'print n' f.asm
[ "$code" = 0 ] || fail "exit code $code"
has "$out" '^fa = 0xC004000000000000 \(-2.5\)$'
has "$out" '^fb = 0xFFFFFFFF3DCCCCCD \(0.1f\)$'
has "$out" '^fc = 0x4008000000000000 \(3.0\)$'
has "$out" '^fd = 0x3FF0000000000000 \(1.0\)$'
has "$out" '^s = 0x7F800000 \(inf\)$'
has "$out" '^n = 0x05 \(5\)$'

printf '%s\n' 'HALF fa' 'ONE fb' '? fa' '!registers' '!set fc = 1e3' >lines
run $HUSK repl floaty.isa <lines
has "$out" '^fa = 0.5 \(0x3FE0000000000000\)$'
has "$out" '^fb = 1.5f \(0xFFFFFFFF3FC00000\)  s = 0.1 \(0x3DCCCCCD\)  n = 3$'
has "$out" '^0.5 \(0x3FE0000000000000\)$'
has "$out" '^fc = 1e\+03 \(0x408F400000000000\)$'
has "$out" '^fd = 0.0 \(0x0000000000000000\)  s = 0.1'
