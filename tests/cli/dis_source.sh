# SPDX-License-Identifier: MIT
#
# husk dis --source: for every program of the small machines a text that assembles to the same file.
set -eu
source "$TOP/tests/cli/common.bash"

again() { # EXTENSION-OF-OBJECT EXTENSION-OF-TEXT FILE ASM-OPTION...
	local object=$1 text=$2 file=$3
	shift 3
	expect 0 "$HUSK" asm -q "$@" -o "one.$object" "$file"
	expect 0 "$HUSK" dis "$@" --source "one.$object"
	[ -z "$err" ] || fail "$file: complains"
	cp stdout.txt "again.$text"
	expect 0 "$HUSK" asm -q "$@" -o "two.$object" "again.$text"
	cmp "one.$object" "two.$object" || { cat "again.$text"; fail "$file is another one now"; }
}

for name in "$TOP"/examples/iridium/*.iasm; do again epie iasm "$name"; done
for name in "$TOP"/examples/svm/*.svm; do again svmo svm "$name"; done
for name in "$TOP"/examples/stackvm/*.sasm; do again bin sasm "$name"; done
for name in six basiccpu; do
	for file in "$TOP/examples/$name"/*.asm; do again bin asm "$file" --isa $name; done
done

# ---- Iridium: strings that are none, labels into a string, code that nothing reaches
printf ".data\na: .integer #5\nb: .asciiz 'x;y'\nc: .asciiz ''\nd: .integer #-7\n.code\nprts @c prts @b load \$0 #80 jmp \$0\nload \$1 #2\nhlt" >odd.iasm
again epie iasm odd.iasm
expect 0 "$HUSK" dis --source one.epie
has "$out" '^ *\.data$'; has "$out" '^ *\.code$'; has "$out" "\.asciiz 'x;y'"
printf ".data\n.code\n" >empty.iasm; again epie iasm empty.iasm
expect 0 "$HUSK" dis one.epie; has "$out" '^0x00000000  45 50 49 \.\. +\.data'
# ---- SVM: functions, globals, a start of its own, words that are no instruction
cat >odd.svm <<'ASM'
total: .globals 3
	.start go
	.word 99, 7
f:	.func 1, 2
	load 0
	brt f2
f2:	load 0
	ret
main:	.func 0, 0
go:	iconst 3
	gstore 2
	iconst 4
	call f
	print
l:	br out
	br l
out:	halt
ASM
again svmo svm odd.svm
expect 0 "$HUSK" dis one.svmo; has "$out" 'main:'; has "$out" 'iconst 3'
printf 'function main 0 0 2 function f 0 0 0 17 17 16 1 18' >swapped.svmi # the first function stands last
expect 0 "$HUSK" dis --source swapped.svmi; has "$err" 'will not make the same file'
expect 0 "$HUSK" dis "$TOP/examples/svm/sum.svmi"; has "$out" 'iconst 10'
printf '9 5 16 2 1 14 18' >split.svmi
expect 0 "$HUSK" dis --set calls=split split.svmi; has "$out" 'call [^ ]*, 1'
# ---- The stack machine: its halt is the assembler's, another one has no spelling
printf '\5\0\0\0\0\0\0\100\0\0\0\100' >out.bin
expect 0 "$HUSK" dis out.bin; has "$out" '// halt'
expect 0 "$HUSK" dis --source out.bin; has "$err" 'will not make the same file'
expect 0 "$HUSK" dis --source -d compat --set mode=compat out.bin; cp stdout.txt c.sasm
expect 0 "$HUSK" asm -q -d compat --set mode=compat -o two.bin c.sasm; cmp out.bin two.bin || fail "compat"
