/* SPDX-License-Identifier: MIT
 *
 * What the files of paged spaces have in common: how the view of a hard space follows its attr (space_view.c). In a soft
 * space these do nothing. None fails: a view that can't follow is taken away.
 */
#ifndef CORE_SPACE_PRIVATE_H
#define CORE_SPACE_PRIVATE_H

#include "core/space.h"

/* attr of pages page .. end - 1 has changed. */
void space_view_follow(Space *space, u64 page, u64 end);
/* Likewise; what allows less than attr does may stay. */
void space_view_lower(Space *space, u64 page, u64 end);
/* The present ones among them are about to become absent. */
void space_view_hide(Space *space, u64 page, u64 end);
/* Other memory lies at base there; none of it is present. */
void space_view_replace(Space *space, u64 page, u64 count);

#endif
