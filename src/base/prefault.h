/* SPDX-License-Identifier: MIT
 *
 * Memory that is about to be written whole: its pages come from the host at once, instead of by a fault each (some
 * 0.2 us a page instead of 0.7). Nothing but speed depends on it: hosts that do not know how leave it.
 */
#ifndef BASE_PREFAULT_H
#define BASE_PREFAULT_H

#include <stddef.h>

void prefault(void *at, size_t len);

#endif
