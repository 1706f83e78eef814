/* SPDX-License-Identifier: MIT
 *
 * The description, embedded as it stands in the file, and loaded.
 */
#include "guests/embed.h"
#include "guests/tinyvm/tinyvm.h"

EMBED(tinyvm_isa_text, "src/guests/tinyvm/tinyvm.isa", ".byte 0\n");
EMBED(tinyvm_isa_frozen, BUILD_DIR "/src/guests/tinyvm/tinyvm.frozen", "");
