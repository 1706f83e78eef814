/* SPDX-License-Identifier: MIT
 *
 * What the files of paged spaces have in common: how the view of a hard space follows its attr (space_view.c). In a soft
 * space these do nothing. None fails: a view that can't follow is taken away.
 */
#ifndef CORE_SPACE_PRIVATE_H
#define CORE_SPACE_PRIVATE_H

#include <stddef.h>

#include "core/space.h"

/* attr of pages page .. end - 1 has changed. */
void space_view_follow(Space *space, u64 page, u64 end);
/* Likewise; what allows less than attr does may stay. */
void space_view_lower(Space *space, u64 page, u64 end);
/* The present ones among them are about to become absent. */
void space_view_hide(Space *space, u64 page, u64 end);
/* Other memory lies at base there; none of it is present. */
void space_view_replace(Space *space, u64 page, u64 count);

/* Lists of pieces in ascending order, each of `size` bytes that begin with its page and how many there are: index of the first piece that
 * ends behind `page`. */
u32 space_piece_at(const void *pieces, size_t size, u32 count, u64 page);
_Static_assert(offsetof(SpaceBacking, page) == 0 && offsetof(SpaceBacking, count) == 8, "space_piece_at");
_Static_assert(offsetof(SpaceImage, page) == 0 && offsetof(SpaceImage, count) == 8, "space_piece_at");

/* Images no longer lie there (the list alone); there is room for one more, see space_image_room. */
void space_image_cut(Space *space, u64 page, u64 end);
bool space_image_room(Space *space);
/* Nothing of images is in these pages from now on. False: so many maps are too many; some have zeros written over them. */
bool space_image_drop(Space *space, u64 page, u64 end);
/* Zeros of its own in place of what is there (space_paged.c). */
Status space_make_private(Space *space, u64 page, u64 count);

#endif
