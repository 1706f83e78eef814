/* SPDX-License-Identifier: MIT
 *
 * The verbs of husk: one const struct per file of this folder, listed in main.c.
 */
#ifndef CMD_VERBS_H
#define CMD_VERBS_H

#include "cmd/opt.h"

extern const Verb verb_run;        /* run.c */
extern const Verb verb_debug;      /* debug.c */
extern const Verb verb_repl;       /* repl.c */
extern const Verb verb_asm;        /* asm.c */
extern const Verb verb_compile;    /* compile.c */
extern const Verb verb_dis;        /* dis.c */
extern const Verb verb_isa;        /* isa.c */
extern const Verb verb_box;        /* box.c */
extern const Verb verb_up;         /* up.c */
extern const Verb verb_lab;        /* lab.c */
extern const Verb verb_completion; /* completion.c */
extern const Verb verb_version;    /* main.c */
extern const Verb verb_help;       /* main.c */

#endif
