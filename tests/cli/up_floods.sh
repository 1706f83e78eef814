#!/bin/bash
# SPDX-License-Identifier: MIT
# husk up: machines of others (SVM, Iridium, TinyVM, Merry, LC-3) that ask for what a hypervisor gives, without end: letters, children, keys,
# bytes in folders. Each ends at its limit, to the unit, and the table says which it was; beside them a letter goes around, and all whom it
# passes come to what they come to alone.
set -eu
source "$TOP/tests/cli/common.bash"
cp "$TOP"/examples/lc3/primes.asm "$TOP"/examples/up/post/*.{svm,iasm,masm,tvm} .

# svm NAME TEXT: with "sb" in globals 0 .., and "k" in 4.
svm() { printf '.globals 20000\n iconst 115\n gstore 0\n iconst 98\n gstore 1\n iconst 107\n gstore 4\n%s\n' "$2" >"$1.svm"; }
# Three words, a service, and what of its answers is left (the first): svm_ask A B C NUMBER
svm_ask() { printf ' %s\n %s\n %s\n serve %s\n gstore 7\n pop\n' "$1" "$2" "$3" "$4"; }
svm svm_mail "$(svm_ask 'iconst 0' 'iconst 0' 'iconst 0' 0x34)
 gload 7
 gstore 8
again: $(svm_ask 'iconst 0' 'gload 8' 'iconst 3' 0x30)
 br again"
svm svm_bomb "again: $(svm_ask 'iconst 0' 'iconst 0' 'iconst 0' 0x35)
 br again"
svm svm_keep "again: $(svm_ask 'iconst 4' 'iconst 4' 'iconst 19000' 0x38)
 gload 4
 iconst 1
 iadd
 gstore 4
 gload 7
 iconst 0
 ieq
 brt again
 gload 7
 print
 halt"
svm svm_disk "$(svm_ask 'iconst 4' 'iconst 3' 'iconst 0' 0x3F)
 gload 7
 gstore 8
again: $(svm_ask 'gload 8' 'iconst 0' 'iconst 1000' 0x41)
 br again"

# iridium NAME TEXT: with "ib" at 0 of the heap, "k" at 4.
iridium() { printf '.data\n.code\n load $0 #32000\n aloc $0\n load $0 #29000\n aloc $0\n load $5 #0\n load $6 #25193\n setm $5 $6\n load $5 #4\n load $6 #107\n setm $5 $6\n%s\n' "$2" >"$1.iasm"; }
iridium iridium_mail ' serv #52
 load $7 #0
 add $0 $7 $7
 load $9 @a
a: load $0 #0
 load $8 #0
 add $7 $8 $1
 load $2 #3
 serv #48
 jmp $9'
iridium iridium_bomb ' load $9 @a
a: load $0 #0
 serv #53
 jmp $9'
iridium iridium_keep ' load $3 #4
a: load $0 #4
 load $1 #8
 load $2 #60000
 serv #56
 loadm $3 $6
 inc $6
 setm $3 $6
 load $8 #0
 eq $0 $8
 djmpe @a
 hlt'
iridium iridium_disk ' load $0 #4
 load $1 #2
 serv #63
 load $7 #0
 add $0 $7 $7
 load $9 @a
a: load $8 #0
 add $7 $8 $0
 load $1 #0
 load $2 #999
 serv #65
 jmp $9'

printf 'function main\nset v 7\nsync mail_self:who\nsync mail_send:v\nsync main\n' >tinyvm_mail.tvm
printf 'function main\nsync spawn:tb\nsync main\n' >tinyvm_bomb.tvm
printf 'function main\nset v 7\nsync kv_set:v\nsync main\n' >tinyvm_keep.tvm
printf 'function main\nset v 1234567\nsync file_write:v\nsync main\n' >tinyvm_disk.tvm

printf 'name: ds "mb\\0"\nmain:\n\tmov r1, name\n\tint 0x35\n\tjmp main\n' >merry_bomb.gpc.masm
printf 'key: ds "k\\0"\nmain:\n\tmov r1, key\n\tmovq r2, r1\n\tmov r3, 30000\n\tint 0x38\n\tmovq r9, r1\n\tloadb r4, key\n\tinc r4\n\tstoreb r4, key\n\tcmp r9, 0\n\tje main\n\thlt\n' >merry_keep.gpc.masm
printf 'key: ds "k\\0"\nmain:\n\tmov r1, key\n\tmov r2, 3\n\tint 0x3F\n\tmovq r9, r1\nagain:\n\tmovq r1, r9\n\tmov r2, key\n\tmov r3, 1001\n\tint 0x41\n\tjmp again\n' >merry_disk.gpc.masm

printf '        .ORIG x3000\n        LEA  R0, KEY\n        AND  R1, R1, #0\n        ADD  R1, R1, #1\n        TRAP x3F\n        ADD  R4, R0, #0\nAGAIN   ADD  R0, R4, #0\n        LEA  R1, KEY\n        LD   R2, MANY\n        TRAP x41\n        BR   AGAIN\nKEY     .STRINGZ "k"\nMANY    .FILL 1002\n        .END\n' >lc3_disk.asm

# Children without end, each of whom has a space of its own and fills it: all together have one limit.
svm svm_nurse "again: $(svm_ask 'iconst 0' 'iconst 0' 'iconst 0' 0x35)
 $(svm_ask 'gload 7' 'iconst 0' 'iconst 0' 0x36)
 br again"
cat >nurse.yaml <<'Y'
store: nurse.db
instances:
  - {name: nurse, program: [svm_nurse.svm], may: [spawn, kv], spawns: [sb], set: [services=on], limits: {fuel: 3001, disk: 300000}}
  - {name: sb, program: [svm_few.svm], template: true, may: [kv], set: [services=on]}
Y
svm svm_few "$(for i in 1 2 3; do svm_ask 'iconst 4' 'iconst 4' 'iconst 19000' 0x38; printf ' iconst %d\n gstore 4\n' $i; done)
 halt"
for how in --deterministic --workers=2; do
	rm -f nurse.db*
	run timeout 60 "$HUSK" up $how --report r.json nurse.yaml
	n=$(grep '"name": "nurse"' r.json | grep -o '"disk": [0-9]*' | grep -o '[0-9]*') # of all below it, too
	[ "$n" = $((15 * (256 + 1 + 19000))) ] || fail "$how: the family kept $n bytes"
	[ "$(stat -c %s nurse.db)" -lt 500000 ] || fail "$how: the store has $(stat -c %s nurse.db) bytes"
	grep -q '"refused": "the disk limit of 300000 bytes (nurse)"' r.json || fail "$how: no word of the limit: $(cat r.json)"
done

{
	echo 'store: kept.db'
	echo 'instances:'
	for m in svm:svm iridium:iasm tinyvm:tvm merry:gpc.masm; do
		k=${m%:*} end=${m#*:} more='' set=services=on
		[ $k = svm ] || more=', services'
		fuel=100M bomb=30011 few=3001 disk=9999
		[ $k != tinyvm ] || fuel=101 bomb=2003 few=101 disk=4170 # its calls go 1023 deep, and it writes 7 bytes at a time
		[ $k != tinyvm ] || set='services=on, time=off, stage=s06'
		[ $k = merry ] || echo "  - {name: ${k}_mail, program: [${k}_mail.$end], may: [mailbox$more], set: [$set], limits: {messages: 33}}"
		[ $k = merry ] || echo "  - {name: ${k}_stuck, program: [${k}_mail.$end], may: [mailbox$more], set: [$set], limits: {fuel: 4003}}"
		echo "  - {name: ${k}_bomb, program: [${k}_bomb.$end], may: [spawn$more], spawns: [${k:0:1}b], set: [$set], limits: {fuel: $bomb, instances: 5}}"
		echo "  - {name: ${k:0:1}b, program: [${k}_bomb.$end], template: true, may: [spawn$more], spawns: [${k:0:1}b], set: [$set]}"
		echo "  - {name: ${k}_keep, program: [${k}_keep.$end], may: [kv, output$more], set: [$set], limits: {fuel: $fuel}}"
		mkdir -p $k
		echo "  - {name: ${k}_disk, program: [${k}_disk.$end], may: [files$more], dirs: [$k], set: [$set], limits: {fuel: $few, disk: $disk}}"
	done
	mkdir -p lc3
	echo '  - {name: lc3_disk, program: [lc3_disk.asm], may: [files], dirs: [lc3], set: [services=on], limits: {fuel: 30001, disk: 9999}}'
} >floods.yaml
cat >good.yaml <<'Y'
  - {name: good_lc3, program: [primes.asm], may: [output]}
  - {name: svm, program: [begin.svm], set: [services=on], may: [output, mailbox, kv], realm: quiet}
  - {name: iri, program: [pass.iasm], set: [services=on], may: [output, services, mailbox, kv], realm: quiet}
  - {name: mer, program: [pass.gpc.masm], set: [services=on], may: [output, services, mailbox, kv], realm: quiet}
  - {name: tvm, program: [back.tvm], set: [services=on, time=off, stage=s06], may: [output, services, mailbox, kv], realm: quiet}
Y
(echo 'store: kept.db'; echo 'instances:'; cat good.yaml) >alone.yaml
cat good.yaml >>floods.yaml

good='good_lc3|svm|iri|mer|tvm'

rm -f kept.db*
expect 0 timeout 60 "$HUSK" up --deterministic --report alone.json alone.yaml
alone=$(neighbours alone.json "$good")
[ "$(wc -l <<<"$alone")" -ge 10 ] || fail "the neighbours alone: $alone"
for how in --deterministic "--workers=2 --engine=interp"; do
	rm -f kept.db* */k */v
	run timeout 100 "$HUSK" up $how --report r.json floods.yaml
	[ "$code" = 1 ] || fail "$how: exit code $code: $err"
	[ "$(neighbours r.json "$good")" = "$alone" ] || fail "$how: the neighbours were disturbed: $(neighbours r.json "$good") --- $alone"
	for k in svm iridium tinyvm; do
		ends ${k}_mail limit "the messages limit of 33 messages \\(${k}_mail\\)" messages 33
	done
	ends svm_stuck limit 'the fuel limit of 4003 instructions \(svm_stuck\)' messages 256
	ends iridium_stuck limit 'the fuel limit of 4003 instructions \(iridium_stuck\)' messages 256
	ends tinyvm_stuck 'limit|failed' .
	for k in svm iridium tinyvm merry; do
		ends ${k}_bomb 'limit|killed|failed' .
		n=$(grep -E "\"name\": \"${k}_bomb" r.json | grep -o '"instructions": [0-9]*' | awk '{ s += $2 } END { print s }')
		[ "$n" = $([ $k = tinyvm ] && echo 2003 || echo 30011) ] || fail "$how: the family of ${k}_bomb had $n instructions"
		[ "$(grep -cE "\"name\": \"${k}_bomb" r.json)" = 5 ] || fail "$how: the family of ${k}_bomb"
		grep -qE "\"name\": \"${k}_bomb.*the instances limit of 5 instances \\(${k}_bomb\\)" r.json || fail "$how: ${k}_bomb: no word of its children"
		disk=$([ $k = tinyvm ] && echo 4170 || echo 9999)
		ends ${k}_disk limit "the disk limit of $disk bytes \\(${k}_disk\\)" disk $disk
	done
	ends lc3_disk limit "the disk limit of 9999 bytes \\(lc3_disk\\)" disk 9999
	for k in svm iridium merry; do
		ends ${k}_keep halted "the limit of 1048576 bytes of keys and values \\(/?${k}_keep\\)"
		[ "$(stat -c %s $k/k)" = 5903 ] || fail "$how: $k/k has $(stat -c %s $k/k) bytes"
	done
	[ "$(stat -c %s lc3/k)" = 5903 ] || fail "$how: lc3/k has $(stat -c %s lc3/k) bytes"
	ends tinyvm_keep limit 'the fuel limit of 101 instructions \(tinyvm_keep\)'
done
