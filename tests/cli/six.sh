# SPDX-License-Identifier: MIT
#
# Six, the teaching machine: its instructions, its stack, its messages.
set -eu
source "$TOP/tests/cli/common.bash"

six() {
	timeout 20 "$HUSK" run --isa six --fuel 1M "$@"
}
prints() { # EXPECTED, with the program on stdin
	cat >p.asm
	expect 0 six p.asm
	[ "$out" = "$1" ] || fail "printed '$out' instead of '$1'"
}
stops() { # CODE TEXT, with the program on stdin
	cat >p.asm
	expect "$1" six p.asm
	has "$err" "$2"
}

# ---- The examples
expect 0 six "$TOP/examples/six/factorial.asm"
[ "$out" = $'1\n2\n6\n24\n120\n720\n5040' ] || fail factorial
echo Ada >name.txt
expect 0 six "$TOP/examples/six/greet.asm" --input name.txt
[ "$out" = 'Who are you? Hello, Ada' ] || fail greet
expect 0 six "$TOP/examples/six/gcd.asm"
[ "$out" = 21 ] || fail gcd

# ---- Words can be read: x1013 is add b, d
expect 0 "$HUSK" asm -q --isa six --listing - -o /dev/null - <<<$'add b, d\nmov f, -1\nhalt'
has "$out" '0000 *1013'
has "$out" '0001 *0250 *FFFF'
prints 7 <<<$'.word 0x0200\n.word 7\n.word 0x6000\n.word 0'
# ---- Moving
prints $'5\n5\n9\n9' <<'ASM'
	mov a, 5
	mov b, a
	print b
	store [x], b
	load c, [x]
	print c
	mov d, x
	mov e, 9
	store [d], e
	load f, [d]
	print f
	load f, [x]
	print f
	halt
x:	.word 0
ASM
# ---- Calculating
prints $'-3\n10\n-21\n-2\n-1\n1\n7\n6\n48\n1\n32767' <<'ASM'
	mov a, -7
	mov b, 3
	mov c, 4
	add c, a
	print c         ; -3
	mov c, 7
	add c, b
	print c         ; 10
	mov c, a
	mul c, b
	print c         ; -21
	mov c, a
	div c, b
	print c         ; -2: toward zero
	mov c, a
	mod c, b
	print c         ; -1: the sign of the dividend
	mov c, 5
	and c, b
	print c
	mov c, 5
	or c, b
	print c
	mov c, 5
	xor c, b
	print c
	mov c, 6
	shl c, b
	print c
	mov c, 8
	shr c, b
	print c
	mov c, -1
	mov d, 1
	shr c, d
	print c
	halt
ASM
prints -32768 <<<$'mov a, 32767\ninc a\nprint a\nhalt'
prints $'65\n-5' <<<$'mov a, 70\nsub a, 5\nprint a\nmov b, -4\ndec b\nprint b\nhalt'
# ---- Deciding
prints $'1\n2\n3\n4\n5\n6' <<'ASM'
	mov a, -2
	cmp a, 3
	jl one
	halt
one:	mov b, 1
	print b
	jge bad
	jg bad
	je bad
	jne two
bad:	halt
two:	inc b
	print b
	cmp b, 2
	je three
	halt
three:	inc b
	print b
	jle four
	halt
four:	inc b
	print b
	jge five
	halt
five:	inc b
	print b
	mov c, 4
	cmp b, c
	jg six
	halt
six:	inc b
	print b
	jmp end
	print a
end:	halt
ASM
# ---- The stack, calls
prints $'3\n2\n1' <<<$'mov a, 1\npush a\ninc a\npush a\ninc a\nprint a\npop b\nprint b\npop b\nprint b\nhalt'
stops 133 'unhandled exception 2 \(the stack is empty\) at 0x0000 \(.*p.asm:1' <<<'pop a'
stops 133 'the stack is empty' <<<'ret'
stops 133 'unhandled exception 1 \(the stack is full\) at 0x0000 \(again, .*p.asm:1' <<<'again: call again' # endless recursion
prints $'4095' <<'ASM'
	mov a, 0        ; 4,096 words fit: one is pushed last, without a count
l:	push a
	inc a
	cmp a, 4095
	jne l
	push a
	pop b
	print b
	halt
ASM
# ---- Errors
stops 133 'unhandled exception 3 \(division by zero\) at 0x0000 \(.*p.asm:1' <<<$'div a, b\nhalt'
stops 133 'division by zero' <<<$'mod a, b\nhalt'
stops 132 'illegal instruction at 0x0000' <<<'.word 0x0170'  # there is no seventh register
stops 132 'illegal instruction at 0x0002 \(p.asm:2\)' <<<$'inc a\n.word 0xFFFF'
stops 132 'illegal instruction' <<<'.word 0x0001'             # unused digits are 0
echo 'getc a' >p.asm
expect 129 six p.asm </dev/null
has "$err" 'input has ended'
stops 126 "p.asm:1:.*error" <<<'add a, g'
stops 126 "p.asm:1:.*error" <<<'mov a, 70000'
stops 126 "p.asm:1:.*jmpp" <<<'jmpp 3'
stops 137 'fuel' <<<$'l: jmp l'
