#!/bin/bash
# SPDX-License-Identifier: MIT
# The memory of Linux programs: maps, faults, code that changes, bombs that the limit holds. What the first three print is
# what Linux itself does, too.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

linux_program memory_maps
linux_program memory_faults
linux_program memory_limits
linux_program memory_code
linux_program memory_bombs --memory 32M

# Rights of pages: looked up by the interpreter and by compiled code, or left to the host.
for how in '--engine interp' '--jit soft' '--jit hard=1' ''; do
	linux_program memory_rights $how
done
linux_program memory_faults --jit hard=1
linux_program memory_code --jit hard=1
linux_program memory_seams --jit hard=1
expect 0 timeout 60 "$HUSK" run memory_seams 5000 6

expect 137 timeout 60 "$HUSK" run --memory 16M memory_bombs touch
has "$err" 'Killed[:,] memory limit of 16 MiB reached'
[ -z "$out" ] || fail "a bomb prints nothing"
