/* SPDX-License-Identifier: MIT */
#include "linux/area.h"

#include <stdlib.h>

static u64 lower(u64 a, u64 b)
{
	return a < b ? a : b;
}

static u64 higher(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* Where the area's own range begins for those who look for a place. */
static u64 guarded_start(const Area *area)
{
	if (!(area->flags & AREA_GROWS_DOWN))
		return area->start;
	return area->start > AREA_GUARD ? area->start - AREA_GUARD : 0;
}

static u64 gap_start(const Area *area)
{
	return area->previous ? area->previous->end : 0;
}

/* ---- The tree ---- */

static u8 height(const Area *area)
{
	return area ? area->height : 0;
}

static u64 widest(const Area *area)
{
	return area ? area->widest : 0;
}

static void update(Area *area)
{
	u64 from = gap_start(area), to = guarded_start(area);

	area->gap = to > from ? to - from : 0;
	area->height = 1 + (height(area->left) > height(area->right) ? height(area->left) : height(area->right));
	area->widest = higher(area->gap, higher(widest(area->left), widest(area->right)));
}

static void replace_child(Areas *areas, Area *up, Area *old, Area *with)
{
	if (!up)
		areas->root = with;
	else if (up->left == old)
		up->left = with;
	else
		up->right = with;
	if (with)
		with->up = up;
}

static Area *rotate_left(Areas *areas, Area *area)
{
	Area *top = area->right;

	replace_child(areas, area->up, area, top);
	area->right = top->left;
	if (area->right)
		area->right->up = area;
	top->left = area;
	area->up = top;
	update(area);
	update(top);
	return top;
}

static Area *rotate_right(Areas *areas, Area *area)
{
	Area *top = area->left;

	replace_child(areas, area->up, area, top);
	area->left = top->right;
	if (area->left)
		area->left->up = area;
	top->right = area;
	area->up = top;
	update(area);
	update(top);
	return top;
}

/* Heights and gaps from here up to the root. */
static void repair(Areas *areas, Area *area)
{
	for (; area; area = area->up) {
		int lean = height(area->left) - height(area->right);

		if (lean > 1) {
			if (height(area->left->left) < height(area->left->right))
				rotate_left(areas, area->left);
			area = rotate_right(areas, area);
		} else if (lean < -1) {
			if (height(area->right->right) < height(area->right->left))
				rotate_right(areas, area->right);
			area = rotate_left(areas, area);
		} else {
			update(area);
		}
	}
}

/* ---- Changing ---- */

Area *area_insert(Areas *areas, const Area *like)
{
	Area *area = malloc(sizeof *area), *up = NULL, *previous = NULL, *at = areas->root;

	if (!area)
		return NULL;
	*area = *like;
	area->left = area->right = NULL;
	while (at) {
		up = at;
		if (at->start < area->start) {
			previous = at;
			at = at->right;
		} else {
			at = at->left;
		}
	}
	area->previous = previous;
	area->next = previous ? previous->next : areas->first;
	*(previous ? &previous->next : &areas->first) = area;
	*(area->next ? &area->next->previous : &areas->last) = area;
	area->up = up;
	if (!up)
		areas->root = area;
	else if (previous == up)
		up->right = area;
	else
		up->left = area;
	areas->count++;
	areas->pages += (area->end - area->start) >> 12;
	repair(areas, area);
	if (area->next)
		repair(areas, area->next);
	return area;
}

void area_remove(Areas *areas, Area *area)
{
	Area *next = area->next, *from; /* the lowest place whose subtree changes */

	if (area->left && area->right) {
		/* The next one, which has nothing on its left, takes the place. */
		Area *with = next;

		from = with->up == area ? with : with->up;
		replace_child(areas, with->up, with, with->right);
		with->left = area->left;
		with->right = area->right;
		replace_child(areas, area->up, area, with);
		with->left->up = with;
		if (with->right)
			with->right->up = with;
	} else {
		from = area->up;
		replace_child(areas, area->up, area, area->left ? area->left : area->right);
	}
	*(area->previous ? &area->previous->next : &areas->first) = next;
	*(next ? &next->previous : &areas->last) = area->previous;
	areas->count--;
	areas->pages -= (area->end - area->start) >> 12;
	if (areas->recent == area)
		areas->recent = NULL;
	free(area);
	repair(areas, from);
	if (next)
		repair(areas, next);
}

void area_resize(Areas *areas, Area *area, u64 start, u64 end)
{
	areas->pages += ((end - start) >> 12) - ((area->end - area->start) >> 12);
	area->start = start;
	area->end = end;
	repair(areas, area);
	if (area->next)
		repair(areas, area->next);
}

/* ---- Finding ---- */

Area *area_find(Areas *areas, u64 address)
{
	Area *best = areas->recent, *at = areas->root;

	if (best && best->start <= address && address < best->end)
		return best;
	best = NULL;
	while (at) {
		if (address < at->end) {
			best = at;
			if (at->start <= address)
				break;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	if (best)
		areas->recent = best;
	return best;
}

Area *area_at(Areas *areas, u64 address)
{
	Area *area = area_find(areas, address);

	return area && area->start <= address ? area : NULL;
}

/* The gap before `area` within [low, high) has room. */
static bool fits(const Area *area, u64 low, u64 high, u64 len, u64 *from, u64 *to)
{
	*from = higher(gap_start(area), low);
	*to = lower(guarded_start(area), high);
	return *to > *from && *to - *from >= len;
}

static bool place_below(const Area *area, u64 low, u64 high, u64 len, u64 *start)
{
	u64 from, to;

	/* Only the gaps that low or high cut in two can disappoint, so this visits few more nodes than the tree is deep. */
	while (area && area->widest >= len) {
		if (area->end < high && place_below(area->right, low, high, len, start))
			return true;
		if (fits(area, low, high, len, &from, &to)) {
			*start = to - len;
			return true;
		}
		if (area->start <= low)
			return false;
		area = area->left;
	}
	return false;
}

static bool place_above(const Area *area, u64 low, u64 high, u64 len, u64 *start)
{
	u64 to;

	while (area && area->widest >= len) {
		if (area->start > low && place_above(area->left, low, high, len, start))
			return true;
		if (fits(area, low, high, len, start, &to))
			return true;
		if (area->end >= high)
			return false;
		area = area->right;
	}
	return false;
}

bool area_place_below(const Areas *areas, u64 low, u64 high, u64 len, u64 *start)
{
	u64 end = areas->last ? higher(areas->last->end, low) : low;

	if (high > end && high - end >= len) {
		*start = high - len;
		return true;
	}
	return place_below(areas->root, low, high, len, start);
}

bool area_place_above(const Areas *areas, u64 low, u64 high, u64 len, u64 *start)
{
	u64 end = areas->last ? higher(areas->last->end, low) : low;

	if (place_above(areas->root, low, high, len, start))
		return true;
	*start = end;
	return high > end && high - end >= len;
}

bool area_is_free(Areas *areas, u64 start, u64 end)
{
	const Area *next = area_find(areas, start);

	return !next || guarded_start(next) >= end;
}

/* ---- For tests ---- */

static bool check_node(const Area *area, const Area *up, u64 *nodes)
{
	int lean;
	u64 from, to;

	if (!area)
		return true;
	++*nodes;
	from = gap_start(area);
	to = guarded_start(area);
	lean = height(area->left) - height(area->right);
	return area->up == up && lean >= -1 && lean <= 1 && area->gap == (to > from ? to - from : 0) &&
	       area->height == 1 + (lean > 0 ? height(area->left) : height(area->right)) &&
	       area->widest == higher(area->gap, higher(widest(area->left), widest(area->right))) &&
	       (!area->left || area->left->start < area->start) && (!area->right || area->right->start > area->start) &&
	       check_node(area->left, area, nodes) && check_node(area->right, area, nodes);
}

bool area_check(const Areas *areas)
{
	u64 nodes = 0, links = 0, pages = 0;
	const Area *previous = NULL;

	if (!check_node(areas->root, NULL, &nodes))
		return false;
	for (const Area *area = areas->first; area; area = area->next) {
		if (area->previous != previous || area->start >= area->end || (previous && previous->end > area->start))
			return false;
		previous = area;
		links++;
		pages += (area->end - area->start) >> 12;
	}
	return areas->last == previous && nodes == links && links == areas->count && pages == areas->pages;
}
