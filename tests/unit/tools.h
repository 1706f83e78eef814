/* SPDX-License-Identifier: MIT
 *
 * The other assembler and emulator that tests compare with. Where one is missing a test fails, and says what it lacks:
 * a comparison that was not made must not look like one that came out well.
 */
#ifndef TESTS_UNIT_TOOLS_H
#define TESTS_UNIT_TOOLS_H

#include <stdio.h>
#include <stdlib.h>

/* Fails unless the command is there. */
static inline void need_tool(const char *tool)
{
	char command[100];

	snprintf(command, sizeof command, "command -v %s >/dev/null", tool);
	if (system(command) != 0)
		fail_msg("%s is not installed: tools/deps test", tool);
}

#endif
