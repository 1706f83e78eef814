#!/bin/bash
# SPDX-License-Identifier: MIT
# mode: release
# What starts with the command: the C library and none of others; those are loaded by the commands that need them.
set -eu
source "$TOP/tests/cli/common.bash"

needed=$(objdump -p "$HUSK" | awk '$1 == "NEEDED" { print $2 }')
for library in $needed; do
	case $library in
	libc.so.*|libm.so.*|libdl.so.*|libpthread.so.*|ld-linux*) ;;
	*) fail "the command loads $library at every start" ;;
	esac
done
[ -n "$needed" ] || fail "$HUSK names no library"
