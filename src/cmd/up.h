/* SPDX-License-Identifier: MIT
 *
 * husk up: what its files share.
 */
#ifndef CMD_UP_H
#define CMD_UP_H

#include "cmd/load.h"
#include "cmd/up_file.h"
#include "hyper/hyper.h"

/* One of the instances, as many as `count` says for each entry of the description. */
typedef struct UpMember {
	const UpFileInstance *file;
	struct Up *up;
	Loaded *loaded;      /* of its entry; the first of them loaded it. A Linux program has its own */
	bool owns_loaded;
	Instance *instance;  /* a reference */
	char name[80];
	u32 color;
	Buf line;            /* printed, but no whole line yet */
} UpMember;

/* A table of all members, a line each, at most `rows` of them (0: all). ended: with how they ended. */
void up_table(UpMember *const *members, u32 count, double seconds, bool ended, u32 rows, Buf *out);
/* The same as JSON: {"seconds": .., "instances": [..]}. */
void up_json(UpMember *const *members, u32 count, double seconds, Buf *out);
/* Ended by itself, with code 0? */
bool up_is_fine(Instance *instance);

#endif
