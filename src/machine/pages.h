/* SPDX-License-Identifier: MIT
 *
 * Address spaces, for machines whose description has a `paged` space (space mem : 8, address 64, little, paged). A
 * machine begins with one, number 0, empty, and may have several: a process each. Every vCPU lives in one of them;
 * vCPUs of one address space are the threads of a process. An address space has its pages and its own translated code.
 *
 * Who may touch what is decided by the guest's *pager*: a page is absent until somebody touches it, and then the pager
 * makes it present, with what rights and content it likes, or says no. So pages cost nothing before their use, the
 * limit of memory counts what is really there, and a fork copies no more than that.
 *
 * A page that may be written may be read, too. Pages of shared memory count in every address space that has touched them.
 *
 * All lengths are in bytes; page addresses and lengths are multiples of SPACE_PAGE. `rights`: ATTR_READ | _WRITE | _EXEC.
 */
#ifndef MACHINE_PAGES_H
#define MACHINE_PAGES_H

#include "machine/machine.h"

/* The page of `address` does not allow `access` (one right). True: it does now (machine_pages_add, _protect). False: the
 * access is a fault: EXIT_FAULT, guest->exception. It may write to the page by machine_page_bytes, but changes no registers.
 * Without a pager every page is memory with all rights, from its first touch on. */
typedef bool (*MachinePager)(Machine *machine, u32 aspace, u64 address, u8 access);
void machine_set_pager(Machine *machine, MachinePager pager);

u16 machine_paged_space(const Machine *machine); /* number of the space; ISA_NONE: it has none */
u64 machine_address_limit(const Machine *machine); /* first address beyond a paged space */

/* ---- Address spaces ---- */
u32 machine_aspace(const Machine *machine);                    /* of the current vCPU */
u32 machine_vcpu_aspace(const Machine *machine, u32 vcpu);
Status machine_aspace_create(Machine *machine, u32 *number);   /* empty. STATUS_NOMEM, STATUS_TOO_BIG */
/* A copy: present pages are copied (those of shared memory are shared), absent ones stay absent. */
Status machine_aspace_fork(Machine *machine, u32 from, u32 *number);
/* No vCPU will run in it any more. Given back at once, or as soon as it is not the current one's. Never call it for
 * one that a live vCPU still has. */
void machine_aspace_release(Machine *machine, u32 number);
/* In a host function of the vCPU itself (execve): all functions see it at once, the program when the instruction has
 * retired. */
void machine_vcpu_set_aspace(Machine *machine, u32 vcpu, u32 number);
u64 machine_aspace_present(const Machine *machine, u32 number); /* bytes */

/* ---- Pages. Translated code that they held is forgotten ---- */
/* STATUS_TOO_BIG: the machine's memory limit. Those that are present already keep their content. */
Status machine_pages_add(Machine *machine, u32 aspace, u64 address, u64 len, u8 rights);
/* Present pages that will be written soon, one after the other: memory for them may be had at once. */
void machine_pages_expect(Machine *machine, u32 aspace, u64 address, u64 len);
void machine_pages_protect(Machine *machine, u32 aspace, u64 address, u64 len, u8 rights); /* the present ones */
void machine_pages_drop(Machine *machine, u32 aspace, u64 address, u64 len);
/* Moves what is there to another place, where nothing may be (mremap). STATUS_INVALID: something is, or they overlap. */
Status machine_pages_move(Machine *machine, u32 aspace, u64 from, u64 to, u64 len);
/* Absent pages lie in shared memory from now on: a memfd that cannot shrink. STATUS_TOO_BIG: the machine has thousands of
 * such pieces already. */
Status machine_pages_back(Machine *machine, u32 aspace, u64 address, u64 len, int fd, u64 offset);
/* Attributes of the page: 0 = absent. */
u8 machine_page_attr(const Machine *machine, u32 aspace, u64 address);
/* The first present page from *address on; false: there is none. */
bool machine_page_next(const Machine *machine, u32 aspace, u64 *address);
bool machine_aspace_is_used(const Machine *machine, u32 number); /* and not released */
/* The bytes of the present page that `address` lies in, whatever its rights; NULL: it is absent. For pagers, loaders,
 * snapshots. Who changes a page that may hold code calls machine_flush_code. */
u8 *machine_page_bytes(Machine *machine, u32 aspace, u64 address);

/* ---- Memory for host functions: checked as the program's own accesses, the pager asked ---- */
/* Bytes copied; fewer than len: address + that many is a fault. */
u64 machine_copy_in(Machine *machine, u32 aspace, u64 address, void *to, u64 len);
u64 machine_copy_out(Machine *machine, u32 aspace, u64 address, const void *from, u64 len);
/* The longest run of at most len bytes from `address` that allows `access`; *got = 0 (and NULL): a fault. For reading
 * a file straight into memory. Good until pages change. */
u8 *machine_span(Machine *machine, u32 aspace, u64 address, u64 len, u8 access, u64 *got);
/* Code in there may have changed in a way that no store has shown (shared memory written elsewhere). */
void machine_flush_code(Machine *machine, u32 aspace, u64 address, u64 len);

#endif
