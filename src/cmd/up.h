/* SPDX-License-Identifier: MIT
 *
 * husk up: what its files share.
 */
#ifndef CMD_UP_H
#define CMD_UP_H

#include <pthread.h>

#include "cmd/load.h"
#include "cmd/up_file.h"
#include "hyper/hyper.h"
#include "store/store.h"

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

typedef struct UpOptions {
	u64 workers;
	double grace, timeout;
	const char *format, *report, *engine;
	bool watch, quiet, deterministic, plain;
} UpOptions;

/* What is not started by itself, but by others. */
typedef struct UpTemplate {
	UpMember member; /* never runs: its file, and what was loaded */
	Image *image;
	u64 limits[BUDGET_KINDS];
	u32 rights;
} UpTemplate;

typedef struct Up {
	const UpOptions *options;
	const char *path;
	UpFile *file;
	Hyper *hyper;
	UpMember *members; /* owned */
	u32 count;
	UpTemplate *templates; /* owned */
	u32 template_count;
	Store *store;         /* owned, or NULL */
	pthread_mutex_t out;  /* stdout, table_rows, what is added to shown; taken while stdout has no room, so not by who looks at signals */
	UpMember **shown;     /* owned: members, and those whom they started (with a reference each) */
	u32 shown_count;      /* atomic */
	bool colored, watching;
	bool output_closed;   /* atomic: nobody reads any more, or nobody who does is waited for */
	u64 signals;          /* that were seen while output was written: up_output_signals */
	u32 table_rows;       /* of the live table on the terminal */
	u32 name_width;
	double start;
} Up;

/* A table of all members, a line each, at most `rows` of them (0: all). ended: with how they ended. */
void up_table(UpMember *const *members, u32 count, double seconds, bool ended, u32 rows, Buf *out);
/* The same as JSON: {"seconds": .., "instances": [..]}. */
void up_json(UpMember *const *members, u32 count, double seconds, Buf *out);
/* Ended by itself, with code 0? */
bool up_is_fine(Instance *instance);

/* ---- up_output.c ---- */

/* MachineOutput of a member (ctx). */
void up_output_take(void *ctx, const u8 *bytes, size_t len);
/* What it has said of a line that is not over. There is at least a byte. */
void up_output_line(UpMember *member);
/* The live table anew; away. */
void up_output_table(Up *up);
void up_output_clear(Up *up);
/* How many are shown: those that are there stay there. */
u32 up_output_shown(const Up *up);
/* One more; with up->out. */
void up_output_show(Up *up, UpMember *member);
/* Nobody waits any more for who should read; what was not written is lost. */
void up_output_abandon(Up *up);
/* terminal_take_signals, and those that came while output was written. */
u64 up_output_signals(Up *up);

#endif
