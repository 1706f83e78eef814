/* SPDX-License-Identifier: MIT
 *
 * The description, embedded as it stands in the file, and loaded.
 */
#include "guests/embed.h"
#include "guests/stackvm/stackvm.h"

EMBED(stackvm_isa_text, "src/guests/stackvm/stackvm.isa", ".byte 0\n");
EMBED(stackvm_isa_frozen, BUILD_DIR "/src/guests/stackvm/stackvm.frozen", "");
