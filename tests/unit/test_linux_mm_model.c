/* SPDX-License-Identifier: MIT
 *
 * The memory of a process against a model that knows each page by itself: random mmap, munmap, mprotect, mremap,
 * madvise and fork in a window of 256 pages, every page's rights and content compared.
 */
#include "unit/linux_mm.h"

enum { WINDOW = 0x200000, PAGES = 256, OBJECTS = 4096, OBJECT_PAGES = 64 };

typedef enum Kind { NOTHING, ANONYMOUS, FILE_COPY, FILE_SHARED, OBJECT } Kind;

typedef struct Page {
	Kind kind;
	u32 prot;
	u32 object;   /* OBJECT: which */
	u64 index;    /* page of the file or object */
	u64 value;    /* ANONYMOUS, and FILE_COPY when written */
	bool written;
} Page;

typedef struct Model {
	Page pages[PAGES];
	u64 objects[OBJECTS][OBJECT_PAGES];
	u32 object_size[OBJECTS]; /* in pages */
	u32 object_count;
	u64 file[FILE_PAGES];
} Model;

static u64 address_of(u64 page)
{
	return WINDOW + page * PAGE;
}

static bool in_window(u64 address, u64 pages)
{
	return address >= WINDOW && (address - WINDOW) / PAGE + pages <= PAGES;
}

/* Where its content is; NULL: beyond the end. */
static u64 *content(Model *model, Page *page)
{
	static u64 copied;

	switch (page->kind) {
	case ANONYMOUS:
		return &page->value;
	case FILE_COPY:
		copied = file_value(page->index);
		return page->index >= FILE_PAGES ? NULL : page->written ? &page->value : &copied;
	case FILE_SHARED:
		return page->index >= FILE_PAGES ? NULL : &model->file[page->index];
	case OBJECT:
		return page->index >= model->object_size[page->object] ? NULL : &model->objects[page->object][page->index];
	default:
		return NULL;
	}
}

static bool can_read(const Page *page)
{
	return page->kind && (page->prot & RW);
}

static void compare(Rig *rig, Model *model)
{
	Mm *mm = rig->process.mm;
	u64 data = 0;

	assert_true(area_check(&mm->areas));
	for (u64 p = 0; p < PAGES; p++) {
		Page *page = &model->pages[p];
		const Area *area = area_at(&mm->areas, address_of(p));
		u8 attr = machine_page_attr(rig->machine, mm->aspace, address_of(p));
		u64 value, *wanted = content(model, page);
		bool readable = can_read(page) && wanted;
		i32 code;

		assert_int_equal(area != NULL, page->kind != NOTHING);
		assert_true(!attr || area);
		if (area)
			assert_int_equal(area->prot, page->prot);
		if (attr)
			assert_int_equal(attr & ATTR_RIGHTS, mm_rights(page->prot));
		if (area && (page->prot & LINUX_PROT_WRITE) && (page->kind == ANONYMOUS || page->kind == FILE_COPY))
			data++;
		if (load(rig, address_of(p), &value) != readable)
			fail_msg("page %u: readable %d", (unsigned)p, !readable);
		if (readable)
			assert_int_equal(value, *wanted);
		else
			assert_int_equal(fault(rig, address_of(p), ATTR_READ, &code), can_read(page) ? 7 : 11);
		if (!readable && !can_read(page))
			assert_int_equal(code, page->kind ? 2 : 1);
	}
	assert_int_equal(mm->data_pages, data);
}

static void write_some(Rig *rig, Model *model, Rng *rng)
{
	for (int i = 0; i < 12; i++) {
		u64 p = rng_below(rng, PAGES), value = rng_next(rng);
		Page *page = &model->pages[p];
		bool can = page->kind && (page->prot & LINUX_PROT_WRITE) && content(model, page);

		assert_int_equal(store(rig, address_of(p), value), can);
		if (can && page->kind == FILE_COPY) {
			page->written = true;
			page->value = value;
		} else if (can) {
			*content(model, page) = value;
		}
	}
}

/* ---- The operations ---- */

static void range(Rng *rng, u64 *page, u64 *count)
{
	*count = 1 + rng_below(rng, 24);
	*page = rng_below(rng, PAGES - *count);
}

static u32 some_prot(Rng *rng)
{
	static const u32 prots[] = {RW, RW, RW, LINUX_PROT_READ, 0, RW | LINUX_PROT_EXEC, LINUX_PROT_EXEC};

	return prots[rng_below(rng, COUNT_OF(prots))];
}

static void map(Rig *rig, Model *model, Rng *rng)
{
	u64 page, count, index = rng_below(rng, FILE_PAGES);
	u32 prot = some_prot(rng), flags = rng_below(rng, 2) ? LINUX_MAP_FIXED : 0;
	Kind kind = ANONYMOUS + (Kind)rng_below(rng, 4);
	i64 got;

	range(rng, &page, &count);
	if (kind == OBJECT && model->object_count == OBJECTS)
		kind = ANONYMOUS;
	flags |= kind == ANONYMOUS || kind == FILE_COPY ? LINUX_MAP_PRIVATE : LINUX_MAP_SHARED;
	flags |= kind == ANONYMOUS || kind == OBJECT ? LINUX_MAP_ANONYMOUS : 0;
	if (rng_below(rng, 8) == 0)
		flags |= LINUX_MAP_POPULATE;
	got = CALL(rig, mmap, address_of(page), count * PAGE, prot, flags, kind == FILE_COPY ? FIXED_FD : SHARED_FD,
		   index * PAGE);
	assert_true(got > 0);
	if (!in_window((u64)got, count)) {
		assert_false(flags & LINUX_MAP_FIXED);
		assert_int_equal(CALL(rig, munmap, (u64)got, count * PAGE), 0);
		return;
	}
	if (kind == OBJECT) {
		model->object_size[model->object_count++] = (u32)count;
		index = 0;
	}
	for (u64 i = 0, p = ((u64)got - WINDOW) / PAGE; i < count; i++, p++) {
		assert_true((flags & LINUX_MAP_FIXED) || !model->pages[p].kind);
		model->pages[p] = (Page){.kind = kind, .prot = prot, .index = index + i, .object = model->object_count - 1};
	}
}

static void unmap(Rig *rig, Model *model, Rng *rng)
{
	u64 page, count;

	range(rng, &page, &count);
	assert_int_equal(CALL(rig, munmap, address_of(page), count * PAGE), 0);
	memset(&model->pages[page], 0, count * sizeof(Page));
}

static void protect(Rig *rig, Model *model, Rng *rng)
{
	u64 page, count, i = 0;
	u32 prot = some_prot(rng);
	i64 got;

	range(rng, &page, &count);
	got = CALL(rig, mprotect, address_of(page), count * PAGE, prot);
	/* As far as it is mapped without a hole. */
	for (; i < count && model->pages[page + i].kind; i++)
		model->pages[page + i].prot = prot;
	assert_int_equal(got, i == count ? 0 : -ENOMEM);
}

static void dont_need(Rig *rig, Model *model, Rng *rng)
{
	u64 page, count;
	bool hole = false;
	i64 got;

	range(rng, &page, &count);
	got = CALL(rig, madvise, address_of(page), count * PAGE, 4);
	for (u64 i = 0; i < count; i++) {
		Page *p = &model->pages[page + i];

		hole = hole || !p->kind;
		p->written = false;
		p->value = 0;
	}
	assert_int_equal(got, hole ? -ENOMEM : 0);
}

static bool continues(const Page *a, const Page *b)
{
	if (a->kind != b->kind || a->prot != b->prot)
		return false;
	return a->kind == ANONYMOUS || (a->object == b->object && b->index == a->index + 1) ||
	       (a->kind != OBJECT && b->index == a->index + 1);
}

static void remap(Rig *rig, Model *model, Rng *rng)
{
	static Page moved[PAGES];
	u64 from, old, to, count;
	bool fixed = rng_below(rng, 3) == 0, keep = !fixed && rng_below(rng, 4) == 0, one = true;
	u64 flags = fixed ? 3 : keep ? 5 : rng_below(rng, 2);
	i64 got;

	range(rng, &from, &old);
	range(rng, &to, &count);
	if (keep)
		count = old;
	if (fixed && rng_below(rng, 3) == 0 && from + old + count <= PAGES)
		to = from + old; /* its neighbour */
	if (fixed && to < from + old && from < to + count)
		return;
	for (u64 i = 0; i < old; i++)
		one = one && model->pages[from + i].kind && (i == 0 || continues(&model->pages[from + i - 1], &model->pages[from + i]));
	got = CALL(rig, mremap, address_of(from), old * PAGE, count * PAGE, flags, address_of(to));
	if (!one)
		assert_true(got == -EFAULT || (keep && got == -EINVAL));
	if (got < 0) {
		if (one && !keep)
			assert_int_equal(got, -ENOMEM); /* no room where it is, and it may not move */
		return;
	}
	memcpy(moved, &model->pages[from], old * sizeof(Page));
	for (u64 i = old; i < count; i++) {
		moved[i] = moved[i - 1];
		moved[i].index++;
		moved[i].value = 0;
		moved[i].written = false;
	}
	memset(&model->pages[from], 0, old * sizeof(Page));
	if (keep)
		for (u64 i = 0; i < old; i++)
			model->pages[from + i] = (Page){.kind = ANONYMOUS, .prot = moved[i].prot};
	if (!in_window((u64)got, count)) {
		assert_int_equal(CALL(rig, munmap, (u64)got, count * PAGE), 0);
		return;
	}
	to = ((u64)got - WINDOW) / PAGE;
	for (u64 i = 0; i < count; i++) {
		assert_true(fixed || !model->pages[to + i].kind);
		model->pages[to + i] = moved[i];
	}
}

/* A child has the same; what it then writes into its own pages its parent does not see. */
static void go_on_as_child(Rig *rig, Model *model, Rng *rng)
{
	Mm *parent = rig->process.mm, *child = mm_fork(parent);

	assert_non_null(child);
	rig->process.mm = child;
	compare(rig, model);
	if (rng_below(rng, 2)) {
		mm_put(parent);
		return;
	}
	for (u64 p = 0; p < PAGES; p++)
		if (model->pages[p].kind == ANONYMOUS && (model->pages[p].prot & LINUX_PROT_WRITE))
			assert_true(store(rig, address_of(p), 0xBAD));
	rig->process.mm = parent;
	compare(rig, model);
	mm_put(child);
}

static void random_operations(void **state)
{
	static Model model;
	Rig rig;

	(void)state;
	for (u64 round = 0; round < 12; round++) {
		Rng rng = {.state = round};

		memset(&model, 0, sizeof model);
		for (u64 i = 0; i < FILE_PAGES; i++)
			model.file[i] = file_value(i);
		rig_open(&rig, 64 << 20);
		rig.process.mm->map_top = address_of(PAGES);
		for (int step = 0; step < 800; step++) {
			static void (*const operations[])(Rig *rig, Model *model, Rng *rng) = {
				map, map, map, unmap, protect, protect, dont_need, remap, remap, write_some, write_some,
			};

			operations[rng_below(&rng, COUNT_OF(operations))](&rig, &model, &rng);
			if (rng_below(&rng, 40) == 0)
				go_on_as_child(&rig, &model, &rng);
			if (step % 5 == 0)
				compare(&rig, &model);
		}
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
