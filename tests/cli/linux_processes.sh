#!/bin/bash
# SPDX-License-Identifier: MIT
# Linux programs: threads, signals, processes, timers; bombs are held.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

linux_program threads
linux_program signals
linux_program processes
linux_program stops
linux_program timers
linux_program bombs
linux_program exec_thread
linux_program any_calls
