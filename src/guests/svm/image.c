/* SPDX-License-Identifier: MIT
 *
 * The description, embedded as it stands in the file, and loaded.
 */
#include "guests/embed.h"
#include "guests/svm/svm.h"

EMBED(svm_isa_text, "src/guests/svm/svm.isa", ".byte 0\n");
EMBED(svm_isa_frozen, BUILD_DIR "/src/guests/svm/svm.frozen", "");
