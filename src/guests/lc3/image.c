/* SPDX-License-Identifier: MIT
 *
 * The description and the two operating systems, embedded as they stand in the files.
 */
#include "guests/embed.h"
#include "guests/lc3/lc3.h"

EMBED(lc3_isa_text, "src/guests/lc3/lc3.isa", ".byte 0\n");
EMBED(lc3_isa_frozen, BUILD_DIR "/src/guests/lc3/lc3.frozen", "");
EMBED(lc3_os_image, BUILD_DIR "/lc3-os.obj", "");
EMBED(lc3_classic_image, BUILD_DIR "/lc3-os-classic.obj", "");
