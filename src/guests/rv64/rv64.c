/* SPDX-License-Identifier: MIT */
#include "guests/rv64/rv64.h"

const Guest rv64_guest = {
	.name = "rv64",
	.isa_name = "RV64GC",
	.isa_text = rv64_isa_text,
};
