#!/bin/bash
# SPDX-License-Identifier: MIT
# mode: release
# husk lab: the tables, the pictures, other programs, and what cannot be measured.
set -eu
source "$TOP/tests/cli/common.bash"

expect 0 timeout 100 "$HUSK" lab dispatch --rounds 1 --svg d.svg
for way in redecode switch goto threaded 'cached blocks' JIT; do has "$out" "^$way +"; done
has "$out" 'all ways agree in every register and cell after 100000 instructions'
has "$out" 'Each instruction of this program means [0-9.]+ simple operations'
grep -q '^<svg ' d.svg && grep -q '</svg>' d.svg || fail "no picture"

# Another machine, and JSON.
cat >t.svm <<'SVM'
main:   .func 0, 1
loop:   load 0
        iconst 1
        iadd
        store 0
        load 0
        iconst 20000
        ilt
        brt loop
        halt
SVM
expect 0 timeout 100 "$HUSK" lab dispatch --rounds 1 --format json t.svm
has "$out" '"program":"t.svm","operations_per_instruction":[0-9.]+'
[ "$(grep -o '"name"' <<<"$out" | wc -l)" = 5 ] || fail "not five ways"
echo 'main: .func 0, 0
 halt' >short.svm
expect 0 timeout 100 "$HUSK" lab dispatch --rounds 1 short.svm
has "$err" 'too short'
expect 127 "$HUSK" lab dispatch nowhere.asm
echo 'main: nonsense' >bad.svm
expect 126 "$HUSK" lab dispatch bad.svm

# The same results on all machines (the command itself refuses others), exact counts.
expect 0 timeout 100 "$HUSK" lab stack-vs-register --svg m.svg
has "$out" '^  svm .* 3004 +21028 +13008 +11012 '
has "$out" '^  stackvm .* 502 +2008 +2004 +2004 '
has "$out" '^  iridium .* 1004 +4016 +0 +0 '
has "$out" '^  lc3 .* 753 +1506 +2 +0 '
has "$out" '^  stackvm .* it has no way to jump or call'
grep -q 'Stack or registers' m.svg || fail "no picture"
expect 0 timeout 100 "$HUSK" lab stack-vs-register --format json
[ "$(grep -c '"algorithm"' <<<"$out")" = 11 ] || fail "not eleven results"
