/* SPDX-License-Identifier: MIT */
#include "guests/embed.h"
#include "guests/merry/merry.h"

EMBED(merry_isa_text, "src/guests/merry/merry.isa", ".byte 0\n");
EMBED(merry_isa_frozen, BUILD_DIR "/src/guests/merry/merry.frozen", "");
