/* SPDX-License-Identifier: MIT */
#include "cmd/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/say.h"

bool opt_number(const char *text, unsigned kilo, u64 *value)
{
	u64 n = 0;
	unsigned base = 10, digits = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	for (; *text; text++) {
		unsigned digit;

		if (*text == '_' && digits)
			continue;
		if (*text >= '0' && *text <= '9')
			digit = (unsigned)(*text - '0');
		else if (base == 16 && (*text | 32) >= 'a' && (*text | 32) <= 'f')
			digit = (unsigned)((*text | 32) - 'a' + 10);
		else
			break;
		if (__builtin_mul_overflow(n, (u64)base, &n) || __builtin_add_overflow(n, (u64)digit, &n))
			return false;
		digits++;
	}
	if (!digits)
		return false;
	if (*text && kilo) {
		const char *suffixes = "kmgt", *suffix = strchr(suffixes, *text | 32);

		if (!suffix)
			return false;
		for (; suffix >= suffixes; suffix--)
			if (__builtin_mul_overflow(n, (u64)kilo, &n))
				return false;
		text++;
	}
	*value = n;
	return *text == '\0';
}

bool opt_address(const char *text, u64 *value)
{
	char buffer[32] = "0";

	if ((*text == 'x' || *text == 'X') && strlen(text) < sizeof buffer - 1) {
		strcpy(buffer + 1, text);
		text = buffer;
	}
	return opt_number(text, 0, value);
}

static bool one_of(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (*words) {
		size_t n = strcspn(words, "|");

		if (n == len && memcmp(words, word, n) == 0)
			return true;
		words += n + (words[n] == '|');
	}
	return false;
}

static bool list_add(Arena *arena, const char ***items, u32 *count, u32 *cap, const char *item)
{
	if (!arena_grow(arena, (void **)items, cap, *count, sizeof(char *)))
		return false;
	(*items)[(*count)++] = item;
	return true;
}

static bool bad_value(const Opt *opt, const char *value, const char *wanted)
{
	say_error("--%s %s: %s", opt->name, value, wanted);
	return false;
}

static bool set_option(Command *command, const Opt *opt, const char *value)
{
	char *member = (char *)command->options + opt->offset;
	void *place = member;

	switch ((OptKind)opt->kind) {
	case OPT_FLAG:
		*(bool *)place = true;
		return true;
	case OPT_TEXT:
	case OPT_MAYBE:
		*(const char **)place = value;
		return true;
	case OPT_CHOICE:
		*(const char **)place = value;
		if (!one_of(opt->value, value))
			return bad_value(opt, value, arena_printf(&command->arena, "choose one of %s", opt->value));
		return true;
	case OPT_LIST: {
		OptList *list = place;

		if (list_add(&command->arena, &list->items, &list->count, &list->cap, value))
			return true;
		say_error("out of memory");
		return false;
	}
	case OPT_NUMBER:
		if (!opt_number(value, 1000, place) || *(u64 *)place == 0)
			return bad_value(opt, value, "not a number greater than 0 (examples: 5000, 20k, 0x100)");
		return true;
	case OPT_SIZE:
		if (!opt_number(value, 1024, place) || *(u64 *)place == 0)
			return bad_value(opt, value, "not a size (examples: 65536, 64K, 16M)");
		return true;
	case OPT_SECONDS: {
		char *end;
		double seconds = strtod(value, &end);

		if (end == value || *end || !(seconds > 0 && seconds < 1e9))
			return bad_value(opt, value, "not a number of seconds greater than 0");
		*(double *)place = seconds;
		return true;
	}
	}
	return false;
}

static const Opt *find_long(const Verb *verb, const char *name, size_t len)
{
	for (const Opt *opt = verb->options; opt && opt->name; opt++)
		if (strlen(opt->name) == len && memcmp(opt->name, name, len) == 0)
			return opt;
	return NULL;
}

static const Opt *find_letter(const Verb *verb, char letter)
{
	for (const Opt *opt = verb->options; opt && opt->name; opt++)
		if (opt->letter == letter)
			return opt;
	return NULL;
}

static bool unknown_option(const Command *command, const char *path, const char *arg, size_t len)
{
	const char *words[80];
	const char *nearest = NULL;
	char name[40];
	u32 n = 0;

	for (const Opt *opt = command->verb->options; opt && opt->name && n < COUNT_OF(words) - 2; opt++)
		words[n++] = opt->name;
	words[n++] = "help";
	words[n] = NULL;
	say_error("%s has no option %.*s", path, (int)len, arg);
	if (arg[1] == '-' && len - 2 < sizeof name) {
		memcpy(name, arg + 2, len - 2);
		name[len - 2] = '\0';
		nearest = say_nearest(name, words);
	}
	if (nearest)
		say_hint("did you mean --%s?", nearest);
	else
		say_hint("%s --help lists the options", path);
	return false;
}

/* One argument that begins with '-' (and is not "-" or "--"); may take the next one as its value. */
static bool parse_option(Command *command, const char *path, int argc, char **argv, int *at)
{
	const char *arg = argv[*at], *value = NULL;
	const Opt *opt;
	size_t len = strcspn(arg, "=");

	if (arg[1] == '-') {
		opt = find_long(command->verb, arg + 2, len - 2);
		if (arg[len] == '=')
			value = arg + len + 1;
	} else {
		opt = find_letter(command->verb, arg[1]);
		len = 2;
		if (arg[2])
			value = arg + 2;
	}
	if (!opt)
		return unknown_option(command, path, arg, len);
	if (opt->kind == OPT_FLAG && value) {
		say_error("--%s takes no value", opt->name);
		return false;
	}
	if (opt->kind == OPT_MAYBE && !value)
		value = "";
	if (opt->kind != OPT_FLAG && !value) {
		if (*at + 1 >= argc) {
			say_error("--%s needs a value: %s", opt->name, opt->value);
			return false;
		}
		value = argv[++*at];
	}
	return set_option(command, opt, value);
}

static bool parse(Command *command, const char *path, int argc, char **argv, bool *help)
{
	u32 operand_cap = 0, rest_cap = 0;
	bool behind = false;

	command->options = arena_alloc(&command->arena, command->verb->options_size + 1);
	if (!command->options)
		goto nomem;
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];
		/* Behind "--" nothing is an option; what the verb passes on begins behind its operands. */
		const bool first = behind && command->operand_count < command->verb->min_operands;

		if (behind && !first) {
			if (!list_add(&command->arena, &command->rest, &command->rest_count, &rest_cap, arg))
				goto nomem;
		} else if (!first && strcmp(arg, "--") == 0) {
			behind = true;
		} else if (!first && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
			*help = true;
			return true;
		} else if (!first && arg[0] == '-' && arg[1]) {
			if (!parse_option(command, path, argc, argv, &i))
				return false;
		} else if (!list_add(&command->arena, &command->operands, &command->operand_count, &operand_cap,
				     arg)) {
			goto nomem;
		} else if (command->verb->takes_all && command->verb->takes_all(command, arg)) {
			command->took_all = true;
			while (++i < argc)
				if (!list_add(&command->arena, &command->rest, &command->rest_count, &rest_cap, argv[i]))
					goto nomem;
		}
	}
	return true;
nomem:
	say_error("out of memory");
	return false;
}

/* Behind "--" there are operands too, unless the verb passes what stands there on. */
static bool check_operands(Command *command, const char *path)
{
	const Verb *verb = command->verb;
	u32 cap = command->operand_count;

	if (!verb->takes_rest && !command->took_all) {
		for (u32 i = 0; i < command->rest_count; i++)
			if (!list_add(&command->arena, &command->operands, &command->operand_count, &cap,
				      command->rest[i]))
				return false;
		command->rest_count = 0;
	}
	if (command->operand_count >= verb->min_operands && command->operand_count <= verb->max_operands)
		return true;
	if (command->operand_count < verb->min_operands)
		say_error("%s needs %s", path, verb->operands);
	else if (verb->max_operands == 0)
		say_error("%s takes no operand: %s", path, command->operands[0]);
	else
		say_error("%s: one operand too many: %s", path, command->operands[verb->max_operands]);
	say_hint("%s --help tells more", path);
	return false;
}

static int print_help(const Verb *verb, const char *path)
{
	Buf text;
	int code;

	buf_init(&text);
	opt_help(verb, path, &text);
	code = say_output(&text, NULL);
	buf_fini(&text);
	return code;
}

static int run_verb(const Verb *verb, const char *path, int argc, char **argv)
{
	Command command = {.verb = verb};
	bool help = false;
	int code = EXIT_HUSK;

	arena_init(&command.arena);
	if (parse(&command, path, argc, argv, &help)) {
		if (help)
			code = print_help(verb, path);
		else if (check_operands(&command, path))
			code = verb->run(&command);
	}
	arena_fini(&command.arena);
	return code;
}

static int unknown_verb(const Verb *root, const char *path, const char *word)
{
	const char *words[64];
	const char *nearest;
	u32 n = 0;

	for (const Verb *const *verb = root->verbs; *verb && n < COUNT_OF(words) - 1; verb++)
		words[n++] = (*verb)->name;
	words[n] = NULL;
	nearest = say_nearest(word, words);
	say_error("%s has no %s '%s'", path, word[0] == '-' ? "option" : "verb", word);
	if (nearest)
		say_hint("did you mean %s %s?", path, nearest);
	else
		say_hint("%s --help lists the verbs", path);
	return EXIT_HUSK;
}

int opt_dispatch(const Verb *root, const char *path, int argc, char **argv)
{
	char longer[64];

	if (!root->verbs)
		return run_verb(root, path, argc, argv);
	if (argc < 1) {
		Buf text;

		buf_init(&text);
		opt_help(root, path, &text);
		say_write(2, text.data, text.len);
		buf_fini(&text);
		return EXIT_HUSK;
	}
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
		return print_help(root, path);
	for (const Verb *const *verb = root->verbs; *verb; verb++) {
		if (strcmp((*verb)->name, argv[0]) == 0) {
			snprintf(longer, sizeof longer, "%s %s", path, argv[0]);
			return opt_dispatch(*verb, longer, argc - 1, argv + 1);
		}
	}
	return unknown_verb(root, path, argv[0]);
}

/* ---- Help ---- */

static void add_row(Buf *out, size_t column, const char *left, const char *right)
{
	size_t used = strlen(left);

	buf_printf(out, "  %s", left);
	if (used > column) {
		buf_byte(out, '\n');
		used = 0;
		buf_str(out, "  ");
	}
	buf_fill(out, ' ', column - used + 2);
	for (; *right; right++) {
		buf_byte(out, (u8)*right);
		if (*right == '\n')
			buf_fill(out, ' ', column + 4);
	}
	buf_byte(out, '\n');
}

static void option_words(const Opt *opt, Buf *out)
{
	buf_clear(out);
	if (opt->letter)
		buf_printf(out, "-%c, ", opt->letter);
	else
		buf_str(out, "    ");
	buf_printf(out, "--%s", opt->name);
	if (opt->kind == OPT_MAYBE)
		buf_printf(out, "[=%s]", opt->value);
	else if (opt->value)
		buf_printf(out, " %s", opt->value);
}

void opt_help(const Verb *verb, const char *path, Buf *out)
{
	enum { COLUMN = 24 };
	Buf words;

	buf_init(&words);
	buf_printf(out, "usage: %s%s%s%s%s%s\n\n%s\n", path, verb->verbs ? " VERB" : "",
		   verb->options || verb->verbs ? " [OPTION]..." : "", *verb->operands ? " " : "", verb->operands,
		   verb->takes_rest ? " [-- ARG...]" : "", verb->help);
	if (verb->verbs) {
		buf_str(out, "\nverbs:\n");
		for (const Verb *const *sub = verb->verbs; *sub; sub++)
			add_row(out, 12, (*sub)->name, (*sub)->help);
	}
	buf_str(out, "\noptions:\n");
	for (const Opt *opt = verb->options; opt && opt->name; opt++) {
		option_words(opt, &words);
		add_row(out, COLUMN, buf_text(&words), opt->help);
	}
	add_row(out, COLUMN, "-h, --help", verb->run ? "this text" : "this text; behind a verb: about the verb");
	if (verb->text)
		buf_printf(out, "\n%s", verb->text);
	buf_fini(&words);
}
