/* SPDX-License-Identifier: MIT
 *
 * Descriptions: where their text comes from, what they say.
 */
#include "api/api_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "guests/guests.h"
#include "isa/isa_frozen.h"

enum { TEXT_LIMIT = 4 << 20, CHOICES = 256 };

/* ---- Loading ---- */

/* "profile=v3" into the arena. */
static bool add_choice(Arena *arena, IsaChoice *choices, u32 *count, const char *text)
{
	const char *equals = text ? strchr(text, '=') : NULL;
	const char *option = equals ? arena_strndup(arena, text, (size_t)(equals - text)) : NULL;
	const char *choice = equals ? arena_strdup(arena, equals + 1) : NULL;
	u32 at = 0;

	if (!option || !choice)
		return false;
	while (at < *count && strcmp(choices[at].option, option) != 0)
		at++;
	choices[at] = (IsaChoice){option, choice};
	*count += at == *count;
	return true;
}

static husk_status load(husk_context *context, const char *name, const char *text, size_t len, const Guest *guest,
			const husk_isa_options *options, husk_isa **out, husk_error **error)
{
	IsaChoice choices[CHOICES];
	husk_status status = HUSK_OK;
	husk_isa *isa = NULL;
	DiagList diags;
	Arena arena;
	u32 count = 0;
	Isa *made;

	if (options->choice_count > CHOICES - COUNT_OF(guest->default_choices))
		return api_fail(context, error, HUSK_INVALID, "too many choices");
	arena_init(&arena);
	for (u32 i = 0; guest && i < COUNT_OF(guest->default_choices) && guest->default_choices[i] && !status; i++)
		status = add_choice(&arena, choices, &count, guest->default_choices[i]) ? HUSK_OK : HUSK_NO_MEMORY;
	for (size_t i = 0; i < options->choice_count && !status; i++)
		if (!add_choice(&arena, choices, &count, options->choices[i]))
			status = arena.failed ? HUSK_NO_MEMORY : HUSK_INVALID;
	if (status) {
		arena_fini(&arena);
		return api_fail(context, error, status, "a choice is written OPTION=CHOICE");
	}
	diag_init(&diags);
	made = guest && text == guest->isa_text ? guests_load_isa(guest, name, choices, count, &diags)
		: isa_thaw_or_load(guest ? guest->isa_frozen : NULL, name, text, len, choices, count, &diags);
	isa = made ? api_alloc(context, sizeof *isa) : NULL;
	if (isa) {
		husk_context_ref(context);
		*isa = (husk_isa){.context = context, .isa = made, .guest = guest, .refs = 1};
		*out = isa;
		api_log_diags(context, &diags);
	} else {
		isa_destroy(made);
		status = api_fail_diags(context, error, diags.errors && !made ? HUSK_TEXT : HUSK_NO_MEMORY, &diags, NULL);
	}
	diag_fini(&diags);
	arena_fini(&arena);
	return status;
}

static husk_status begin(husk_context *context, const char *name, husk_isa_options *own, const husk_isa_options *options, husk_isa **isa,
			 husk_error **error)
{
	husk_status status;

	if (isa)
		*isa = NULL;
	if (error)
		*error = NULL;
	if (!context || !isa || !name)
		return HUSK_INVALID;
	status = api_options(own, sizeof *own, options);
	if (!status && own->choice_count && !own->choices)
		status = HUSK_INVALID;
	return status;
}

const char *husk_builtin_name(size_t index)
{
	for (size_t i = 0; guests_all[i]; i++)
		if (i == index)
			return guests_all[i]->name;
	return NULL;
}

husk_status husk_isa_load_builtin(husk_context *context, const char *name, const husk_isa_options *options, husk_isa **isa,
				  husk_error **error)
{
	husk_isa_options own;
	husk_status status = begin(context, name, &own, options, isa, error);
	const Guest *guest;
	char shown[64];

	if (status)
		return status;
	guest = guests_find(name);
	if (!guest || !guest->isa_text)
		return api_fail(context, error, HUSK_NOT_FOUND, "no machine '%s' is built in", name);
	snprintf(shown, sizeof shown, "%s.isa", guest->name);
	return load(context, shown, guest->isa_text, strlen(guest->isa_text), guest, &own, isa, error);
}

/* A copy that ends with NUL, without a byte order mark. */
static husk_status load_copy(husk_context *context, const char *name, Buf *text, const husk_isa_options *options, husk_isa **isa,
			     husk_error **error)
{
	const char *start = buf_text(text);
	size_t len = text->len;

	if (text->failed)
		return api_fail(context, error, HUSK_NO_MEMORY, "out of memory");
	if (len >= 3 && memcmp(start, "\xEF\xBB\xBF", 3) == 0) {
		start += 3;
		len -= 3;
	}
	return load(context, name, start, len, guests_find_text(start), options, isa, error);
}

husk_status husk_isa_load_text(husk_context *context, const char *name, const char *text, size_t len, const husk_isa_options *options,
			       husk_isa **isa, husk_error **error)
{
	husk_isa_options own;
	husk_status status = begin(context, name, &own, options, isa, error);
	Buf copy;

	if (status || (!text && len))
		return status ? status : HUSK_INVALID;
	if (len > TEXT_LIMIT)
		return api_fail(context, error, HUSK_LIMIT, "%s is larger than %d MiB", name, TEXT_LIMIT >> 20);
	buf_init(&copy);
	buf_add(&copy, text, len);
	status = load_copy(context, name, &copy, &own, isa, error);
	buf_fini(&copy);
	return status;
}

/* Bytes up to the end, at most TEXT_LIMIT. */
static husk_status read_all(int fd, Buf *out)
{
	char part[16384];
	ssize_t got;

	while ((got = read(fd, part, sizeof part)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return HUSK_IO;
		if (out->len + (size_t)got > TEXT_LIMIT)
			return HUSK_LIMIT;
		buf_add(out, part, (size_t)got);
	}
	return HUSK_OK;
}

husk_status husk_isa_load_file(husk_context *context, const char *path, const husk_isa_options *options, husk_isa **isa,
			       husk_error **error)
{
	husk_isa_options own;
	husk_status status = begin(context, path, &own, options, isa, error);
	int fd, number;
	Buf text;

	if (status)
		return status;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	number = errno;
	if (fd < 0)
		return api_fail(context, error, number == ENOENT || number == ENOTDIR ? HUSK_NOT_FOUND : HUSK_IO, "cannot open %s: %s",
				path, strerror(number));
	buf_init(&text);
	status = read_all(fd, &text);
	number = errno;
	close(fd);
	if (status)
		status = api_fail(context, error, status, "cannot read %s: %s", path,
				  status == HUSK_LIMIT ? "it is too large" : strerror(number));
	else
		status = load_copy(context, path, &text, &own, isa, error);
	buf_fini(&text);
	return status;
}

void husk_isa_ref(husk_isa *isa)
{
	if (isa)
		api_ref(&isa->refs);
}

void husk_isa_unref(husk_isa *isa)
{
	husk_context *context;

	if (!isa || !api_unref(&isa->refs))
		return;
	context = isa->context;
	isa_destroy(isa->isa);
	api_free(context, isa, sizeof *isa);
	husk_context_unref(context);
}

/* ---- What it says ---- */

const char *husk_isa_name(const husk_isa *isa)
{
	return isa ? isa->isa->name : "";
}

const char *husk_isa_title(const husk_isa *isa)
{
	return isa && isa->isa->title ? isa->isa->title : "";
}

uint64_t husk_isa_hash(const husk_isa *isa)
{
	return isa ? isa->isa->hash : 0;
}

uint32_t husk_isa_register_count(const husk_isa *isa)
{
	return isa ? isa->isa->slot_count : 0;
}

static husk_status answer_register(const husk_isa *isa, u32 slot, husk_register_info *out)
{
	const IsaReg *reg = isa_slot_register(isa->isa, slot);
	const husk_register_info info = {.name = isa_slot_name(isa->isa, slot), .number = slot, .bits = reg ? reg->width : 64};

	return api_answer(out, sizeof info, &info);
}

husk_status husk_isa_register_at(const husk_isa *isa, uint32_t number, husk_register_info *out)
{
	if (!isa || !out)
		return HUSK_INVALID;
	return number < isa->isa->slot_count ? answer_register(isa, number, out) : HUSK_RANGE;
}

husk_status husk_isa_find_register(const husk_isa *isa, const char *name, husk_register_info *out)
{
	u32 slot;
	u8 width;

	if (!isa || !name || !out)
		return HUSK_INVALID;
	if (!isa_find_register(isa->isa, name, strlen(name), false, &slot, &width) &&
	    !isa_find_register(isa->isa, name, strlen(name), true, &slot, &width))
		return HUSK_NOT_FOUND;
	return answer_register(isa, slot, out);
}

uint32_t husk_isa_space_count(const husk_isa *isa)
{
	return isa ? isa->isa->space_count : 0;
}

husk_status husk_isa_space_at(const husk_isa *isa, uint32_t number, husk_space_info *out)
{
	husk_space_info info = {0};
	const IsaSpace *space;

	if (!isa || !out)
		return HUSK_INVALID;
	if (number >= isa->isa->space_count)
		return HUSK_RANGE;
	space = &isa->isa->spaces[number];
	info.name = space->name;
	info.number = number;
	info.cell_bits = space->cell_bits;
	info.cell_size = api_cell_size(space->cell_bits);
	info.is_paged = space->is_paged;
	info.is_code = number == isa->isa->code_space;
	info.cells = space->cells;
	return api_answer(out, sizeof info, &info);
}

husk_status husk_isa_find_space(const husk_isa *isa, const char *name, husk_space_info *out)
{
	u16 number;

	if (!isa || !out)
		return HUSK_INVALID;
	number = name ? isa_find_space(isa->isa, name, strlen(name)) : isa->isa->code_space;
	return number == ISA_NONE ? HUSK_NOT_FOUND : husk_isa_space_at(isa, number, out);
}

husk_status husk_isa_manual(const husk_isa *isa, int html, husk_blob **out)
{
	Buf text;

	if (!isa || !out)
		return HUSK_INVALID;
	*out = NULL;
	buf_init(&text);
	manual_write(isa->isa, html ? MANUAL_HTML : MANUAL_TEXT, &text);
	return api_blob(isa->context, &text, out);
}

husk_status api_find_dialect(const husk_isa *isa, const char *name, u16 *number)
{
	*number = name ? isa_find_dialect(isa->isa, name) : 0;
	return *number == ISA_NONE ? HUSK_NOT_FOUND : HUSK_OK;
}

husk_status husk_isa_disassemble(const husk_isa *isa, const char *dialect, uint64_t address, const void *cells, size_t count,
				 size_t *used, husk_blob **out)
{
	DisOptions options = {0};
	u64 wide[256];
	unsigned size;
	u32 taken;
	Buf text;

	if (out)
		*out = NULL;
	if (used)
		*used = 0;
	if (!isa || !cells || !count || !out)
		return HUSK_INVALID;
	if (api_find_dialect(isa, dialect, &options.dialect))
		return HUSK_NOT_FOUND;
	size = api_cell_size(isa->isa->spaces[isa->isa->code_space].cell_bits);
	count = count < COUNT_OF(wide) ? count : COUNT_OF(wide); /* an instruction has 256 bits at most */
	for (size_t i = 0; i < count; i++)
		wide[i] = api_cell(cells, i, size) & bits_mask(isa->isa->spaces[isa->isa->code_space].cell_bits);
	buf_init(&text);
	taken = dis_cells(isa->isa, &options, address, wide, (u32)count, &text);
	if (used)
		*used = taken;
	return api_blob(isa->context, &text, out);
}
