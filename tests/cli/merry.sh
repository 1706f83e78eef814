#!/bin/bash
# SPDX-License-Identifier: MIT
# Merry: masm, program files, input and output, errors, limits.
set -eu
source "$TOP/tests/cli/common.bash"

run_text() { # run_text CODE TEXT [INPUT]: a program without a file of its own
	printf '%s\n' "$2" >p.gpc.masm
	printf '%s' "${3-}" >in.txt
	expect "$1" timeout 20 $HUSK run --input in.txt p.gpc.masm
}
prints() { # prints OUTPUT TEXT [INPUT]
	run_text 0 "$2" "${3-}"
	[ "$out" = "$1" ] || fail "printed '$out', not '$1'"
}
fails() { # fails PATTERN TEXT: stops with the place and the reason
	run_text 133 "$2"
	has "$err" "$1"
}
faults() { # as fails: an access outside memory
	run_text 139 "$2"
	has "$err" "$1"
}
sp='mov r12 32 cout r12'

# A loop; data and an error; strings and characters; comparisons.
prints 55 'main: mov r1, 10 mov r2, 0 again: add r2, r1 dec r1 loop r1, again outq r2 hlt'
fails 'CORE=0: Attempt to divide by zero\..*main\+56, p\.gpc\.masm:1' \
	'a: dq 7 b: db 3 main: loadq r1,a add r1,b outq r1 mov r2,0 mov r3,100 div r3,r2 outq r3 hlt'
[ "$out" = 10 ] || fail "output before the error"
prints $'hi there\n9A\n-1\n18446744073709551615\n-1' 'msg: ds "hi there\n\0" main: mov r0,9 sout msg outq r0 mov r4,65
	cout r4 mov r4,10 cout r4 mov r1,0xffffffffffffffff outq r1 cout r4 uoutq r1 cout r4 movsxb r2,0xff outq r2 hlt'
prints 50 'main: mov r1 5 cmp r1 7 jg bad cmp r1 3 jg good bad: mov r0 1 outq r0 hlt
	good: push r1 popq r2 outq r2 outq sp hlt'
printf 'main: mov r1 5 cmp r1 7 jg bad mov r2 1 outq r2 hlt bad: mov r2 2 outq r2 hlt\n' >built.gpc.masm
expect 0 $HUSK run --set as=built built.gpc.masm; [ "$out" = 2 ] || fail "CMP as built"

# Encodings.
cat >words.gpc.masm <<'ASM'
pad: resq 5
v: db 7   s: ds "hello"
main: add r1,5  add r1,r2  add r1,v  mov r4,16  movq r4,r5  movsxb r4,0xff  movz r4,7  jmp main  call main  jmp r7
 pushb 5  push r1  pushb v  loadsb r1,5  shl r1,3  shr r1,r2  sout s  sout r3  loadb r1,v  loadb r1,r2
 lea r1,r2,r3,r4  whdlr main  hlt
ASM
expect 0 $HUSK asm -q words.gpc.masm -o words.mbin
od -An -v -tx8 -w8 -j56 -N232 words.mbin | tr -d ' ' >words.txt
cat >wanted.txt <<'TXT'
5f00000000000000
0200000000000004
0000000000000005
0300000000000405
1e04000000000028
3c00000000000007
0000000000000010
3d00000000000708
41070000000000ff
4f00000000000007
0000000000000007
5f00000000000000
7000000000000008
840000000000000a
8600000000000000
0000000000000005
8a00000000000004
9100000000000028
9904000000000005
a804000000000003
ab00000000000405
b700000000000029
cf00000000000006
d004000000000028
d800000000000405
f000000004050607
f500000000000000
0000000000000008
0100000000000000
TXT
cmp words.txt wanted.txt || fail "encodings"
[ "$(od -An -tu8 -w32 -j8 -N32 words.mbin | tr -s ' ')" = ' 16 40 6 0' ] || fail "sizes: table, data, strings, for debuggers"
# Revision B: the same text with moved opcodes, and what the file says about it.
cat >b.gpc.masm <<'ASM'
main: mov r1 5 movf r2 1.5 movf32 r3 -0.5 fcmp r2 r2 jfz yes hlt yes: outf r2 reset whdlr main cffl: nop jfn main outq r1 hlt
ASM
expect 0 $HUSK run --set revision=b b.gpc.masm; [ "$out" = 1.5000000 ] || fail "revision B: $out"
expect 0 $HUSK asm -q --set revision=b b.gpc.masm -o b.mbin
[ "$(od -An -tx8 -j56 -N8 b.mbin | tr -d ' ')" = 6100000000000000 ] || fail "entry of revision B"
expect 126 $HUSK run b.mbin; has "$err" 'revision B'; has "$err" 'set revision=b'
expect 0 $HUSK run --set revision=b b.mbin
expect 126 $HUSK run --set revision=b words.mbin; has "$err" 'revision A'

# Data: order by width, names, definitions (the last one counts), includes once, numbers, floats.
printf 'nine: dw 9\n' >inc.gpc.masm
prints '0 8 16 20 24 32 33 36' "s: db 1 t: ds \"ab\\0\" w: dw 2 d: dd 3 q: dq 4 p: dp q f: df 1.5 r: resb 2
	main: mov r1 q outq r1 $sp mov r1 p outq r1 $sp mov r1 d outq r1 $sp mov r1 f outq r1 $sp mov r1 w outq r1 $sp
	mov r1 s outq r1 $sp mov r1 t outq r1 $sp mov r1 r outq r1 hlt"
prints '4 4 9 20 -3' "define N 3 include \"inc.gpc.masm\" include \"inc.gpc.masm\"
	main: mov r1 N outq r1 $sp define N 4 mov r1 N outq r1 $sp loadw r1 nine outq r1 $sp
	mov r1 0b101 add r1 0o17 outq r1 $sp mov r1 -0x3 outq r1 hlt"
prints '2.500000 1.500000 -0.250000 0.500000' "define HALF 0.5 x: dlf 2.5 y: df 1.5
	main: loadq r1 x outf r1 $sp loadd r1 y outf32 r1 $sp movf r1 -0.25 outf r1 $sp movf32 r1 HALF outf32 r1 hlt"
prints $'a\nb' 'm: ds "a
b" main: mov r0 3 sout m hlt'
printf 'start: hlt\n' >p.gpc.masm; expect 126 $HUSK run p.gpc.masm; has "$err" 'Entry PROC not found'

# 1. 2. Jumps encode their target less 8; an immediate that is jumped to is code (0x01.. is hlt).
prints 7 'main: mov r1 7 outq r1 jmp inside mov r2 1 outq r2 there: mov r3 0x0100000000000000 inside: jmpoff -16 outq r3 hlt'
# 4. LOOP does not count.  9. Shift counts are taken mod 64.  7. Loads zero-extend.
prints '3 2 1 1 255 -1' "b: db 0xff main: mov r1 1 mov r2 65 shl r1 r2 inc r1 outq r1 $sp mov r1 1 shl r1 1 outq r1 $sp
	mov r1 1 loop r1 on hlt on: outq r1 $sp mov r1 3 shr r1 1 outq r1 $sp
	loadb r1 b outq r1 $sp movsxb r1 r1 outq r1 hlt"
# 12. Data are little-endian, also where they are loaded askew.
prints '2 258 1027' "q: dq 0x0102 r: dq 0x0304 main: loadb r1 q outq r1 $sp loadw r1 q outq r1 $sp mov r2 7 mov r4 0x403
	storew r4 r2 loadw r1 r2 outq r1 hlt"
# 8. Signed and unsigned division.
prints '-3 -1 6148914691236517202 -9223372036854775808 0' "main: mov r1 -10 idiv r1 3 outq r1 $sp mov r1 -10 imod r1 3
	outq r1 $sp mov r1 -10 div r1 3 outq r1 $sp mov r1 0x8000000000000000 mov r2 -1 movq r3 r1 idiv r1 r2 outq r1 $sp
	imod r3 r2 outq r3 hlt"
# 5. The stack.
fails 'CORE=0: STACK Underflowed' 'main: popb r1 hlt'
fails 'CORE=0: STACK Overflowed' 'main: push r1 jmp main'
fails 'STACK access beyond 2 MiB' 'main: mov sp 0x200002 popb r1 hlt'
faults 'CORE=0: STACK access out of range: 0xFFFFFFFFFFFFFFFF' 'main: loadsb r1 -1 hlt'
prints 2097152 'main: mov sp 0x1ffff8 push r1 outq sp hlt'
prints '120 7 9' "main: mov r0 7 mov bp 9 pusha outq sp $sp mov r0 1 mov bp 1 popa outq r0 $sp outq bp hlt"
# 6. Calls.
fails 'CALL stack overflowed.*50' 'main: call main hlt'
fails 'INVALID RETURN: The CORE' 'main: ret'
prints 50 'main: mov r1 50 call f outq r2 hlt f: inc r2 dec r1 cmp r1 0 retz call f ret'
# 10. 11. Page faults.
faults 'Page fault: there is no data memory at 0x100000\.' 'b: db 1 main: mov r1 0xfffff loadb r2 r1 inc r1 loadb r2 r1 hlt'
faults 'Page fault: there is no data memory at 0x0\.' 'main: loadb r1 r2 hlt'
faults 'Page fault: there are no instructions at 0x10\.' 'main: nop'
faults 'Page fault: there are no instructions at 0x8000000000000008' 'main: mov r1 0x8000000000000000 jmp r1'
# 18. Strings without data, and an unknown opcode.
printf 'beb\0\0\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' >head.bin
printf '\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0' >>head.bin
{ cat head.bin; printf '\0\0\0\0\0\0\0\x5f\x03\0\0\0\0\0\0\x3c\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xfe'; printf 'hi'; } >strings.mbin
expect 132 $HUSK run strings.mbin; has "$err" 'CORE=0: Unknown instruction at 0x18'
{ cat head.bin; printf '\0\0\0\0\0\0\0\x5f\x03\0\0\0\0\0\0\x3c\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xb7'; printf 'hi'; } >strings.mbin
expect 139 $HUSK run strings.mbin; [ "$out" = hi ] || fail "a file of strings alone"
{ cat head.bin; printf '\0\0\0\0\0\0\0\x5f\x03\0\0\0\0\0\0\x3c\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xb7'
	head -c 24 /dev/zero; printf 'hi'; } >meta.mbin # with the three words that later files have
expect 139 $HUSK run meta.mbin; [ "$out" = hi ] || fail "a file with metadata"

# 13. 14. Input.
prints '-5|44|x|250|3.5' "main: mov r9 124 inq r1 outq r1 cout r9 in r1 out r1 cout r9 cin r2 cin r2 cout r2 cout r9
	uin r1 uoutq r1 cout r9 inf r1 mov r3 2 mov r0 3 movf r4 3.5 fcmp r1 r4 mov r1 51 cout r1 mov r1 46 cout r1 mov r1 53 cout r1 hlt" \
	$' \n -5 300\nx 250 3.5e0'
prints '7 -1 65535' "main: mov r1 7 inq r1 outq r1 $sp cin r2 cin r2 cin r2 cin r2 outq r2 $sp movd r3 r2 uoutw r3 hlt" 'abc'
prints $'ab\nc|d' 'b: resb 8 main: mov r0 4 sin b sout b mov r1 124 cout r1 cin r1 cout r1 hlt' $'ab\ncd'
prints 'ab' 'b: resb 8 main: mov r1 b mov r0 2 sin r1 sout r1 hlt' 'abc'
prints '9223372036854775807 -1' "main: inq r1 outq r1 $sp uinq r1 outq r1 hlt" '99999999999999999999 -1'
printf 'main: inq r1 inq r2 add r1 r2 outq r1 hlt\n' >sum.gpc.masm
expect 0 bash -c "(printf 1; sleep 0.1; printf '2 3'; sleep 0.1; printf '0\n') | $HUSK run sum.gpc.masm"; [ "$out" = 42 ] || fail "a number in pieces: $out"
printf 'b: resb 8 main: mov r0 4 sin b sout b hlt\n' >sin.gpc.masm
expect 0 bash -c "(printf ab; sleep 0.1; printf c; sleep 0.1; printf de) | $HUSK run sin.gpc.masm"; [ "$out" = abcd ] || fail "a string in pieces"
run_text 129 'main: cin r1 jmp main'; has "$err" 'input'
faults 'Page fault' 'b: db 1 main: mov r0 0x200000 sout b hlt'
fails 'a string longer than memory' 'b: db 1 main: mov r0 -1 mov r1 2 sout r1 hlt'
prints "$(printf '%s\n' 0 0 0 0 1 2 0 0 0 0 0 0 0 0 0 -1)" 'main: mov r1 1 mov r2 2 mov r12 -1 outr hlt'

# Files that are none.
for n in 0 1 3 4 8 39 40 56 63 64 100 200 280; do
	head -c $n words.mbin >cut.mbin
	run timeout 20 $HUSK run --isa merry cut.mbin; [ "$code" = 126 ] || fail "$n bytes of a file: exit code $code"
done
bad() { # bad PATTERN OFFSET BYTES
	cp words.mbin bad.mbin; printf "$3" | dd of=bad.mbin bs=1 seek=$2 conv=notrunc 2>/dev/null
	expect 126 timeout 20 $HUSK run bad.mbin; has "$err" "$1"
}
header="The HEADER information doesn't complement the obtained file information"
bad 'its type is 1' 3 '\001'
bad "$header" 4 '\001'
bad "$header" 8 '\000'
bad "$header" 8 '\021'
bad "$header" 8 '\377\377\377\377\377\377\377\377'
bad "$header" 16 '\377\377\377\377\377\377\377\377'
bad "$header" 24 '\377\377\377\377\377\377\377\177'
bad "$header" 32 '\001'
bad "$header" 41 '\001'
bad "$header" 48 '\001'
bad "$header" 48 '\000\000'
bad "$header" 48 '\377\377\377\377\377\377\377\377'
bad 'no instructions for general purpose cores' 40 '\001'
cp words.mbin long.mbin; printf '\001' >>long.mbin; expect 126 $HUSK run long.mbin; has "$err" "$header"
expect 126 $HUSK run b.mbin b.mbin; has "$err" 'one file'

# Fuel, a snapshot, the debugger, the disassembler.
printf 'main: jmp main\n' >spin.gpc.masm
expect 137 $HUSK run --fuel 1000 spin.gpc.masm
expect 0 $HUSK dis words.mbin; has "$out" 'add r1, byte'; has "$out" 'movz r4, 7'

# The examples.
expect 0 $HUSK run "$TOP/examples/merry/triangle.gpc.masm"; [ "$out" = 55 ] || fail triangle
expect 0 bash -c "echo Ada | $HUSK run $TOP/examples/merry/greet.gpc.masm"; [ "$out" = 'Your name? Hello, Ada!' ] || fail greet
for n in 1 7 1000; do
	expect 0 $HUSK run --quantum $n "$TOP/examples/merry/cores.gpc.masm"; [ "$out" = 500500 ] || fail "cores, quantum $n: $out"
done
expect 0 $HUSK run "$TOP/examples/merry/wild.gpc.masm"; [ "$out" = 'told to stop by core 0' ] || fail wild
expect 0 $HUSK run "$TOP/examples/merry/refused.gpc.masm"; [ "$out" = $'1 4\n0 1048576\n1 4' ] || fail refused
