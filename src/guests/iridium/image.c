/* SPDX-License-Identifier: MIT
 *
 * The description, embedded as it stands in its file.
 */
#include "guests/embed.h"
#include "guests/iridium/iridium.h"

EMBED(iridium_isa_text, "src/guests/iridium/iridium.isa", ".byte 0\n");
EMBED(iridium_isa_frozen, BUILD_DIR "/src/guests/iridium/iridium.frozen", "");
