/* SPDX-License-Identifier: MIT
 * /dev/husk/spawn: starts two workers, kills one of them that would go on for ever, and is told how both ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MUST(is) do { if (!(is)) { printf("line %d: %s\n", __LINE__, #is); exit(1); } } while (0)

static int box;

static long say(const char *text)
{
	long result = write(box, text, strlen(text));

	return result < 0 ? -errno : result;
}

static char *hear(void)
{
	static char text[100];
	struct pollfd fd = {.fd = box, .events = POLLIN};
	long n;

	MUST(poll(&fd, 1, -1) == 1);
	n = read(box, text, sizeof text - 1);
	MUST(n >= 0);
	text[n] = 0;
	return text;
}

int main(void)
{
	unsigned ends, endless, number, code;
	char text[100];

	box = open("/dev/husk/spawn", O_RDWR);
	MUST(box >= 0);
	MUST(!*hear()); /* there are none: the end */
	MUST(say("start nobody") == -ENOENT && say("dance") == -EINVAL && say("kill 12345") == -ECHILD);
	MUST(say("start endless") == 13 && sscanf(hear(), "started %u endless", &endless) == 1);
	MUST(say("start worker") == 12 && sscanf(hear(), "started %u worker", &ends) == 1);
	MUST(sscanf(hear(), "ended %u %u", &number, &code) == 2 && number == ends && code == 7);
	MUST(say("start endless") == 13 && sscanf(hear(), "started %u endless", &ends) == 1);
	MUST(say("start worker") == -ENOSPC); /* there is room for three, me included */
	snprintf(text, sizeof text, "kill %u", ends);
	MUST(say(text) == (long)strlen(text));
	MUST(sscanf(hear(), "ended %u %u", &number, &code) == 2 && number == ends && code > 255);
	snprintf(text, sizeof text, "kill %u", endless);
	MUST(say(text) == (long)strlen(text));
	MUST(sscanf(hear(), "ended %u %u", &number, &code) == 2 && number == endless && code > 255);
	MUST(!*hear());
	printf("all ended\n");
	return 0;
}
