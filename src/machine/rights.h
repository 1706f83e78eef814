/* SPDX-License-Identifier: MIT
 *
 * What a machine may do, as a set of bits. It is no part of the machine's state: whoever runs it says so, anew at any time between two
 * runs. A machine that nobody said anything about may do all.
 *
 * Each host function of a description belongs to one right (machine_host_group). Who calls it without stops with STOP_DENIED; Linux
 * programs get EPERM, or what else they expect (docs/hypervisor.md).
 */
#ifndef MACHINE_RIGHTS_H
#define MACHINE_RIGHTS_H

#include "base/types.h"

typedef enum Right {
#define X(NAME, name, about) RIGHT_##NAME,
#include "machine/rights.def"
#undef X
	RIGHT_COUNT
} Right;

enum {
#define X(NAME, name, about) MAY_##NAME = 1 << RIGHT_##NAME,
#include "machine/rights.def"
#undef X
	MAY_NOTHING = 0,
	MAY_ALL = (1 << RIGHT_COUNT) - 1,
	/* Nothing that leads out of the machine but its console. */
	MAY_PLAIN = MAY_OUTPUT | MAY_INPUT | MAY_RANDOM | MAY_TIME | MAY_VCPUS | MAY_SERVICES,
};

const char *right_name(Right right); /* "output" */
const char *right_about(Right right);
/* RIGHT_COUNT: there is none of this name. */
Right right_find(const char *name);

#endif
