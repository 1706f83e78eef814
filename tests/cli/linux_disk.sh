#!/bin/bash
# SPDX-License-Identifier: MIT
# What Linux programs write to folders of the host is counted: by every call, over processes, in folders of changes, in a hypervisor.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

mkdir out
linux_program disk --limit disk=60000 --dir out::/out
rm -r out
mkdir out
printf '.globl _start\n_start: li a0, -100\n la a1, p\n li a2, 0x442\n li a3, 0x180\n li a7, 56\n ecall\n mv s0, a0\n1: mv a0, s0\n la a1, p\n li a2, 1000\n li a7, 64\n ecall\n bgtz a0, 1b\n neg a0, a0\n li a7, 93\n ecall\n.data\np: .asciz "/out/f"\n.zero 1000\n' >fill.s
riscv64-linux-gnu-gcc -nostdlib -static -o fill fill.s || fail "fill does not compile"
run timeout 60 "$HUSK" run --limit disk=100000 --dir out::/out fill
[ "$code" = 28 ] || fail "fill: exit code $code: $err"
[ "$(stat -c %s out/f)" = $((100000 - 4096)) ] || fail "fill: $(stat -c %s out/f)"

# A folder of changes: the index that was there stays, and with it what it names.
mkdir root changes
printf '.globl _start\n_start: li a0, -100\n la a1, p\n li a2, 0x241\n li a3, 0x180\n li a7, 56\n ecall\n la a1, p\n li a2, 1000\n li a7, 64\n ecall\n li a7, 81\n ecall\n li a0, 0\n li a7, 93\n ecall\n.data\np: .asciz "/f"\n.zero 1000\n' >change.s
riscv64-linux-gnu-gcc -nostdlib -static -o change change.s || fail "change does not compile"
expect 0 timeout 20 "$HUSK" run --root root:changes change
[ "$(cat changes/data/* | wc -c)" = 1000 ] || fail "changes: $(ls -lR changes)"
cp changes/husk-changes before
run timeout 20 "$HUSK" run --limit disk=5000 --root root:changes change
cmp before changes/husk-changes || fail "changes beyond the limit"
[ "$(cat changes/data/* | wc -c)" -le 2000 ] || fail "changes: $(ls -lR changes)"

# In a hypervisor: one limit for two, in two folders; it outlives whoever used it.
mkdir a b
cat >two.yaml <<'Y'
limits: {disk: 50000}
instances:
  - {name: one, program: [fill], dirs: ["a::/out"], may: [files], limits: {disk: 30000}}
  - {name: two, program: [fill], dirs: ["b::/out"], may: [files], limits: {disk: 30K}}
Y
for how in --deterministic --workers=2; do
	rm -f a/f b/f
	run timeout 60 "$HUSK" up $how --report r.json two.yaml
	one=$(stat -c %s a/f) two=$(stat -c %s b/f)
	[ $((one + two)) = $((50000 - 2 * 4096)) ] || fail "$how: $one and $two bytes"
	[ $one -le $((30000 - 4096)) ] && [ $two -le $((30720 - 4096)) ] || fail "$how: $one and $two bytes"
	for name in one two; do
		grep -qE "\"name\": \"$name\".*\"code\": 28,.*\"disk\": [0-9]+, \"refused\": \"the disk limit of (30000 bytes \(one|30720 bytes \(two|50000 bytes \()" r.json ||
			fail "$how: $(cat r.json)"
	done
	grep -q '50000 bytes' r.json || fail "$how: nobody ran into the limit of both: $(cat r.json)"
done
