/* SPDX-License-Identifier: MIT
 *
 * Code for an access to a space that is not paged (core/space.h), from registers to registers: for every compiler of this
 * host. Nothing here knows what a value or an exit is.
 *
 *     index = x64_cells_index(..)   which cell: the address, or what is left of it after wrapping
 *     x64_cells_check(..)           jumps away unless all cells are there and none has a mark that matters
 *     x64_cells_load / _store       the access itself
 *
 * A Space is read where it lies (`spaces`: a register with Vcpu.spaces), so that one that has grown, or another
 * vCPU's, needs no new code. Its shape (cells, order, wrapping, size of a granule) is fixed when the machine is made.
 */
#ifndef JIT_X64_X64_CELLS_H
#define JIT_X64_X64_CELLS_H

#include "core/space.h"
#include "jit/x64/x64_emit.h"

enum { X64_CELLS_SITES = 4 }; /* jumps of one check, at most */

typedef struct X64Cells {
	const Space *space;
	u32 number;         /* of the space */
	u8 width;           /* of the access, in bits */
	u8 address_width;   /* of the address: no bits above */
	bool store;
	bool plain;         /* a load that no mark changes (Translation.plain_spaces) */
	bool fixed;         /* the address is `address` */
	u64 address;
} X64Cells;

/* Has the access a form that the functions below know? Else it is somebody else's. */
bool x64_cells_possible(const X64Cells *access);
/* Can a load extend the sign, too? */
bool x64_cells_signs(const X64Cells *access);
/* The register that holds the index: `address` itself, or `scratch`. Of a fixed address: always scratch, and `address` is not
 * looked at. */
u8 x64_cells_index(X64Buf *x, const X64Cells *access, u8 address, u8 scratch);
/* How many jumps there are in sites, to be patched to where the access is done otherwise. scratch: not index. */
unsigned x64_cells_check(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 *sites[X64_CELLS_SITES]);
/* Zero-extended, or the sign. scratch: not index, but it may be spaces; to: any. */
void x64_cells_load(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 to, bool sign);
/* value: neither scratch nor index; changed where x64_cells_swaps. */
bool x64_cells_swaps(const X64Cells *access);
void x64_cells_store(X64Buf *x, const X64Cells *access, u8 spaces, u8 index, u8 scratch, u8 value);

#endif
