#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Limits of time and of memory hold while programs do nothing but give the kernel work.
set -eu
source "$(dirname "$0")/common.bash"

riscv64-linux-gnu-gcc -O1 -w -static -o long_calls "$TOP/tests/linux/long_calls.c"
for engine in jit interp; do
	run timeout -k 1 30 "$HUSK" run --engine $engine --timeout 2 long_calls -- time
	[ "$code" = 124 ] || fail "--timeout with $engine: exit code $code"
	case $err in *"the time of 2 s is over"*) ;; *) fail "it was not our --timeout: $err" ;; esac
done
run timeout -k 1 60 "$HUSK" run --limit storage=64M long_calls -- texts
[ "$out" = "some: Cannot allocate memory" ] || fail "texts of /proc: $out"
