#!/bin/bash
# SPDX-License-Identifier: MIT
# What `make run` shows works without a terminal, ends soon, and every command in it succeeds.
set -eu
source "$TOP/tests/cli/common.bash"
expect 0 timeout 100 "$TOP/tools/demo" $HUSK
for program in "$TOP"/examples/lc3/*.asm; do has "$out" "^==== LC-3, $(basename "$program"): "; done
has "$out" '^9$'; has "$out" '^ +0  x3000 '; has "$out" '^x3000  [0-9A-F]{4} '; has "$out" 'encodings 18'
[ -z "$err" ] || fail "complaints"
