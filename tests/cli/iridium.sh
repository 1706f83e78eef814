#!/bin/bash
# SPDX-License-Identifier: MIT
# Iridium: programs byte for byte, every way a run can end, files that lie, and what its assembler refuses.
set -eu
source "$TOP/tests/cli/common.bash"

# prog TEXT: prog.iasm between its two headers.
prog() { printf '.data\n.code\n%s\n' "$1" >prog.iasm; }
# ends CODE EVENT ARG...: runs it to that end.
ends() {
	local code=$1 event=$2
	shift 2
	expect "$code" timeout 20 $HUSK run -q --format=json "$@"
	json_is stderr.txt events.0 Start
	json_is stderr.txt events.1 "$event"
}
reg() { json_is stderr.txt "registers.$1" "$2"; }
why() { has "$err" "\"reason\":\"[^\"]*$1"; }
# bytes FILE: the instructions, in hexadecimal.
bytes() { tail -c +69 "$1" | od -An -v -tx1 | tr -d ' \n'; }
# raw STRINGS HEX: raw.epie.
raw() {
	local hex="45504945$(printf '00%.0s' $(seq 60))$1$2"
	printf "$(sed 's/../\\x&/g' <<<"$hex")" >raw.epie
}
good="GracefulStop code 0" odd="GracefulStop code 1" crash="Crash code 1"

# ---- Four programs, and their bytes ----
e1='load $0 #7
load $1 #2
div $0 $1 $2
load $3 #255
load $4 #15
and $3 $4 $5
or $3 $4 $6
xor $3 $4 $7
not $4 $8
load $9 #3
shl $9 #16
load $10 #100000
hlt'
prog "$e1"
expect 0 $HUSK asm -q -f epie-built prog.iasm -o e1.epie
[ "$(bytes e1.epie)" = 000000070001000204000102000300ff0004000f23030405240304062503040726040800000900032109001000\
0a0086270a00a005000000 ] || fail "E1 is $(bytes e1.epie)"
ends 0 "$good" --set compat=built e1.epie
reg '$2' 3; reg remainder 1; reg '$5' 15; reg '$6' 255; reg '$7' 240; reg '$8' 4294967280; reg '$9' 196608; reg '$10' 8781984
ends 0 "$good" e1.epie; reg '$10' 8781984
ends 0 "$good" prog.iasm; reg '$9' 196608; reg '$10' 100000
ends 0 "$good" --set compat=built --dialect built prog.iasm; reg '$10' 8781984

prog 'load $0 #5 call @dbl load $2 #9 hlt
dbl: add $0 $0 $1
ret'
expect 0 $HUSK asm -q prog.iasm -o e2.epie
[ "$(bytes e2.epie)" = 000000052e0054000002000905000000010000012f000000 ] || fail "E2 is $(bytes e2.epie)"
for compat in designed built; do ends 0 "$good" --set compat=$compat e2.epie; reg '$1' 10; reg '$2' 9; reg top 0; done

prog 'load $0 #0
cloop #4
top: inc $0
loop @top
hlt'
expect 0 $HUSK asm -q prog.iasm -o e3.epie
[ "$(bytes e3.epie)" = 00000000280004001200000029004c0005000000 ] || fail "E3 is $(bytes e3.epie)"
for compat in designed built; do ends 0 "$good" --set compat=$compat e3.epie; reg '$0' 5; reg loops 0; done

sum='load $0 #10
load $1 #0
load $2 #1
load $4 #0
again: add $1 $0 $1
sub $0 $2 $0
neq $0 $4
djmpe @again'
prog "$sum
hlt"
expect 0 $HUSK asm -q prog.iasm -o e4.epie
[[ $(bytes e4.epie) = *1400540005000000 ]] || fail "E4 is $(bytes e4.epie)"
for compat in designed built; do ends 0 "$good" --set compat=$compat e4.epie; reg '$0' 0; reg '$1' 55; done
prog "$sum" # and no HLT
ends 1 "$odd" prog.iasm; reg '$1' 55; why 'reached without HLT'

# ---- Edge cases, by their number ----
prog 'load $0 #-1 load $1 #65535 load $2 #40000 load $3 #-50000 load $4 #2147483647 load $5 #-2147483648 hlt' # 1, 2
ends 0 "$good" prog.iasm
reg '$0' 65535; reg '$1' 65535; reg '$2' 40000; reg '$3' 4294917296; reg '$4' 2147483647; reg '$5' 2147483648
prog 'load $0 #-1 load $3 #-50000 hlt'; ends 0 "$good" --dialect built prog.iasm; reg '$0' 65535; reg '$3' 3932336
printf '.data\nn: .integer #-2\nm: .integer #258\n.code\nhlt' >prog.iasm # little-endian data
expect 0 $HUSK asm -q prog.iasm -o two.epie
[ "$(tail -c +65 two.epie | od -An -v -tx1 | tr -d ' \n')" = 08000000feffffff0201000005000000 ] || fail "data"
prog 'load $0 #64 load $1 #4660 setm $0 $1 hlt'; ends 139 "$crash" prog.iasm # 11: past the end
prog 'load $0 #60 load $1 #4660 lui $1 #22136 setm $0 $1 loadm $0 $2 load $0 #62 hlt'
ends 0 "$good" prog.iasm; reg '$2' 305419896
prog 'load $1 #4660 lui $1 #22136 setm $0 $1 load $0 #1 loadm $0 $2 hlt' # the heap has its low byte first
ends 0 "$good" prog.iasm; reg '$2' $((0x123456))
prog 'load $0 #61 loadm $0 $2 hlt'; ends 139 "$crash" prog.iasm; why 'heap\[0x'; why 'prog.iasm:3'
prog 'load $0 #1 load $1 #2 sub $0 $1 $0 loadm $0 $2'; ends 139 "$crash" prog.iasm # negative
prog 'load $0 #4 aloc $0 load $0 #64 load $1 #7 setm $0 $1 loadm $0 $2 hlt'; ends 0 "$good" prog.iasm; reg '$2' 7
for x in '' 'x: .asciiz @y@ '; do # 3: what each label is worth; one more directive shifts it by 4 as built
	printf ".data\n${x//@/\'}\n.code\ndjmpe @here\nhere: hlt\n" >prog.iasm
	expect 0 $HUSK asm -q --dialect built prog.iasm -o b.epie
	[ "$(bytes b.epie | cut -c1-8)" = "1400$([ -z "$x" ] && echo 48 || echo 4c)00" ] || fail "as built: $(bytes b.epie)"
	expect 0 $HUSK asm -q prog.iasm -o d.epie
	has "$(bytes d.epie)" "1400$([ -z "$x" ] && echo 48 || echo 4a)0005000000\$"
done
prog 'cloop #2
outer: call @f
loop @outer
hlt
f: cloop #0
inner: inc $0
loop @inner
ret'
ends 0 "$good" prog.iasm; reg '$0' 1 # 5: CALL saves no loop counter
prog 'loadf64 $0 #1 loadf64 $1 #0 divf64 $0 $1 $2 subf64 $2 $2 $3 eqf64 $0 $1 neqf64 $3 $3 hlt' # 6: a NaN
ends 0 "$good" prog.iasm; reg equal 0; reg f3 0x7FF8000000000000; reg f2 0x7FF0000000000000
prog 'loadf64 $0 #3 loadf64 $1 #3 eqf64 $0 $1 hlt'; ends 0 "$good" prog.iasm; reg equal 1
prog 'load $0 #7 load $1 #0 load $2 #2 sub $1 $0 $0 div $0 $2 $3 hlt' # 7
ends 0 "$good" prog.iasm; reg '$3' 4294967293; reg remainder 0xFFFFFFFFFFFFFFFF
for op in 30 63 64 65 c8 fe ff; do raw 00000000 ${op}; ends 1 "$odd" raw.epie; why "$((16#$op)) is no opcode"; done # 8
prog 'call @f
f: hlt'; ends 0 "$good" prog.iasm; reg top 2 # 9
prog 'load $0 #0 load $1 #1 sub $0 $1 $0 aloc $0'; ends 133 "$crash" prog.iasm; why 'ALOC of a negative' # 10
prog 'load $0 #32767 lui $0 #65535 aloc $0'; ends 133 "$crash" prog.iasm; why 'ALOC: the heap cannot grow to 2147483711'
prog 'load $0 #1000 lui $0 #0
top: aloc $0 djmpe @top eq $0 $0 djmpe @top'; ends 133 "$crash" --memory 100M prog.iasm; why 'the heap cannot grow'
raw 02000000 41421500000005000000; ends 133 "$crash" raw.epie; why 'PRTS: the string has no end at 0' # 12
raw 03000000 4142001500050005000000; ends 133 "$crash" raw.epie; why 'there is no string at 5'
raw 05000000 4142ff43001500000005000000
expect 0 $HUSK run raw.epie; [ "$out" = "Error decoding string for prts instruction: byte 2 is no UTF-8" ] || fail "UTF-8"
raw 07000000 c3a4e282ac41001500000005000000; expect 0 $HUSK run raw.epie; [ "$out" = "ä€A" ] || fail "UTF-8"
raw 04000000 eda080001500000005000000; expect 0 $HUSK run raw.epie; has "$out" '^Error decoding' # a surrogate
raw 02000000 41001500000005000000; ends 133 "$crash" --set compat=built raw.epie # as built there are no strings
prog 'eq $0 $0 load $1 #5 add $1 $1 $1 hlt'; ends 0 "$good" prog.iasm; reg equal 1 # 13
prog 'top: push $0 eq $0 $0 djmpe @top'; ends 133 "$crash" prog.iasm; why 'the stack is full: it holds 2097152' # 14
prog 'f: call @f'; ends 133 "$crash" prog.iasm; why 'the stack is full'
prog 'jmp $0'; ends 1 "$odd" prog.iasm; why '69 is no opcode' # 15: the E of EPIE
prog 'load $0 #4 jmp $0'; expect 137 $HUSK run -q --fuel 1000 prog.iasm # zeros are LOAD $0 #0: round it goes

# ---- Other ends ----
prog 'load $0 #1 div $0 $1 $2'; ends 133 "$crash" prog.iasm; why 'division by zero'; why 'prog.iasm:3'
prog 'load $0 #32768 lui $0 #0 load $1 #0 dec $1 div $0 $1 $2'; ends 133 "$crash" prog.iasm; why 'smallest number'
for i in 'pop $0' ret; do prog "$i"; ends 133 "$crash" prog.iasm; why 'the stack is empty'; done
prog 'load $0 #200 jmpb $0'; ends 133 "$crash" prog.iasm; why 'before the file'
prog 'load $0 #65535 jmpf $0'; ends 1 "$odd" prog.iasm; why 'the end of the program'
prog 'load $0 #65535 lui $0 #0 jmp $0'; ends 1 "$odd" prog.iasm
raw 00000000 01002801; ends 133 "$crash" raw.epie; why 'register 40 of ADD'
raw 00000000 1700ff00; ends 133 "$crash" raw.epie; why 'register 255 of ADDF64'
raw 00000000 0f280000; ends 1 "$odd" raw.epie # JMPE that is not taken looks at no register
for cut in 00 0001 000100 0100 2c 2a00; do raw 00000000 $cut; ends 133 "$crash" raw.epie; done
why 'ends inside an instruction'
for whole in 05 0f 29; do raw 00000000 $whole; run $HUSK run -q raw.epie; [ $code -le 1 ] || fail "$whole"; done

# ---- As built, instructions eat what the table says ----
raw 00000000 000000051100120000002c002d01150000; ends 133 "$crash" --set compat=built raw.epie # PRTS, never a string
raw 00000000 000000051100120000002c002d0105; ends 0 "$good" --set compat=built raw.epie; reg '$0' 6; reg '$1' 6; reg sp 0
raw 00000000 000100032b00012a000105; ends 0 "$good" --set compat=built raw.epie; reg '$1' 0 # SETM does nothing
raw 00000000 0f0f05; ends 0 "$good" --set compat=built raw.epie; json_is stderr.txt instructions 3
raw 00000000 090000000f010005; ends 1 "$odd" --set compat=built raw.epie # taken

# ---- Files ----
printf 'EPIG%64s' >bad.epie; ends 133 "$crash" --isa iridium bad.epie
json_is stderr.txt instructions 0; why 'does not begin with EPIE'
printf 'EPIE' >short.epie; expect 126 $HUSK run short.epie; has "$err" 'cut off: it has 4 bytes'
raw ffffff7f 05; expect 126 $HUSK run raw.epie; has "$err" '2147483647 bytes of strings follow, but only 1 bytes do'
ends 1 "$odd" --set compat=built raw.epie # the original starts there, where nothing is
raw ffffffff 05; expect 126 $HUSK run raw.epie; ends 1 "$odd" --set compat=built raw.epie
raw 00000000 ''; ends 1 "$odd" raw.epie
expect 126 $HUSK run e1.epie e2.epie; has "$err" 'one program at a time'
head -c 3000 /dev/urandom >noise; { printf EPIE; cat noise; } >noise.epie; run timeout 20 $HUSK run -q --fuel 100k noise.epie
[[ $code =~ ^(0|1|126|133|137|139)$ ]] || fail "noise: $code"

# ---- The assembler: what the original refuses, in its words and with a place ----
refuses() { # KIND PLACE TEXT
	printf '%b' "$3" >bad.iasm
	expect 126 $HUSK asm bad.iasm -o never.epie
	has "$err" "^bad.iasm:$2: error: $1"; has "$err" '\^'
	[ ! -e never.epie ] || fail "an object of a program with errors"
}
refuses InsufficientSections 1:2 '.code hlt'
refuses InsufficientSections 2:2 '.code\n.code hlt'
refuses 'InsufficientSections: .code is missing' 1:2 '.data'
refuses NoSegmentDeclarationFound 1:1 "hello: .asciiz 'Fail' .data .code"
refuses NoSegmentDeclarationFound 1:1 'hlt .data .code'
refuses SymbolAlreadyDeclared 4:1 '.data\n.code\na: hlt\na: hlt'
refuses UnknownDirectiveFound 3:5 '.data\n.code\nx: .word #1'
refuses 'UnknownSection: Found an section header that is unknown: "wrong"' 2:2 ".code test: .asciiz 'This' .data\n.wrong"
refuses StringConstantDeclaredWithoutLabel 1:8 ".data .asciiz 'x' .code"
refuses InvalidDirectiveName 1:13 '.data .code .5'
refuses ParseError 3:8 '.data\n.code\nload $0, #1'
refuses ParseError 1:18 '.data .code load $32 #1'
refuses ParseError 1:21 '.data .code load $0 #2147483648'
refuses ParseError 1:18 ".data x: .asciiz 'abc .code"
refuses ParseError 1:13 '.data .code a_b: hlt'
refuses ParseError 1:13 '.data .code x:'
refuses 'there is no instruction' 3:1 '.data\n.code\nfoo $1'
refuses "there is no label '@nowhere'" 3:7 '.data\n.code\ndjmpe @nowhere'
refuses 'a register .* is missing' 3:10 '.data\n.code\nadd $0 $1'

# What somebody writes who comes from another assembler.
hints() { # PLACE TEXT HINT
	refuses '' "$1" ".data\\n.code\\n$2"; has "$err" "$3"
}
hints 3:9 'load $0 5' 'a number is written #5'
hints 3:6 'load R0 #5' 'hint: registers are written \$0 to \$31'
hints 3:9 'load $0 #0xFF' 'numbers are decimal'
hints 3:12 'load $0 #1 // so' 'comments begin with ;'
hints 3:5 'jmp @foo\nfoo: hlt' 'hint: LOAD \$1 @foo puts it there; DJMPE @foo jumps by itself'
hints 3:7 'djmpe again\nagain: hlt' "hint: a label is used as @again"
hints 3:6 "prts 'x'" "hint: name: .asciiz 'text' in .data, then PRTS @name"
hints 3:12 'x: .asciiz "hi"' 'strings stand between'

# As built it takes them, or says the original's error.
built() { printf '%b' "$1" >b.iasm; expect "${2-0}" $HUSK asm -q --dialect built b.iasm -o b.epie; }
built '.data\n.code\nloadf64 $0 #5\nhlt'; [ "$(bytes b.epie)" = 64000000 ] || fail "a mnemonic with digits"
has "$err" '^b.iasm:3:6: warning: .* stops reading here'
built '.data\n.code\nhlt\nload $0 #1'; [ "$(bytes b.epie)" = 05000000 ] || fail "behind an instruction without operands"
built '.data\n.code\nhlt\nx: load $0 #1'; [ "$(bytes b.epie)" = 0500000000000001 ] || fail "a label"
built '.data\n.code\ndjmpe @nope\n'; [ "$(bytes b.epie)" = 14000000 ] || fail "unknown label"; has "$err" 'declared nowhere'
built '.data\n.code\nadd #1 #2 @x\nfoo $7'; [ "$(bytes b.epie)" = 010001000264070000 ] || fail "any operands"
built '.data\n.code\nload $0 #70000 load $1 #70000 load $2 #3'
[ "$(bytes b.epie)" = 0000001127000070000100112701007000020003 ] && fail "the LUIs stand in order"
[ "$(bytes b.epie)" = 0000001127000070270100700001001100020003 ] || fail "two wide numbers: $(bytes b.epie)"
built '.data\n.wrong\n.code\nhlt'; has "$err" 'Found an section header that is unknown: "wrong"'
built ".data\nx: .asciiz 'abc'\n.code\nprts @x\nhlt"; [ "$(bytes b.epie)" = 1500000005000000 ] || fail "no strings"
[ "$(head -c 65 b.epie | tail -c 1 | od -An -tu1 | tr -d ' ')" = 4 ] || fail "their number"
for text in 'hlt' '.data\n.code\na: hlt\na: hlt' 'a: hlt' '.data .code x: .foo #1' ',' '' '.data .code load $0' \
	'.data .code load $300 #1'; do built "$text" 126; done 2>/dev/null

# ---- Names, traces, the debugger ----
printf ".code\nprts @hi hlt ; a comment\n.data hi: .asciiz 'Hi'\n" >free.iasm # either order, no lines
expect 0 $HUSK run free.iasm; [ "$out" = Hi ] || fail "free text"
expect 0 $HUSK asm -q free.iasm -o free.epie; expect 0 $HUSK run free.epie; [ "$out" = Hi ] || fail "free.epie"
expect 0 $HUSK dis free.epie; has "$out" '^0x00000047  15 00 00 00 +PRTS @L00000044'; has "$out" 'HLT$'
expect 0 $HUSK run --stats free.iasm; has "$err" '^GracefulStop code 0'
printf 'step 2\nregs\nback\ncontinue\nquit\n' >commands
prog 'load $0 #5 load $1 #6 add $0 $1 $2 hlt'
expect 0 timeout 20 $HUSK debug prog.iasm <commands; has "$out" 'ADD|add'

printf 'step 4\nback 2\n' >commands; prog 'load $0 #5 push $0 push $0 pop $1 hlt'
expect 0 timeout 20 $HUSK debug prog.iasm <commands; has "$out" '^   stack=\[ 5 \]$'

# ---- The examples do what their README says; the original's assembler makes the same of those it can read ----
example() { ends 0 "$good" "$TOP/examples/iridium/$1"; [ $# = 1 ] || reg "$2" "$3"; }
example hello.iasm; [ "$out" = 'Hello from Iridium!' ] || fail hello
example sum.iasm '$1' 55; example loop.iasm '$0' 1024; example call.iasm '$1' 144; example heap.iasm '$7' 328350
example primes.iasm '$20' 15; [ "$out" = '............... primes below 50' ] || fail primes
example float.iasm f1 0x3FF6A09E667F3BCC
for name in sum loop call; do
	expect 0 $HUSK asm -q "$TOP/examples/iridium/$name.iasm" -o one.epie
	expect 0 $HUSK asm -q --dialect built "$TOP/examples/iridium/$name.iasm" -o two.epie
	cmp one.epie two.epie || fail "$name is not what the original makes of it"
done
expect 0 $HUSK compile -q --run "$TOP/examples/iridium/twenty.pd"; [ "$out" = 20 ] || fail twenty
expect 0 $HUSK compile -q --run "$TOP/examples/iridium/circle.pd"; [ "$out" = 19.634954084936187 ] || fail circle
printf ".data x: .asciiz 'a\\\\n\\\\' y: .asciiz 'b;c\nd' .code prts @x prts @y hlt" >strings.iasm
expect 0 $HUSK run strings.iasm; [ "$out" = $'a\\n\\b;c\nd' ] || fail "backslashes and line ends in strings"
echo ok
