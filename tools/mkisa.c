/* SPDX-License-Identifier: MIT
 *
 * Loads a description while Husk is built and writes what is left of it as bytes that the guest embeds (src/isa/isa_frozen.h), so
 * that it need not be loaded at every start. Linked with the same objects as Husk itself.
 *
 *     mkisa ISA OUT
 */
#include "base/diag.h"
#include "isa/isa_frozen.h"
#include "tools/files.h"

int main(int argc, char **argv)
{
	Buf text, frozen, messages;
	DiagList diags;
	bool fine;

	if (argc != 3) {
		fprintf(stderr, "usage: mkisa ISA OUT\n");
		return 2;
	}
	buf_init(&text);
	buf_init(&frozen);
	buf_init(&messages);
	diag_init(&diags);
	fine = read_file("mkisa", argv[1], &text) && isa_freeze(argv[1], buf_text(&text), text.len, &frozen, &diags);
	diag_render(&diags, &messages, false);
	fputs(buf_text(&messages), stderr);
	fine = fine && write_file("mkisa", argv[2], &frozen);
	diag_fini(&diags);
	buf_fini(&messages);
	buf_fini(&frozen);
	buf_fini(&text);
	return fine ? 0 : 1;
}
