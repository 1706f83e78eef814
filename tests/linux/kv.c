/* SPDX-License-Identifier: MIT
 * /dev/husk/kv: what is set is there, what is deleted is not; errors are the right ones; a value is read in pieces.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int kv;
static char big[70000];

static long command(const char *text, size_t len)
{
	long result = write(kv, text, len);

	return result < 0 ? -errno : result;
}

#define SAY(text) command(text, strlen(text))
#define MUST(is) do { if (!(is)) { printf("line %d: %s\n", __LINE__, #is); exit(1); } } while (0)

int main(void)
{
	char text[100], value[8] = {0};

	kv = open("/dev/husk/kv", O_RDWR);
	MUST(kv >= 0);
	MUST(SAY("get a") == -ENOENT);
	MUST(SAY("set a one two\n") == 14);
	MUST(read(kv, text, sizeof text) == 0);
	MUST(SAY("get a\n") == 6);
	MUST(read(kv, value, 3) == 3 && !memcmp(value, "one", 3));
	MUST(read(kv, text, sizeof text) == 4 && !memcmp(text, " two", 4));
	MUST(read(kv, text, sizeof text) == 0);
	MUST(SAY("set a ") == 6 && SAY("get a") == 5 && read(kv, text, sizeof text) == 0);
	MUST(SAY("delete a") == 8 && SAY("delete a") == -ENOENT && SAY("get a") == -ENOENT);
	MUST(SAY("nonsense a") == -EINVAL && SAY("get") == -EINVAL);
	/* Keys, one behind another, by bytes; the one that is asked from need not be there. */
	MUST(SAY("next") == -ENOENT && SAY("next a") == -ENOENT);
	MUST(SAY("set bb 1") == 8 && SAY("set a 2") == 7 && SAY("set b 3") == 7);
	MUST(SAY("next\n") == 5 && read(kv, text, sizeof text) == 1 && text[0] == 'a');
	MUST(SAY("next a\n") == 7 && read(kv, text, sizeof text) == 1 && text[0] == 'b');
	MUST(SAY("next b") == 6 && read(kv, text, sizeof text) == 2 && !memcmp(text, "bb", 2));
	MUST(SAY("next az") == 7 && read(kv, text, sizeof text) == 1 && text[0] == 'b');
	MUST(SAY("next bb") == -ENOENT && read(kv, text, sizeof text) == 0);
	MUST(SAY("delete a") == 8 && SAY("delete b") == 8 && SAY("delete bb") == 9 && SAY("next") == -ENOENT);
	memset(big, 'k', sizeof big);
	memcpy(big, "get ", 4);
	MUST(command(big, 4 + 257) == -EINVAL);
	memcpy(big, "set b ", 6);
	MUST(command(big, 6 + 65537) == -EMSGSIZE);
	/* A space has a megabyte: values are overwritten without growing, what is deleted is room again. */
	for (int i = 0; i < 40; i++)
		MUST(command(big, 6 + 65536) == 6 + 65536);
	for (int i = 0; i < 15; i++) {
		big[4] = (char)('c' + i);
		MUST(command(big, 6 + 65536) == (i < 14 ? 6 + 65536 : -ENOSPC));
	}
	MUST(SAY("delete b") == 8);
	MUST(command(big, 6 + 65536) == 6 + 65536);
	for (char key = 'c'; key < 'c' + 15; key++) {
		snprintf(text, sizeof text, "delete %c", key);
		MUST(SAY(text) == 8);
	}
	printf("kept\n");
	return 0;
}
