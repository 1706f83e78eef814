/* SPDX-License-Identifier: MIT
 *
 * The description, embedded as it stands in the file, and loaded.
 */
#include "guests/embed.h"
#include "guests/rv64/rv64.h"

EMBED(rv64_isa_text, "src/guests/rv64/rv64.isa", ".byte 0\n");
EMBED(rv64_isa_frozen, BUILD_DIR "/src/guests/rv64/rv64.frozen", "");
