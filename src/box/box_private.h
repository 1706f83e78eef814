/* SPDX-License-Identifier: MIT */
#ifndef BOX_PRIVATE_H
#define BOX_PRIVATE_H

#include "box/box.h"

struct Box {
	BoxCore cores[BOX_CORES];
	SharedMemory *memories[BOX_MEMORIES];
	u32 core_count, memory_count;
	u64 quantum, instruction_ns;
	u32 turn;         /* core that runs next */
	u64 left;         /* of its quantum */
	u64 icount, skipped; /* skipped: time that passed while all slept, in ns */
};

#endif
