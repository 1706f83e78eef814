#!/bin/bash
# SPDX-License-Identifier: MIT
# Linux programs: descriptors, pipes, polling, sockets.
set -eu
source "$TOP/tests/cli/common.bash"
source "$TOP/tests/cli/linux.bash"

linux_program descriptors
linux_program pipes
linux_program polling
linux_program sockets
