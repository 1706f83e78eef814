/* SPDX-License-Identifier: MIT
 *
 * husk up: programs of any machines side by side in one hypervisor, from a description.
 *
 * What goes on is looked at ten times a second: the live table (up_output.c), and signals: the first Ctrl-C asks all to end, the second
 * one kills.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/file.h"
#include "cmd/linux_options.h"
#include "cmd/say.h"
#include "cmd/terminal.h"
#include "cmd/up.h"
#include "cmd/verbs.h"
#include "store/store.h"

enum { MEMBERS_MOST = 1000000, CHILDREN_SHOWN = 1000, WORKERS_MOST = 64 };

static const u64 look_ns = 100000000;
static const u32 colors[] = {36, 33, 32, 35, 34, 31, 96, 93, 92, 95, 94, 91};

/* At the place where `word` stands behind the name `who`; NULL: at the name. */
static int refuse_at(const Up *up, const char *who, const char *word, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int refuse_at(const Up *up, const char *who, const char *word, const char *format, ...)
{
	Buf place, text;
	va_list args;

	buf_init(&place);
	buf_init(&text);
	up_file_place(up->path, who, word, &place);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	say_error("%s: %s: %s", buf_text(&place), who, buf_text(&text));
	buf_fini(&place);
	buf_fini(&text);
	return EXIT_NOT_RUNNABLE;
}

#define refuse(up, who, ...) refuse_at(up, who, NULL, __VA_ARGS__)

/* ---- From the description to instances ---- */

static int give_folders(const UpMember *member, LinuxOptions *options)
{
	const UpFileInstance *file = member->file;
	const char **folders = ARENA_ARRAY(&member->loaded->arena, const char *, file->folders_count + 1);

	if (!folders)
		return refuse(member->up, file->name, "out of memory");
	for (u32 i = 0; i < file->folders_count; i++)
		folders[i] = load_beside(member->loaded, member->up->path, file->folders[i]);
	options->folders = (OptList){.items = folders, .count = file->folders_count};
	return 0;
}

/* The files of a program of Linux, or anything else. */
static int load_program(const UpMember *member, bool is_program, LoadOptions *how, LinuxConfig *config)
{
	const UpFileInstance *file = member->file;
	const char *const *arguments = (const char *const *)file->args;
	Loaded *loaded = member->loaded;
	const char **names = ARENA_ARRAY(&loaded->arena, const char *, file->program_count + 1);
	LinuxOptions options = {
		.root = NULL, .sysroot = file->root ? load_beside(loaded, member->up->path, file->root) : NULL,
		.directory = file->directory, .net = file->net,
		.environment = {.items = (const char **)file->environment, .count = file->environment_count},
	};
	int code = names ? give_folders(member, &options) : refuse(member->up, file->name, "out of memory");

	for (u32 i = 0; i < file->program_count && !code; i++)
		names[i] = file->root ? file->program[i] : load_beside(loaded, member->up->path, file->program[i]);
	config->real_time = linux_options_time(member->up->options->deterministic);
	config->slice_time = member->up->options->deterministic ? 0 : 250000; /* ns */
	if (code)
		return code;
	if (!is_program) {
		code = linux_options_load_files(&options, names, file->program_count, arguments, file->args_count, how, loaded, config);
		if (!code || !file->args_count || !loaded->guest || loaded->guest->is_linux)
			return code;
		buf_clear(&loaded->error);
		return refuse_at(member->up, file->name, "args", "'args' are for Linux programs");
	}
	code = linux_options_config(&options, loaded, config);
	if (!code)
		code = linux_options_program(names[0], arguments, file->args_count, loaded, config);
	how->system = config;
	if (!code)
		code = load_isa(loaded, how);
	return code ? code : load_machine(loaded, how);
}

static int load_member(UpMember *member)
{
	const UpFileInstance *file = member->file;
	const UpOptions *options = member->up->options;
	LinuxConfig system = {.root = NULL};
	LoadOptions how = {.isa = file->machine, .live = true, .compiles = true, .engine_name = options->engine};
	LinuxOptions linux_of = {.sysroot = NULL};
	u64 limits[BUDGET_KINDS];
	int code = up_file_limits(file->limits, member->up->path, file->name, limits);
	bool is_program;
	Loaded probe;

	if (code)
		return code;
	how.memory = limits[BUDGET_MEMORY] == BUDGET_UNLIMITED ? 0 : limits[BUDGET_MEMORY];
	how.sets.items = (const char **)file->set;
	how.sets.count = file->set_count;
	member->loaded = calloc(1, sizeof *member->loaded);
	if (!member->loaded)
		return refuse(member->up, file->name, "out of memory");
	load_init(member->loaded);
	member->owns_loaded = true;
	if (file->machine && (strchr(file->machine, '/') || file_has_extension(file->machine, ".isa")))
		how.isa = load_beside(member->loaded, member->up->path, file->machine);
	if (file->root)
		linux_of.sysroot = load_beside(member->loaded, member->up->path, file->root);
	load_init(&probe);
	is_program = linux_options_is_program(&linux_of, file->root ? file->program[0]
								   : load_beside(&probe, member->up->path, file->program[0]));
	load_fini(&probe);
	code = load_program(member, is_program, &how, &system);
	if (code) {
		say_error("%s: %s: cannot be loaded:", member->up->path, file->name);
		load_complain(member->loaded);
	}
	return code;
}

/* What its `may` names; all else is denied. */
static const UpTemplate *find_template(const UpMember *member, const char *name);
static int find_rights(const UpMember *member, u32 *rights)
{
	const UpFileInstance *file = member->file;
	const char *names[RIGHT_COUNT + 1] = {NULL};
	Buf all;

	*rights = 0;
	for (u32 i = 0; i < RIGHT_COUNT; i++)
		names[i] = right_name(i);
	for (u32 i = 0; i < file->may_count; i++) {
		Right right = right_find(file->may[i]);

		if (right < RIGHT_COUNT) {
			*rights |= 1u << right;
			continue;
		}
		refuse_at(member->up, file->name, file->may[i], "may: there is no right '%s'", file->may[i]);
		buf_init(&all);
		for (u32 k = 0; k < RIGHT_COUNT; k++)
			buf_printf(&all, "%s%s", k == 0 ? "" : k + 1 == RIGHT_COUNT ? " and " : ", ", names[k]);
		if (say_nearest(file->may[i], names))
			say_hint("did you mean '%s'?", say_nearest(file->may[i], names));
		else
			say_hint("there are %s", buf_text(&all));
		buf_fini(&all);
		return EXIT_NOT_RUNNABLE;
	}
	if ((file->folders_count || file->root) && !(*rights & MAY_FILES))
		return refuse_at(member->up, file->name, file->root ? "root" : "dirs", "'%s' is of no use without the right: may: [files]",
			      file->root ? "root" : "dirs");
	if ((*rights & MAY_KV) && !member->up->store)
		return refuse_at(member->up, file->name, "kv", "may: [kv] needs a place for it: 'store: FILE' beside 'instances'");
	for (u32 i = 0; i < file->spawns_count; i++)
		if (!find_template(member, file->spawns[i]))
			return refuse_at(member->up, file->name, file->spawns[i], "spawns: there is no instance '%s' with 'template: true'", file->spawns[i]);
	if (file->net && !(*rights & MAY_NET))
		return refuse_at(member->up, file->name, "net", "'net' is of no use without the right: may: [net]");
	return 0;
}

/* ---- Those that are started by others ---- */

static void on_child_release(void *ctx)
{
	UpMember *child = ctx;

	if (child->line.len)
		up_output_line(child);
	buf_fini(&child->line);
	free(child);
}

static const UpTemplate *find_template(const UpMember *member, const char *name)
{
	const UpFileInstance *file = member->file;

	for (u32 i = 0; i < file->spawns_count; i++)
		for (u32 k = 0; k < member->up->template_count && !strcmp(file->spawns[i], name); k++)
			if (!strcmp(member->up->templates[k].member.file->name, name))
				return &member->up->templates[k];
	return NULL;
}

/* On the worker of the one that starts it. */
static Status on_spawn(void *ctx, Instance *parent, const char *name, InstanceOptions *options, Instance **out)
{
	const UpMember *member = ctx;
	const UpTemplate *template = find_template(member, name);
	Up *up = member->up;
	UpMember *child;
	Status status;

	(void)parent;
	if (!template)
		return STATUS_NOT_FOUND;
	child = calloc(1, sizeof *child);
	if (!child)
		return STATUS_NOMEM;
	*child = (UpMember){.file = template->member.file, .up = up, .loaded = template->member.loaded, .color = member->color};
	buf_init(&child->line);
	snprintf(child->name, sizeof child->name, "%s", options->name);
	options->limits = template->limits;
	options->rights = &template->rights;
	options->weight = child->file->weight;
	options->priority = child->file->priority;
	options->cap = child->file->cap;
	options->store = child->file->space;
	options->output = up_output_take;
	options->ctx = child;
	options->release = on_child_release;
	options->spawn = on_spawn;
	status = instance_create(up->hyper, template->image, options, out);
	if (status) {
		free(child);
		return status;
	}
	child->instance = *out;
	instance_input_end(*out);
	pthread_mutex_lock(&up->out);
	if (up->shown_count < up->count + CHILDREN_SHOWN) {
		instance_ref(*out);
		up_output_show(up, child);
	}
	pthread_mutex_unlock(&up->out);
	return STATUS_OK;
}

static int give_input(UpMember *member)
{
	Buf data, why;
	const char *path;
	int code = 0;

	buf_init(&data);
	buf_init(&why);
	if (member->file->input) {
		path = load_beside(member->loaded, member->up->path, member->file->input);
		code = path ? file_read(path, FILE_LIMIT, &data, &why) : EXIT_HUSK;
	}
	if (code)
		refuse(member->up, member->file->name, "input: %s", buf_text(&why));
	else if (data.len)
		instance_input(member->instance, data.data, data.len);
	instance_input_end(member->instance);
	buf_fini(&data);
	buf_fini(&why);
	return code;
}

/* `image`: of the members of one entry; made by the first of them, where that is possible. */
static int make_member(UpMember *member, Image **image, const UpMember *first)
{
	const UpFileInstance *file = member->file;
	Up *up = member->up;
	u64 limits[BUDGET_KINDS];
	u32 rights;
	InstanceOptions options = {.name = member->name, .limits = limits, .rights = &rights, .realm = file->realm, .store = file->space, .weight = file->weight, .priority = file->priority,
				   .cap = file->cap, .ctx = member, .spawn = on_spawn};
	Status status;
	int code = find_rights(member, &rights);

	if (code)
		return code;
	if (first->loaded && *image)
		member->loaded = first->loaded;
	else if ((code = load_member(member)))
		return code;
	up_file_limits(file->limits, up->path, file->name, limits);
	options.output = up_output_take;
	if (!*image && image_create(&member->loaded->config, member->loaded->machine, image))
		*image = NULL;
	if (*image) {
		status = instance_create(up->hyper, *image, &options, &member->instance);
	} else {
		status = instance_adopt(up->hyper, &member->loaded->config, member->loaded->machine, &options, &member->instance);
		if (!status)
			member->loaded->machine = NULL;
	}
	if (status == STATUS_TOO_BIG)
		return refuse(up, member->name, "the limits of all leave no room for it (memory)");
	if (status == STATUS_INVALID)
		return refuse(up, member->name, "weight is 1 to %u, priority 0 to %u", HYPER_WEIGHT_MOST, HYPER_PRIORITY_MOST);
	if (status)
		return refuse(up, member->name, "%s", status_text(status));
	return give_input(member);
}

static int make_template(UpTemplate *template)
{
	UpMember *member = &template->member;
	int code = load_member(member);

	if (!code)
		code = up_file_limits(member->file->limits, member->up->path, member->file->name, template->limits);
	if (!code)
		code = find_rights(member, &template->rights);
	if (!code && image_create(&member->loaded->config, member->loaded->machine, &template->image))
		code = refuse(member->up, member->file->name, "this machine cannot be a template: its state cannot be written out");
	return code;
}

/* All that has a name; what may be started by name is loaded. */
static int count_members(Up *up)
{
	u64 total = 0;
	int code = 0;

	up->templates = calloc(up->file->instances_count + 1, sizeof *up->templates);
	for (u32 i = 0; up->templates && i < up->file->instances_count; i++) {
		UpFileInstance *file = &up->file->instances[i];

		for (u32 k = 0; k < i; k++)
			if (strcmp(up->file->instances[k].name, file->name) == 0)
				return refuse(up, file->name, "there are two of this name");
		if (file->template) {
			up->templates[up->template_count++].member = (UpMember){.file = file, .up = up};
			continue;
		}
		file->count = file->count ? file->count : 1;
		total += file->count;
	}
	if (total > MEMBERS_MOST)
		return refuse(up, "instances", "%llu are too many (at most %u)", (unsigned long long)total, MEMBERS_MOST);
	up->members = calloc(total + 1, sizeof *up->members);
	up->shown = calloc(total + CHILDREN_SHOWN + 1, sizeof(UpMember *));
	if (!up->members || !up->shown || !up->templates)
		return refuse(up, "instances", "out of memory");
	for (u32 i = 0; i < up->template_count && !code; i++)
		code = make_template(&up->templates[i]);
	return code;
}

static int make_all(Up *up)
{
	int code = count_members(up);

	for (u32 i = 0; !code && i < up->file->instances_count; i++) {
		UpFileInstance *file = &up->file->instances[i];
		UpMember *first = &up->members[up->count];
		Image *image = NULL;

		for (u32 k = 0; !code && k < file->count && !file->template; k++) {
			UpMember *member = &up->members[up->count++];

			*member = (UpMember){.file = file, .up = up, .color = colors[i % COUNT_OF(colors)]};
			buf_init(&member->line);
			if (file->count == 1)
				snprintf(member->name, sizeof member->name, "%s", file->name);
			else
				snprintf(member->name, sizeof member->name, "%s-%u", file->name, k + 1);
			if (strlen(member->name) > up->name_width)
				up->name_width = (u32)strlen(member->name);
			code = make_member(member, &image, first);
			if (!code)
				up_output_show(up, member); /* nobody runs yet */
		}
		image_unref(image);
	}
	return code;
}

/* ---- Running ---- */

/* Those that were started by others as well: they end with those, but not everybody ends at once. */
static void stop_all(Up *up, bool at_once)
{
	double grace = up->options->grace > 0 ? up->options->grace : 10;
	u32 count = up_output_shown(up);

	if (at_once)
		up_output_abandon(up);
	for (u32 i = count; i-- > 0;) {
		if (at_once)
			instance_kill(up->shown[i]->instance);
		else
			instance_stop(up->shown[i]->instance, (u64)(grace * 1e9));
	}
}

/* The signal that ended it, or 0. */
static int run_all(Up *up)
{
	bool asked = false, timed_out = false;
	int number = 0;

	up->start = terminal_now();
	for (u32 i = 0; i < up->count; i++)
		instance_start(up->members[i].instance);
	while (!hyper_run(up->hyper, look_ns)) {
		u64 set = up_output_signals(up);

		up_output_table(up);
		for (int n = 1; set; n++, set >>= 1) {
			if (!(set & 1) || n == SIGWINCH)
				continue;
			if (n == SIGTSTP) {
				terminal_suspend();
				continue;
			}
			stop_all(up, asked);
			asked = true;
			number = n;
			if (!up->options->quiet)
				say_note("asked all to end; once more kills them");
		}
		if (__atomic_load_n(&up->output_closed, __ATOMIC_RELAXED) && !asked) {
			stop_all(up, true);
			asked = true;
			number = SIGPIPE;
		}
		if (up->options->timeout > 0 && terminal_now() - up->start > up->options->timeout && !timed_out) {
			stop_all(up, asked);
			asked = timed_out = true;
		}
	}
	return timed_out ? -1 : number;
}

static int summarize(Up *up, int number, double seconds)
{
	bool json = up->options->format && strcmp(up->options->format, "json") == 0, fine = true;
	int code = 0;
	Buf text;

	up_output_clear(up);
	for (u32 i = 0; i < up->count; i++) {
		if (up->members[i].line.len)
			up_output_line(&up->members[i]);
		fine &= up_is_fine(up->members[i].instance);
	}
	buf_init(&text);
	if (json || up->options->report)
		up_json(up->shown, up->shown_count, seconds, &text);
	if (up->options->report)
		code = say_output(&text, up->options->report);
	if (!json) {
		buf_clear(&text);
		up_table(up->shown, up->shown_count, seconds, true, 0, &text);
		buf_printf(&text, "%u instances, %.2f s\n", up->shown_count, seconds);
	}
	if (!up->options->quiet)
		say_write(STDERR_FILENO, text.data, text.len);
	buf_fini(&text);
	if (code)
		return code;
	if (number < 0)
		return EXIT_TIMEOUT;
	if (number)
		return EXIT_SIGNAL + number;
	return fine ? 0 : 1;
}

static void free_member(UpMember *member)
{
	buf_fini(&member->line);
	if (!member->owns_loaded)
		return;
	load_fini(member->loaded);
	free(member->loaded);
}

static void free_all(Up *up)
{
	/* Those that were started by others; with the last reference on_child_release frees the member. */
	for (u32 i = up->count; i < up->shown_count; i++)
		instance_unref(up->shown[i]->instance);
	for (u32 i = 0; i < up->count; i++) {
		instance_unref(up->members[i].instance);
		up->members[i].instance = NULL;
	}
	hyper_destroy(up->hyper);
	for (u32 i = 0; i < up->count; i++)
		free_member(&up->members[i]);
	for (u32 i = 0; i < up->template_count; i++) {
		image_unref(up->templates[i].image);
		free_member(&up->templates[i].member);
	}
	free(up->templates);
	free(up->shown);
	free(up->members);
	store_close(up->store);
	up_file_free(up->file);
	pthread_mutex_destroy(&up->out);
}

static u32 workers_of(const Up *up)
{
	u64 wanted = up->options->workers ? up->options->workers : up->file->workers;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (up->options->deterministic)
		return 0;
	if (!wanted)
		wanted = cores > 0 ? (u64)cores : 1;
	return wanted > WORKERS_MOST ? WORKERS_MOST : (u32)wanted;
}

static int open_store(Up *up)
{
	const char *path;
	Status status;
	Loaded probe;
	Buf why;

	load_init(&probe);
	buf_init(&why);
	path = load_beside(&probe, up->path, up->file->store);
	status = path ? store_open(path, &up->store, &why) : STATUS_NOMEM;
	load_fini(&probe);
	if (status)
		refuse(up, "store", "%s", buf_text(&why));
	buf_fini(&why);
	return status ? EXIT_NOT_RUNNABLE : 0;
}

static int run_up(Command *command)
{
	Up up = {.options = command->options, .out = PTHREAD_MUTEX_INITIALIZER};
	u64 limits[BUDGET_KINDS];
	HyperConfig config = {.limits = limits};
	int code;

	up.path = command->operand_count ? command->operands[0] : "husk.yaml";
	code = up_file_load(up.path, &up.file);
	if (!code)
		code = up_file_limits(up.file->limits, up.path, "limits", limits);
	if (!code && up.file->store)
		code = open_store(&up);
	if (!code) {
		config.store = up.store ? store_of(up.store) : NULL;
		config.workers = workers_of(&up);
		if (hyper_create(&config, &up.hyper))
			code = refuse(&up, "workers", "cannot start %u of them", config.workers);
	}
	if (!code)
		code = make_all(&up);
	if (!code) {
		int number;

		up.colored = say_color(STDOUT_FILENO) && !up.options->plain;
		up.watching = up.options->watch && isatty(STDERR_FILENO);
		terminal_open_guest();
		number = run_all(&up);
		terminal_close();
		code = summarize(&up, number, terminal_now() - up.start);
	}
	free_all(&up);
	return code;
}

static const Opt up_options[] = {
	{"workers", 'w', OPT_NUMBER, offsetof(UpOptions, workers), "N", "threads that run them (default: one per core)"},
	{"watch", 0, OPT_FLAG, offsetof(UpOptions, watch), NULL, "a live table below the output, on a terminal"},
	{"grace", 0, OPT_SECONDS, offsetof(UpOptions, grace), "SECONDS", "Ctrl-C asks all to end, and kills after this time (default 10)"},
	{"timeout", 't', OPT_SECONDS, offsetof(UpOptions, timeout), "SECONDS", "ask all to end after this time; exit code 124"},
	{"deterministic", 0, OPT_FLAG, offsetof(UpOptions, deterministic), NULL,
	 "one after the other on one thread, by counts of instructions: the same\nrun every time"},
	{"engine", 0, OPT_CHOICE, offsetof(UpOptions, engine), "interp|jit", "what runs the instructions (default: jit)"},
	{"format", 0, OPT_CHOICE, offsetof(UpOptions, format), "text|json", "the summary as a table, or as JSON; on stderr"},
	{"report", 0, OPT_TEXT, offsetof(UpOptions, report), "FILE", "the JSON into FILE"},
	{"plain", 0, OPT_FLAG, offsetof(UpOptions, plain), NULL, "no colours"},
	{"quiet", 'q', OPT_FLAG, offsetof(UpOptions, quiet), NULL, "no summary"},
	{0},
};

const Verb verb_up = {
	.name = "up",
	.run = run_up,
	.help = "run many programs side by side, as a description (husk.yaml) says",
	.operands = "[FILE]",
	.max_operands = 1,
	.options = up_options,
	.options_size = sizeof(UpOptions),
	.text = "Each line of output stands behind the name of its instance. When all have ended, a table says how.\n"
		"\n"
		"exit codes: 0 all ended by themselves with code 0, 1 some did not, 124 --timeout, 125 husk failed,\n"
		"126 something can't be run, 127 not found, 128+N ended by signal N.\n"
		"\n"
		"examples:\n"
		"  husk up                      husk up --watch crowd.yaml\n"
		"  husk up --deterministic --format json crowd.yaml\n",
};
