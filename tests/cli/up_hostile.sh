#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: programs that do what no program should, on every kind of machine, beside programs that mind their own business. Each of the former
# ends at its limit, with the right words and to the unit; the latter come to exactly what they come to alone.
set -eu
source "$TOP/tests/cli/common.bash"
cp "$TOP"/examples/lc3/primes.asm "$TOP"/examples/svm/factorial.svm "$TOP"/examples/up/sum.s .

# ---- LC-3 ----
lc3() { printf '        .ORIG x3000\n%s\n        .END\n' "$2" >"$1.asm"; }
lc3 lc3_loop 'AGAIN   BR   AGAIN'
lc3 lc3_flood 'AGAIN   LD   R0, STAR
        OUT
        BR   AGAIN
STAR    .FILL x2A'
lc3 lc3_wild 'AGAIN   STR  R0, R1, #0
        ADD  R1, R1, #-1
        BR   AGAIN'
lc3 lc3_self 'AGAIN   LD   R0, NEXT
        ADD  R0, R0, #1
        ST   R0, NEXT
NEXT    ADD  R1, R1, #0
        BR   AGAIN'
lc3 lc3_mail '        TRAP x34
        ADD  R1, R0, #0
        AND  R2, R2, #0
        ADD  R2, R2, #5
AGAIN   LEA  R0, AGAIN
        TRAP x30
        BR   AGAIN'
lc3 lc3_bomb 'AGAIN   LEA  R0, NAME
        TRAP x35
        BR   AGAIN
NAME    .STRINGZ "bomb"'

# Kept bytes: keys without end, until the space is full.
lc3 lc3_keep 'AGAIN   LEA  R0, KEY
        LD   R1, TEXT
        LD   R2, MANY
        TRAP x38
        ADD  R0, R0, #0
        BRnp DONE
        LD   R3, KEY
        ADD  R3, R3, #1
        ST   R3, KEY
        BR   AGAIN
DONE    HALT
KEY     .FILL x21
        .FILL 0
TEXT    .FILL x3000
MANY    .FILL 30000'

# ---- 6502 ----
m6502() { printf '        .org $0600\n%s\n' "$2" >"$1.asm"; }
m6502 m6502_loop 'a:      NOP
        JMP a'
m6502 m6502_flood 'a:      LDA #42
        STA $F001
        JMP a'
m6502 m6502_wild 'a:      STA ($10),Y
        INC $11
        INY
        JMP a'
m6502 m6502_self 'a:      INC b
b:      .byte 0, 0
        JMP a'

# ---- CHIP-8 ----
printf 'a:      LD V0, 1\n        JP a\n' >chip8_loop.asm
printf 'a:      CALL a\n' >chip8_deep.asm
printf 'a:      LD I, a\n        ADD V1, 1\n        LD [I], V1\n        JP a\n' >chip8_self.asm
printf '        LD I, 0xFFF\n        LD VF, 15\na:      LD [I], VF\n        ADD I, VF\n        JP a\n' >chip8_wild.asm

# ---- Iridium, SVM, stackvm, TinyVM, Merry ----
printf '.data\n.code\nload $9 @a\na: jmp $9\n' >iridium_loop.iasm
printf ".data\nt: .asciiz '0123456789'\n.code\nload \$9 @a\na: prts @t\njmp \$9\n" >iridium_flood.iasm
printf '.data\n.code\n        load $9 @a\n load $0 #32767\na: aloc $0\nadd $0 $0 $0\njmp $9\n' >iridium_bomb.iasm
printf '.data\n.code\n        load $9 @a\n load $0 #32767\na: mul $0 $0 $0\nsetm $0 $0\njmp $9\n' >iridium_wild.iasm
printf 'main:   .func 0, 0\na:      br a\n' >svm_loop.svm
printf 'main:   .func 0, 0\na:      iconst 42\n        print\n        br a\n' >svm_flood.svm
printf 'main:   .func 0, 0\na:      iconst 42\n        br a\n' >svm_push.svm
printf 'main:   .func 0, 0\n        call main\n        halt\n' >svm_deep.svm
printf '1 0 /\n' >stackvm_zero.sasm
printf '+ + + +\n' >stackvm_under.sasm
printf 'function main\nsync main\n' >tinyvm_deep.tvm
printf 'function main\nset a 1\nprint a\nasync main\nsync main\n' >tinyvm_threads.tvm
printf 'main:\n\tjmp main\n' >merry_loop.gpc.masm
printf 'main:\n\tmov r3, 42\nagain:\n\tcout r3\n\tjmp again\n' >merry_flood.gpc.masm
printf 'define NEW_CORE 0\nmain:\n\tmov r1, 0\n\tmov r2, main\n\tmov r3, 0\n\tint NEW_CORE\n\tjmp main\n' >merry_cores.gpc.masm

printf 'main:   .func 0, 0\n        gload 999999\n        halt\n' >svm_wild.svm
printf 'main:\n\tmov r1, 0x7FFFFFFFFFFF\n\tloadq r2, r1\n\tjmp main\n' >merry_wild.gpc.masm
printf 'main:\n\tmov r1, 1\n\tint 1\n\tjmp main\n' >merry_bomb.gpc.masm
printf 'text: ds "hello"\nmain:\n\tint 0x34\n\tmovq r7, r1\nagain:\n\tmov r1, text\n\tmovq r2, r7\n\tmov r3, 5\n\tint 0x30\n\tjmp again\n' >merry_mail.gpc.masm

# ---- Linux ----
printf '_start: j _start\n' >rv_loop.s
printf '_start: li a0, 1\n la a1, t\n li a2, 7\n li a7, 64\n ecall\n j _start\n.data\nt: .ascii "flood!\\n"\n' >rv_flood.s
printf '_start: li t0, 0x123456789000\n sd t0, 0(t0)\n j _start\n' >rv_wild.s
printf '_start: la t0, _start\n sw zero, 0(t0)\n j _start\n' >rv_self.s
# Memory: maps and touches, page by page.
printf '_start: li a0, 0\n li a1, 0x40000000\n li a2, 3\n li a3, 0x4022\n li a4, -1\n li a5, 0\n li a7, 222\n ecall\n li t1, 4096\n1: sd t1, 0(a0)\n add a0, a0, t1\n j 1b\n' >rv_memory.s
# Processes: every one makes another, for ever.
printf '_start: li a0, 17\n li a1, 0\n li a2, 0\n li a3, 0\n li a4, 0\n li a7, 220\n ecall\n j _start\n' >rv_fork.s
# Threads: every one makes another, all on one stack that none of them uses.
printf '_start: li a0, 0x50f00\n la a1, stack\n li a2, 0\n li a3, 0\n li a4, 0\n li a7, 220\n ecall\n j _start\n.bss\n.balign 16\n.zero 64\nstack:\n.zero 16\n' >rv_threads.s
# Instances: its own kind, for ever.
printf '_start: li a0, -100\n la a1, p\n li a2, 2\n li a7, 56\n ecall\n mv s0, a0\n1: mv a0, s0\n la a1, m\n li a2, 10\n li a7, 64\n ecall\n j 1b\n.data\np: .asciz "/dev/husk/spawn"\nm: .ascii "start more"\n' >rv_spawn.s
# Code in memory that may be written and run, another instruction each time round.
printf '_start: li a0, 0\n li a1, 4096\n li a2, 7\n li a3, 0x22\n li a4, -1\n li a5, 0\n li a7, 222\n ecall\n mv s0, a0\n li s1, 0x00008067\n sw s1, 4(s0)\n la t0, template\n lw s2, 0(t0)\n1: sw s2, 0(s0)\n fence.i\n jalr s0\n li t1, 0x100000\n add s2, s2, t1\n j 1b\n.data\ntemplate: .word 0x00050513\n' >rv_modify.s
# Files: until there are no more, then ends with the number of those it got.
printf '_start: li s0, 0\n1: li a0, -100\n la a1, p\n li a2, 0\n li a7, 56\n ecall\n bltz a0, 2f\n addi s0, s0, 1\n j 1b\n2: li t0, -23\n bne a0, t0, 3f\n mv a0, s0\n li a7, 93\n ecall\n3: li a0, 99\n li a7, 93\n ecall\n.data\np: .asciz "/dev/null"\n' >rv_files.s
# Messages: to itself, and never reads one.
printf '_start: li a0, -100\n la a1, p\n li a2, 2\n li a7, 56\n ecall\n mv s0, a0\n1: mv a0, s0\n la a1, m\n li a2, 12\n li a7, 64\n ecall\n j 1b\n.data\np: .asciz "/dev/husk/mailbox"\nm: .ascii "rv_mail spam"\n' >rv_mail.s
# Kept bytes: keys without end, until the space is full; then ends with 28, ENOSPC.
printf '_start: li a0, -100\n la a1, p\n li a2, 2\n li a7, 56\n ecall\n mv s0, a0\n la s1, k\n1: lb t0, 4(s1)\n addi t0, t0, 1\n sb t0, 4(s1)\n mv a0, s0\n mv a1, s1\n li a2, 60000\n li a7, 64\n ecall\n bgez a0, 1b\n neg a0, a0\n li a7, 93\n ecall\n.data\np: .asciz "/dev/husk/kv"\nk: .ascii "set A "\n.zero 60000\n' >rv_keep.s

cat >hostile.yaml <<'Y'
store: kept.db
instances:
  - {name: lc3_loop, program: [lc3_loop.asm], limits: {fuel: 100003}}
  - {name: lc3_flood, program: [lc3_flood.asm], may: [output], limits: {output: 777}}
  - {name: lc3_wild, program: [lc3_wild.asm], set: [profile=tiny], limits: {fuel: 300007}}
  - {name: lc3_self, program: [lc3_self.asm], set: [profile=tiny], limits: {fuel: 50021}}
  - {name: lc3_mail, program: [lc3_mail.asm], may: [mailbox], set: [services=on], limits: {messages: 33}}
  - {name: lc3_stuck, program: [lc3_mail.asm], may: [mailbox], set: [services=on], limits: {fuel: 60013}}
  - {name: lc3_bomb, program: [lc3_bomb.asm], may: [spawn], spawns: [bomb], set: [services=on], limits: {fuel: 90001, instances: 5}}
  - {name: bomb, program: [lc3_bomb.asm], template: true, may: [spawn], spawns: [bomb], set: [services=on]}
  - {name: lc3_keep, program: [lc3_keep.asm], may: [kv, output], set: [services=on]}
  - {name: m6502_loop, machine: 6502, program: [m6502_loop.asm], limits: {fuel: 100003}}
  - {name: m6502_flood, machine: 6502, program: [m6502_flood.asm], may: [output], limits: {output: 333}}
  - {name: m6502_wild, machine: 6502, program: [m6502_wild.asm], may: [output, input], limits: {fuel: 200003, output: 1K}}
  - {name: m6502_self, machine: 6502, program: [m6502_self.asm], may: [output, input], limits: {fuel: 200003, output: 1K}}
  - {name: chip8_loop, machine: chip8, program: [chip8_loop.asm], limits: {fuel: 100003}}
  - {name: chip8_deep, machine: chip8, program: [chip8_deep.asm]}
  - {name: chip8_self, machine: chip8, program: [chip8_self.asm], limits: {fuel: 20011}}
  - {name: chip8_wild, machine: chip8, program: [chip8_wild.asm], limits: {fuel: 20011}}
  - {name: iridium_loop, program: [iridium_loop.iasm], limits: {fuel: 100003}}
  - {name: iridium_flood, program: [iridium_flood.iasm], may: [output, services], limits: {output: 123}}
  - {name: iridium_bomb, program: [iridium_bomb.iasm], may: [services], limits: {fuel: 1M, memory: 9M}}
  - {name: iridium_wild, program: [iridium_wild.iasm], limits: {fuel: 100003}}
  - {name: svm_loop, program: [svm_loop.svm], limits: {fuel: 100003}}
  - {name: svm_flood, program: [svm_flood.svm], may: [output], limits: {output: 100}}
  - {name: svm_push, program: [svm_push.svm], limits: {fuel: 100003}}
  - {name: svm_deep, program: [svm_deep.svm], may: [services], limits: {fuel: 100003, memory: 1M}}
  - {name: stackvm_zero, program: [stackvm_zero.sasm], may: [output], limits: {fuel: 1000}}
  - {name: stackvm_under, program: [stackvm_under.sasm], may: [output], limits: {fuel: 1000}}
  - {name: tinyvm_deep, program: [tinyvm_deep.tvm], set: [time=off], may: [output, time, vcpus, services], limits: {fuel: 100003, output: 10K}}
  - {name: tinyvm_threads, program: [tinyvm_threads.tvm], set: [time=off], may: [output, time, vcpus, services], limits: {fuel: 3001, output: 1M}}
  - {name: merry_loop, program: [merry_loop.gpc.masm], limits: {fuel: 100003}}
  - {name: merry_flood, program: [merry_flood.gpc.masm], may: [output, input, random, time, vcpus, services], limits: {output: 99}}
  - {name: merry_cores, program: [merry_cores.gpc.masm], may: [output, input, random, time, vcpus, services], limits: {fuel: 100003}}
  - {name: svm_wild, program: [svm_wild.svm], limits: {fuel: 1000}}
  - {name: merry_wild, program: [merry_wild.gpc.masm], limits: {fuel: 1000}}
  - {name: merry_bomb, program: [merry_bomb.gpc.masm], may: [output, input, random, time, vcpus, services], limits: {fuel: 5003, memory: 6M}}
  - {name: merry_mail, program: [merry_mail.gpc.masm], may: [output, input, random, time, vcpus, services, mailbox], set: [services=on], limits: {messages: 21}}
  - {name: rv_loop, program: [rv_loop.s], limits: {fuel: 1000003}}
  - {name: rv_flood, program: [rv_flood.s], may: [output], limits: {output: 1000}}
  - {name: rv_wild, program: [rv_wild.s]}
  - {name: rv_self, program: [rv_self.s]}
  - {name: rv_memory, program: [rv_memory.s], limits: {memory: 4M}}
  - {name: rv_fork, program: [rv_fork.s], may: [vcpus], limits: {fuel: 30011, memory: 64M}}
  - {name: rv_nofork, program: [rv_fork.s], limits: {fuel: 3001}}
  - {name: rv_files, program: [rv_files.s], limits: {files: 20}}
  - {name: rv_mail, program: [rv_mail.s], may: [mailbox], limits: {messages: 17}}
  - {name: rv_threads, program: [rv_threads.s], may: [vcpus], limits: {fuel: 20011, memory: 64M}}
  - {name: rv_spawn, program: [rv_spawn.s], may: [spawn], spawns: [more], limits: {fuel: 30011, instances: 5}}
  - {name: more, program: [rv_spawn.s], template: true, may: [spawn], spawns: [more]}
  - {name: rv_modify, program: [rv_modify.s], limits: {fuel: 20011}}
  - {name: rv_keep, program: [rv_keep.s], may: [kv]}
Y
cat >good.yaml <<'Y'
  - {name: good_lc3, program: [primes.asm], may: [output]}
  - {name: good_svm, program: [factorial.svm], may: [output, services]}
  - {name: good_rv, program: [sum.s], may: [output], limits: {fuel: 2M}}
Y
(echo 'instances:'; cat good.yaml) >alone.yaml
cat good.yaml >>hostile.yaml

good='good_[a-z0-9]*'

# family NAME INSTRUCTIONS: so many all together, of five who are there at a time
family() {
	local n
	n=$(grep -E "\"name\": \"$1" r.json | grep -o '"instructions": [0-9]*' | awk '{ s += $2 } END { print s }')
	[ "$n" = "$2" ] || fail "$how: the family of $1 had $n instructions, not $2"
	[ "$(grep -cE "\"name\": \"$1" r.json)" = 5 ] || fail "$how: the family of $1 has not 5 members"
}

expect 1 timeout 60 "$HUSK" up --deterministic --report alone.json alone.yaml
alone=$(neighbours alone.json "$good")
for how in --deterministic --workers=2 "--workers=1 --engine=interp"; do
	rm -f kept.db*
	run timeout 100 "$HUSK" up $how --report r.json hostile.yaml
	[ "$code" = 1 ] || fail "$how: exit code $code: $err"
	[ "$(neighbours r.json "$good")" = "$alone" ] || fail "$how: the neighbours were disturbed: $(neighbours r.json "$good") --- $alone"
	ends lc3_loop limit 'the fuel limit of 100003 instructions \(lc3_loop\)' instructions 100003
	ends lc3_flood limit 'the output limit of 777 bytes \(lc3_flood\)' output 777
	ends lc3_wild 'limit|failed' .
	ends lc3_self 'limit|failed' .
	ends lc3_mail limit 'the messages limit of 33 messages \(lc3_mail\)' messages 33
	ends lc3_stuck limit 'the fuel limit of 60013 instructions' messages 256
	ends lc3_bomb 'limit|killed' 'the fuel limit of 90001 instructions \(lc3_bomb\)|killed'
	family lc3_bomb 90001
	family rv_spawn 30011
	ends lc3_keep halted .
	ends m6502_loop limit 'fuel limit' instructions 100003
	ends m6502_flood limit 'output limit of 333 bytes' output 333
	ends m6502_wild 'limit|failed|halted' .
	ends m6502_self 'limit|failed|halted' .
	ends chip8_loop limit 'fuel limit' instructions 100003
	ends chip8_deep failed 'more than 16 calls deep' instructions 16
	ends chip8_self 'limit|failed' .
	ends chip8_wild 'limit|failed' .
	ends iridium_loop limit 'fuel limit' instructions 100003
	ends iridium_flood limit 'output limit of 123 bytes' output 123
	ends iridium_bomb failed 'the heap cannot grow to'
	ends iridium_wild failed .
	ends svm_loop limit 'fuel limit' instructions 100003
	ends svm_flood limit 'output limit of 100 bytes' output 100
	ends svm_push failed .
	ends svm_deep failed .
	ends stackvm_zero failed .
	ends stackvm_under failed .
	ends tinyvm_deep limit 'output limit of 10240 bytes' output 10240
	ends tinyvm_threads 'limit|failed' .
	ends merry_loop limit 'fuel limit' instructions 100003
	ends merry_flood limit 'output limit of 99 bytes' output 99
	ends merry_cores limit 'fuel limit' instructions 100003
	ends svm_wild failed 'out of bounds'
	ends merry_wild failed 'there is no data memory at 0x7FFFFFFFFFFF'
	ends merry_bomb limit 'fuel limit' memory '5[0-9]{6}'
	ends merry_mail limit 'messages limit of 21 messages' messages 21
	ends rv_loop limit 'fuel limit' instructions 1000003
	ends rv_flood limit 'output limit of 1000 bytes' output 1000
	ends rv_wild halted . code 139
	ends rv_self halted . code 139
	ends rv_memory halted . code 137
	ends rv_fork limit 'fuel limit' instructions 30011
	ends rv_nofork limit 'fuel limit' instructions 3001
	ends rv_files halted 'the files limit of 20 files \(rv_files\)' code 16
	ends rv_mail limit 'messages limit of 17 messages' messages 17
	ends rv_threads limit 'fuel limit' instructions 20011
	ends rv_modify limit 'fuel limit' instructions 20011
	ends rv_keep halted . code 28
done
