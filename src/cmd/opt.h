/* SPDX-License-Identifier: MIT
 *
 * Verbs and their options. Each verb is one const struct with one table of options; parsing, `--help` and the
 * shells' completion scripts are all derived from these tables (opt.c, completion.c), so they can't disagree.
 *
 * An option's value goes straight into a member of the verb's own options struct, at `offset`, in the type its kind
 * says. The struct starts out all zero, which must mean "not given".
 *
 * The word that help shows for a value also says what can stand there, for completion:
 *     FILE, DIR   a file, a directory        MACHINE   a built-in machine or an .isa file
 *     a|b|c       one of these words         others    free text
 */
#ifndef CMD_OPT_H
#define CMD_OPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/types.h"

typedef enum OptKind {
	OPT_FLAG,    /* bool */
	OPT_TEXT,    /* const char * */
	OPT_MAYBE,   /* const char *: --name or --name=TEXT; "" for the first */
	OPT_LIST,    /* OptList; may be given many times */
	OPT_NUMBER,  /* u64, not 0: 100, 0x64, 20k, 5M, 1G (thousands), 1_000 */
	OPT_SIZE,    /* u64, not 0: bytes; K, M, G are powers of 1024 */
	OPT_SECONDS, /* double, greater than 0 */
	OPT_CHOICE,  /* const char *: one of the words of `value` */
} OptKind;

typedef struct OptList {
	const char **items; /* owned by the command's arena */
	u32 count, cap;
} OptList;

typedef struct Opt {
	const char *name; /* "fuel" of --fuel; NULL ends the table */
	char letter;      /* 'o' of -o, or 0 */
	u8 kind;          /* OptKind */
	u16 offset;       /* of the member in the options struct */
	const char *value;/* "FILE"; NULL for flags */
	const char *help; /* one line, or several divided by \n */
} Opt;

typedef struct Verb Verb;

/* One call of a verb, parsed. */
typedef struct Command {
	const Verb *verb;
	Arena arena;
	void *options;         /* the verb's options struct */
	const char **operands; /* in order */
	u32 operand_count;
	const char **rest;     /* behind --, or behind an operand that takes all */
	u32 rest_count;
	bool took_all;
} Command;

struct Verb {
	const char *name;
	int (*run)(Command *command); /* gives the exit code; NULL when it has verbs of its own */
	const char *help;             /* one line */
	const char *operands;         /* "FILE...", as shown; "" for none */
	u32 min_operands, max_operands;
	bool takes_rest;              /* [-- ARG...] */
	/* Does everything behind this operand belong to it? It becomes `rest`, a "--" at its beginning too. Or NULL. */
	bool (*takes_all)(Command *command, const char *operand);
	const char *text;             /* more for --help, or NULL */
	const Opt *options;           /* or NULL */
	size_t options_size;
	const Verb *const *verbs;     /* ended by NULL; or NULL */
};

extern const Verb husk_verb; /* the root: main.c */

/* Finds the verb, parses the rest and runs it; handles --help. The exit code. */
int opt_dispatch(const Verb *root, const char *path, int argc, char **argv);
/* Help for a verb; path is how it is called: "husk run". */
void opt_help(const Verb *verb, const char *path, Buf *out);

/* Numbers as OPT_NUMBER and OPT_SIZE take them. */
bool opt_number(const char *text, unsigned kilo, u64 *value);
/* An address as people write it: 0x3000, x3000, 12288. */
bool opt_address(const char *text, u64 *value);

#endif
