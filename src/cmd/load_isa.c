/* SPDX-License-Identifier: MIT
 *
 * Which machine, and where its description is: built in, in a file, or in one of the directories for them.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strmap.h"
#include "cmd/file.h"
#include "cmd/load.h"
#include "cmd/say.h"
#include "guests/guests.h"
#include "isa/isa_frozen.h"
#include "linux/elf.h"
#include "linux/linux.h"

enum {
	ISA_TEXT_LIMIT = 4 << 20,
	SNAPSHOT_CHOICES = 64,
	LIKELY_PERCENT = 60,
	SURE = 101,   /* an extension that is the guest's own: more than any content (at most 100) */
	A_HINT = 1,   /* the extension of its object files */
	A_GUESS = 10, /* and less: its content could be of this machine, as that of any file */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The .isa files of one directory, in the order of their names. */
static bool each_in(const char *dir, Arena *arena, bool (*each)(void *ctx, const char *path), void *ctx)
{
	DIR *handle = opendir(dir);
	const struct dirent *entry;
	const char **paths = NULL;
	u32 count = 0, cap = 0;
	bool more = true;

	if (!handle)
		return true;
	while ((entry = readdir(handle))) {
		if (!file_has_extension(entry->d_name, ".isa"))
			continue;
		if (!arena_grow(arena, (void **)&paths, &cap, count, sizeof *paths))
			break;
		paths[count] = arena_printf(arena, "%s/%s", dir, entry->d_name);
		if (!paths[count])
			break;
		count++;
	}
	closedir(handle);
	if (count)
		qsort(paths, count, sizeof *paths, by_name);
	for (u32 i = 0; i < count && more; i++)
		more = each(ctx, paths[i]);
	return more;
}

void load_each_isa_file(bool (*each)(void *ctx, const char *path), void *ctx)
{
	static const char *const beside[] = {"../share/husk/isa", "examples/isa", "../../examples/isa",
						"examples/museum", "../../examples/museum"};
	const char *list = getenv("HUSK_ISA_PATH");
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
	Arena arena;
	bool more = true;

	arena_init(&arena);
	while (more && list && *list) {
		size_t n = strcspn(list, ":");
		const char *dir = arena_strndup(&arena, list, n);

		if (dir && *dir)
			more = each_in(dir, &arena, each, ctx);
		list += n + (list[n] == ':');
	}
	if (len > 0) {
		self[len] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < COUNT_OF(beside) && more; i++) {
			const char *dir = arena_printf(&arena, "%s/%s", self, beside[i]);

			if (dir)
				more = each_in(dir, &arena, each, ctx);
		}
	}
	arena_fini(&arena);
}

typedef struct NameSearch {
	const char *wanted;
	const char *found;    /* in arena */
	const char *names[64];/* those seen, for suggestions; in arena */
	u32 count;
	Arena *arena;
} NameSearch;

static bool matches(void *ctx, const char *path)
{
	NameSearch *search = ctx;
	const char *base = file_base(path);
	size_t len = strlen(base) - strlen(".isa");

	if (ascii_equal_fold(base, len, search->wanted, strlen(search->wanted))) {
		search->found = arena_strdup(search->arena, path);
		return false;
	}
	if (search->count < COUNT_OF(search->names) - 1) {
		search->names[search->count] = arena_strndup(search->arena, base, len);
		if (search->names[search->count])
			search->count++;
	}
	return true;
}

static const Guest *built_in(const char *name)
{
	const Guest *known = strchr(name, '/') || file_has_extension(name, ".isa") ? NULL : guests_find(name);

	return known && known->isa_text ? known : NULL;
}

int load_isa_text(const char *name, Buf *text, const char **shown_name, const Guest **guest, Arena *arena, Buf *error,
		  Buf *hint)
{
	NameSearch search = {.wanted = name, .arena = arena};
	const char *path = name, *nearest;
	int code;

	*guest = built_in(name);
	if (*guest) {
		*shown_name = arena_printf(arena, "%s.isa", (*guest)->name);
		buf_str(text, (*guest)->isa_text);
		return 0;
	}
	if (!strchr(name, '/') && !file_has_extension(name, ".isa")) {
		load_each_isa_file(matches, &search);
		path = search.found ? search.found : name;
	}
	if (!search.found && access(path, F_OK) != 0 && !strchr(name, '/')) {
		for (const Guest *const *g = guests_all; *g && search.count < COUNT_OF(search.names) - 1; g++)
			search.names[search.count++] = (*g)->name;
		search.names[search.count] = NULL;
		nearest = say_nearest(name, search.names);
		buf_printf(error, "no machine '%s': neither built in, nor installed, nor a file", name);
		if (nearest)
			buf_printf(hint, "did you mean %s?", nearest);
		else
			buf_str(hint, "husk isa list shows them");
		return EXIT_NOT_FOUND;
	}
	*shown_name = path;
	code = file_read(path, ISA_TEXT_LIMIT, text, error);
	if (code == 0 && file_byte_order_mark(text->data, text->len)) {
		text->len -= 3;
		memmove(text->data, text->data + 3, text->len + 1); /* with the NUL behind it */
	}
	if (code == 0)
		*guest = guests_find_text(buf_text(text));
	return code;
}

/* ---- Which machine's assembly text is this? ---- */

/* How many of the text's lines begin (behind a label perhaps) with a word of this machine, in percent. */
static unsigned likeness(const Isa *isa, const char *text, size_t len)
{
	unsigned lines = 0, hits = 0;
	const char *at = text, *end = text + len;

	while (at < end && lines < 2000) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		bool hit = false, words = false;

		if (!line_end)
			line_end = end;
		for (unsigned word = 0; word < 2 && at < line_end && !hit; word++) {
			const char *start;

			while (at < line_end && strchr(" \t\r,:", *at) && *at)
				at++;
			if (at == line_end || *at == ';' || *at == '#' || *at == '"')
				break;
			start = at;
			words = true;
			while (at < line_end && *at && !strchr(" \t\r,:;", *at))
				at++;
			hit = strmap_get(&isa->mnemonics, start, (size_t)(at - start), ISA_NONE) != ISA_NONE;
			for (u32 d = 0; d < isa->dialect_count && !hit; d++)
				for (u32 i = 0; i < isa->dialects[d].directive_count && !hit; i++) {
					const char *name = isa->dialects[d].directives[i].name;

					hit = ascii_equal_fold(name, strlen(name), start, (size_t)(at - start)) ||
					      (name[0] == '.' && /* a forgotten dot */
					       ascii_equal_fold(name + 1, strlen(name) - 1, start, (size_t)(at - start)));
				}
			if (at == start)
				at++;
		}
		lines += words;
		hits += hit;
		at = line_end + 1;
	}
	return lines ? hits * 100 / lines : 0;
}

static unsigned guest_likeness(const Guest *guest, const Buf *text)
{
	DiagList diags;
	unsigned percent = 0;
	Isa *isa;

	if (!guest->isa_text)
		return 0;
	diag_init(&diags);
	isa = guests_load_isa(guest, guest->name, NULL, 0, &diags);
	if (isa)
		percent = likeness(isa, buf_text(text), text->len);
	isa_destroy(isa);
	diag_fini(&diags);
	return percent;
}

/* How sure a guest is that a file is its own. */
static int sureness(const Guest *guest, const LoadedFile *file)
{
	GuestFile seen = {.name = file->name, .data = file->data.data, .len = file->data.len};
	int score = 0;

	if (file->is_snapshot)
		return 0;
	if (file->waits) /* which is what is known of it */
		return guest->is_linux && guest->recognize ? guest->recognize(&seen) : 0;
	if (load_own_language(guest, file->name))
		return SURE;
	if (load_is_own_asm(guest, file->name)) /* several may share an extension */
		return SURE + (int)guest_likeness(guest, &file->data);
	if (guest->recognize)
		score = guest->recognize(&seen);
	if (score < A_GUESS && !file->is_asm && (elf_is(seen.data, seen.len) || load_looks_like_text(&file->data)))
		score = 0; /* what these are is known */
	if (file->is_asm) {
		const int percent = (int)guest_likeness(guest, &file->data);

		if (percent > score)
			score = percent;
		if (score < LIKELY_PERCENT)
			score = 0; /* many machines have an ADD */
	}
	/* .bin is anybody's. */
	for (const GuestFormat *format = guest->formats; score == 0 && !file->is_asm && format && format->name; format++)
		if (strcmp(format->extension, ".bin") != 0 && file_has_extension(file->name, format->extension))
			score = A_HINT;
	return score;
}

/* The guest that is surest about any of the files. */
static const Guest *recognize(const Loaded *loaded)
{
	const Guest *best = NULL;
	int best_score = 0;

	for (const Guest *const *guest = guests_all; *guest; guest++) {
		for (u32 i = 0; i < loaded->file_count; i++) {
			int score = sureness(*guest, &loaded->files[i]);

			if (score > best_score) {
				best_score = score;
				best = *guest;
			}
		}
	}
	return best;
}

/* Now that the guest is known: which files are texts of its own? Exit code. */
static int classify(Loaded *loaded)
{
	for (u32 i = 0; i < loaded->file_count; i++) {
		LoadedFile *file = &loaded->files[i];

		if (file->is_snapshot)
			continue;
		file->language = load_own_language(loaded->guest, file->name);
		if (file->language)
			file->is_asm = file->language->to_assembly;
		else if (load_is_own_asm(loaded->guest, file->name))
			file->is_asm = true;
		if (file->language || file->is_asm)
			continue;
		for (const Guest *const *other = guests_all; *other; other++) {
			const GuestLanguage *language = load_own_language(*other, file->name);

			if (!language)
				continue;
			buf_printf(&loaded->error, "%s is written in %s, a language of %s, not of %s", file->name,
				   language->name, (*other)->isa_name, loaded->isa->name);
			return EXIT_NOT_RUNNABLE;
		}
	}
	return 0;
}

/* ---- Options of the description ---- */

static bool add_choice(IsaChoice *choices, u32 *count, const char *option, const char *choice)
{
	for (u32 i = 0; i < *count; i++) {
		if (strcmp(choices[i].option, option) == 0) {
			choices[i].choice = choice;
			return true;
		}
	}
	choices[(*count)++] = (IsaChoice){option, choice};
	return true;
}

static bool split_choice(Loaded *loaded, const char *text, IsaChoice *choices, u32 *count)
{
	const char *equals = strchr(text, '=');
	const char *option;

	if (!equals || equals == text || !equals[1]) {
		buf_printf(&loaded->error, "--set %s: write OPTION=CHOICE", text);
		return false;
	}
	option = arena_strndup(&loaded->arena, text, (size_t)(equals - text));
	return option && add_choice(choices, count, option, equals + 1);
}

/* A language of the guest may stand for a dialect: its compiler then takes the assembly texts. */
static bool choose_language(Loaded *loaded, const char *name)
{
	const GuestLanguage *language = loaded->guest ? loaded->guest->languages : NULL;

	while (language && language->name && strcmp(language->name, name) != 0)
		language++;
	if (!language || !language->name)
		return false;
	for (u32 i = 0; i < loaded->file_count; i++) {
		LoadedFile *file = &loaded->files[i];

		if (!file->is_asm || file->language)
			continue;
		file->language = language;
		file->is_asm = language->to_assembly;
	}
	return true;
}

static int choose_dialect(Loaded *loaded, const char *name)
{
	const Isa *isa = loaded->isa;

	if (!name || choose_language(loaded, name))
		return 0;
	loaded->dialect = isa_find_dialect(isa, name);
	if (loaded->dialect != ISA_NONE)
		return 0;
	loaded->dialect = 0;
	buf_printf(&loaded->error, "%s has no dialect '%s'", isa->name, name);
	buf_str(&loaded->hint, "it has:");
	for (u32 i = 0; i < isa->dialect_count; i++)
		buf_printf(&loaded->hint, " %s", isa->dialects[i].name[0] ? isa->dialects[i].name : "(one without a name)");
	return EXIT_HUSK;
}

/* The .isa file among the files, taken out of the list; or NULL. */
static const char *take_isa_file(Loaded *loaded)
{
	for (u32 i = 0; i < loaded->file_count; i++) {
		LoadedFile taken = loaded->files[i];

		if (!file_has_extension(taken.name, ".isa"))
			continue;
		buf_fini(&taken.data);
		memmove(&loaded->files[i], &loaded->files[i + 1], (loaded->file_count - i - 1) * sizeof taken);
		loaded->file_count--;
		return taken.name;
	}
	return NULL;
}

/* A snapshot names its machine; its options are added to the choices. NULL when there is no snapshot. */
static const LoadedFile *find_snapshot(const Loaded *loaded)
{
	for (u32 i = 0; i < loaded->file_count; i++)
		if (loaded->files[i].is_snapshot)
			return &loaded->files[i];
	return NULL;
}

static int read_snapshot_head(Loaded *loaded, const LoadedFile *file, const char **name, IsaChoice *choices, u32 *count)
{
	SnapshotHead *head = ARENA_NEW(&loaded->arena, SnapshotHead);
	Status status = head ? machine_snapshot_head(file->data.data, file->data.len, head) : STATUS_NOMEM;
	char *save = NULL;

	if (status == STATUS_MISMATCH)
		buf_printf(&loaded->error, "%s is a snapshot of version %u, and this husk reads version %u", file->name, head->version,
			   MACHINE_SNAPSHOT_VERSION);
	else if (status)
		buf_printf(&loaded->error, "%s: %s", file->name, status_text(status));
	if (status)
		return EXIT_NOT_RUNNABLE;
	if (!*name && !head->guest[0]) {
		buf_printf(&loaded->error, "%s is a snapshot of %s, which is not built in", file->name, head->isa);
		buf_str(&loaded->hint, "give its description with --isa FILE");
		return EXIT_NOT_RUNNABLE;
	}
	if (!*name)
		*name = head->guest;
	for (char *word = strtok_r(head->choices, " ", &save); word; word = strtok_r(NULL, " ", &save))
		if (*count == SNAPSHOT_CHOICES || !split_choice(loaded, word, choices, count))
			return EXIT_NOT_RUNNABLE;
	return 0;
}

/* A Linux program, but for a machine that is not here: says so. */
static bool is_of_another_machine(Loaded *loaded)
{
	const LoadedFile *first = &loaded->files[0];
	const GuestFile file = {.name = first->name, .data = first->data.data, .len = first->data.len};
	Buf why;
	bool other;

	buf_init(&why);
	other = loaded->file_count && linux_refuses(&file, 0, "any machine here", &why);
	if (other && !loaded->error.len) {
		buf_printf(&loaded->error, "%s is %s", first->name, buf_text(&why));
		buf_str(&loaded->hint, "Linux programs for riscv64 run: tools/debian-rv64 has Debian's");
	}
	buf_fini(&why);
	return other;
}

/* The description of that name: loaded->guest and *shown are set, and loaded->isa_text, unless it is the guest's own. */
static int take_description(Loaded *loaded, const char *name, const char **shown)
{
	loaded->guest = built_in(name);
	if (!loaded->guest)
		return load_isa_text(name, &loaded->isa_text, shown, &loaded->guest, &loaded->arena, &loaded->error,
				     &loaded->hint);
	*shown = arena_printf(&loaded->arena, "%s.isa", loaded->guest->name);
	return 0;
}

/* Finds it, by the files if nobody says a name. */
static int find_description(Loaded *loaded, const LoadOptions *options, const char *name, const char **shown)
{
	if (name)
		return take_description(loaded, name, shown);
	loaded->guest = recognize(loaded);
	/* A script, or what else an operating system knows to run. */
	for (const Guest *const *guest = guests_all; options->system && *guest && !loaded->guest; guest++)
		if (!is_of_another_machine(loaded) && (*guest)->is_linux)
			loaded->guest = *guest;
	if (!loaded->guest && loaded->file_count == 0) {
		buf_str(&loaded->error, "no program given");
		return EXIT_HUSK;
	}
	if (!loaded->guest && is_of_another_machine(loaded))
		return EXIT_NOT_RUNNABLE;
	if (!loaded->guest) {
		buf_printf(&loaded->error, "%s: no machine recognizes this file", loaded->files[0].name);
		buf_str(&loaded->hint, "--isa MACHINE says whose program it is; husk isa list shows the machines");
		return EXIT_NOT_RUNNABLE;
	}
	return take_description(loaded, loaded->guest->name, shown);
}

int load_isa(Loaded *loaded, const LoadOptions *options)
{
	const u32 room = SNAPSHOT_CHOICES + COUNT_OF(loaded->guest->default_choices) + 1 + options->sets.count;
	IsaChoice *choices = ARENA_ARRAY(&loaded->arena, IsaChoice, room);
	const LoadedFile *snapshot;
	const char *name = options->isa, *shown = NULL;
	u32 count = 0;
	int code = 0;

	if (!choices) {
		buf_str(&loaded->error, "out of memory");
		return EXIT_HUSK;
	}
	if (!name)
		name = take_isa_file(loaded);
	snapshot = find_snapshot(loaded);
	if (snapshot)
		code = read_snapshot_head(loaded, snapshot, &name, choices, &count);
	if (!code)
		code = find_description(loaded, options, name, &shown);
	if (code)
		return code;
	if (loaded->guest && !snapshot)
		for (u32 i = 0; i < COUNT_OF(loaded->guest->default_choices) && loaded->guest->default_choices[i]; i++)
			if (!split_choice(loaded, loaded->guest->default_choices[i], choices, &count))
				return EXIT_HUSK;
	if (options->profile)
		add_choice(choices, &count, "profile", options->profile);
	for (u32 i = 0; i < options->sets.count; i++)
		if (!split_choice(loaded, options->sets.items[i], choices, &count))
			return EXIT_HUSK;
	loaded->isa = loaded->guest && !loaded->isa_text.len
		? guests_load_isa(loaded->guest, shown, choices, count, &loaded->diags)
		: isa_thaw_or_load(loaded->guest ? loaded->guest->isa_frozen : NULL, shown, buf_text(&loaded->isa_text),
				   loaded->isa_text.len, choices, count, &loaded->diags);
	if (!loaded->isa)
		return EXIT_NOT_RUNNABLE;
	code = classify(loaded);
	return code ? code : choose_dialect(loaded, options->dialect);
}
