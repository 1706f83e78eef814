/* SPDX-License-Identifier: MIT
 *
 * Atomic accesses to plain memory, as the host's own: all vCPUs of a machine run on one thread today, so nothing could come
 * between a load and a store either, but memory may be shared with other processes of the host.
 *
 * What is not plain (a device, a mark, a right that is missing, an address that is not aligned, cells whose width no host
 * integer has) is left to the slow path, which reads and writes.
 */
#include "interp/interp_private.h"

static bool all_plain(const Space *space, u64 at, unsigned cells)
{
	const u8 paged = ATTR_PAGED_LOAD | ATTR_PAGED_STORE;
	u64 last = at + cells - 1;

	if (space->paged) /* aligned: within one page */
		return (space->attr[at >> space->attr_shift] & paged) == (ATTR_READ | ATTR_WRITE);
	for (u64 i = at >> space->attr_shift; i <= last >> space->attr_shift; i++)
		if (space->attr[i] & (ATTR_SLOW_READ | ATTR_SLOW_WRITE))
			return false;
	return true;
}

/* min and max of the host need a loop. */
#define CHOOSE(type, test) \
	do { \
		u##type now_ = __atomic_load_n(at, __ATOMIC_SEQ_CST); \
		while (test) \
			if (__atomic_compare_exchange_n(at, &now_, (u##type)value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) \
				break; \
		return now_; \
	} while (0)

#define HOST_RMW(type) \
static u64 rmw##type(u##type *at, IrRmw kind, u64 value) \
{ \
	switch (kind) { \
	case IR_RMW_SWAP: return __atomic_exchange_n(at, (u##type)value, __ATOMIC_SEQ_CST); \
	case IR_RMW_ADD: return __atomic_fetch_add(at, (u##type)value, __ATOMIC_SEQ_CST); \
	case IR_RMW_AND: return __atomic_fetch_and(at, (u##type)value, __ATOMIC_SEQ_CST); \
	case IR_RMW_OR: return __atomic_fetch_or(at, (u##type)value, __ATOMIC_SEQ_CST); \
	case IR_RMW_XOR: return __atomic_fetch_xor(at, (u##type)value, __ATOMIC_SEQ_CST); \
	case IR_RMW_MIN: CHOOSE(type, (i##type)now_ > (i##type)value); \
	case IR_RMW_MAX: CHOOSE(type, (i##type)now_ < (i##type)value); \
	case IR_RMW_MINU: CHOOSE(type, now_ > (u##type)value); \
	case IR_RMW_MAXU: CHOOSE(type, now_ < (u##type)value); \
	case IR_RMW_COUNT: break; \
	} \
	return 0; \
}

HOST_RMW(8)
HOST_RMW(16)
HOST_RMW(32)
HOST_RMW(64)

#define HOST_CAS(type) \
static u64 cas##type(u##type *at, u64 expected, u64 value) \
{ \
	u##type now = (u##type)expected; \
\
	__atomic_compare_exchange_n(at, &now, (u##type)value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	return now; \
}

HOST_CAS(8)
HOST_CAS(16)
HOST_CAS(32)
HOST_CAS(64)

bool interp_atomic_plain(Space *space, const Atomic *op, u64 address, u64 *old)
{
	unsigned bytes = op->width / 8, cells = op->width / space->cell_bits;
	u64 at = address & space->wrap_mask;
	void *host;

	if ((op->width & (op->width - 1)) || op->width < 8 || (cells > 1 && (space->big || space->cell_bits != 8)) ||
	    (cells == 1 && 8u << space->cell_shift != space->cell_bits) || space->cells < cells ||
	    at > space->cells - cells || (cells > 1 && at % cells) || !all_plain(space, at, cells))
		return false;
	host = space->base + (at << space->cell_shift);
	switch (bytes) {
	case 1: *old = op->cas ? cas8(host, op->expected, op->value) : rmw8(host, op->kind, op->value); break;
	case 2: *old = op->cas ? cas16(host, op->expected, op->value) : rmw16(host, op->kind, op->value); break;
	case 4: *old = op->cas ? cas32(host, op->expected, op->value) : rmw32(host, op->kind, op->value); break;
	default: *old = op->cas ? cas64(host, op->expected, op->value) : rmw64(host, op->kind, op->value); break;
	}
	return true;
}
