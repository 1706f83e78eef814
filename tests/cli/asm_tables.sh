#!/bin/bash
# SPDX-License-Identifier: MIT
# A program whose directives fill a table of the description runs with these rows.
set -eu
source "$TOP/tests/cli/common.bash"

cat >t.isa <<'ISA'
isa CALLS "calls by number"
space code : 32, size program
space stack : 32, size 100
space frames : 32, size 100
code code
table fn : nargs 32, addr 32
reg pc : 32
reg sp : 32, fp : 32, lp : 32
field v k l : unsigned
func push(w:32) { if (sp >=u 100) raise 1; stack[sp] = w; sp = sp + 1 }
func pop() : 32 { if (sp == 0) raise 1; sp = sp - 1; return stack[sp] }
insn add "1'32" { let b = pop(); let a = pop(); push(a + b) }
insn push "2'32 v:32" v { push(v) }
insn local "3'32 l:32" l { push(frames[fp + l]) }
insn call "4'32 k:32" k restartable { frames[lp] = next; frames[lp + 1] = fp; fp = lp + 2; lp = fp + fn.nargs[k];
    for i in 0..fn.nargs[k] { frames[fp + fn.nargs[k] - 1 - i] = pop() }
    call fn.addr[k] }
insn ret "5'32" { lp = fp - 2; let q = frames[lp]; fp = frames[lp + 1]; ret q }
insn print "6'32" { host print_int(sx(pop(), 64)); host putc(10) }
insn halt "7'32" { stop 0 }
asm { separators " "  entry main required
  .func n = row fn n .
  .forward n a = row fn n a }
ISA
cat >t.asm <<'ASM'
main:   push 20
        push 1
        call sum
        call twice
        print
        halt
sum:    .func 2
        local 0
        local 1
        add
        ret
twice:  .forward 1 body
body:   local 0
        local 0
        call sum
        ret
ASM
expect 0 $HUSK run -m t.isa t.asm
[ "$out" = 42 ] || fail "the sum"
expect 0 $HUSK asm -q -m t.isa -o /dev/null -l - t.asm
has "$out" '^Table fn$'; has "$out" '^ +1  twice +nargs 1, addr 16$'
has "$err" 'the rows of table fn are lost'
sed 's/^main:/start:/' t.asm >u.asm
expect 126 $HUSK run -m t.isa u.asm; has "$err" "there is no label 'main', where the program starts"

# A name means the row to an instruction, also in a session, and the place to the debugger.
printf 'break sum\ncontinue\nquit\n' >commands
expect 0 $HUSK debug -m t.isa t.asm <commands
has "$out" '^Breakpoint 1 at 0x0000000A <sum>'; has "$out" '^=> 0x0000000A <sum>'
printf '%s\n' '!block' 'f: .func 1' 'local 0' 'local 0' add ret '!end' '!block' 'g: .func 1' 'local 0' ret '!end' \
	'push 3' 'call f' print 'push 9' 'call g' print >lines
expect 0 $HUSK repl -m t.isa <lines
has "$out" '^6$'; has "$out" '^9$'
