/* SPDX-License-Identifier: MIT
 *
 * For programs that check themselves: CHECK says where something is not so; check_end ends main.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int check_failures;

#define CHECK(condition)                                                                            \
	do {                                                                                        \
		errno = 0;                                                                          \
		if (!(condition)) {                                                                 \
			printf("line %d: %s (%s)\n", __LINE__, #condition, strerror(errno));        \
			check_failures++;                                                           \
		}                                                                                   \
	} while (0)
/* The call fails with this error. */
#define FAILS(error, call) CHECK((call) == -1 && errno == (error))

static int check_end(const char *name)
{
	printf(check_failures ? "%s: %d failures\n" : "%s: all right\n", name, check_failures);
	return check_failures != 0;
}
