/* SPDX-License-Identifier: MIT
 *
 * Between park.c and park_pages.c: numbers in deltas, and the part of paged memory.
 */
#ifndef MACHINE_PARK_PRIVATE_H
#define MACHINE_PARK_PRIVATE_H

#include "machine/machine_private.h"
#include "machine/park.h"

enum { PIECE = 32 }; /* bytes: what memory is compared by */

/* In groups of seven bits, the lowest first. */
void park_put_number(Buf *out, u64 number);
u64 park_get_number(const u8 **at);
bool park_piece_differs(const u8 *a, const u8 *b);

/* park_words.c. Reading sets sizes, too; what is in the spaces stays, and what is new is zero. hosts: what the origin was allowed. */
void park_write_words(const Machine *machine, Buf *out);
Status park_read_words(Machine *machine, const HostFunction *hosts, const u64 *at);

/* park_pages.c: the paged memory of a machine at rest. */
typedef struct BasePages BasePages;

/* *bytes: what it takes of the host is added. take: the memory of the machine itself may become the base's. */
Status park_freeze_pages(const Machine *machine, BasePages **out, bool take, u64 *bytes);
void park_destroy_pages(BasePages *pages);
void park_pack_pages(const Machine *machine, const BasePages *pages, Buf *out);
/* The machine has just been frozen: its memory lies over the base now, if that is possible. left: as in machine_settle. */
Status park_settle_pages(Machine *machine, const BasePages *pages, MachineLeft **left);
/* Memory of its own, that can be made hard. */
bool park_unshare_pages(Machine *machine);
u64 park_changed_pages(const Machine *machine, const BasePages *pages);
/* As the base. Shared memory is not there: the guest brings it. */
Status park_unwind_pages(Machine *machine, const BasePages *pages);
/* No page of shared memory is there: the guest brings what there is to be. */
Status park_forget_shared(Machine *machine);
/* A machine that is as the base becomes what was packed. */
Status park_unpack_pages(Machine *machine, const u8 **at);

#endif
