/* SPDX-License-Identifier: MIT
 *
 * Reading is yaml.c's; the schema is the tables below.
 */
#include "cmd/up_file.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/file.h"
#include "cmd/opt.h"
#include "cmd/say.h"
#include "cmd/yaml.h"

#ifndef HAVE_LIBCYAML

int up_file_load(const char *path, UpFile **out)
{
	(void)path;
	*out = NULL;
	return yaml_file_missing();
}

void up_file_free(UpFile *file)
{
	(void)file;
}

#else

enum { NAME_MOST = 63, TEXT_MOST = 4096, LIST_MOST = 1000 };
#define POINTER CYAML_FLAG_POINTER
#define MAYBE (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

static const cyaml_schema_value_t text_value = {CYAML_VALUE_STRING(POINTER, char, 0, TEXT_MOST)};

static const cyaml_schema_field_t limit_fields[] = {
	CYAML_FIELD_STRING_PTR("fuel", MAYBE, UpFileLimits, fuel, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("memory", MAYBE, UpFileLimits, memory, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("output", MAYBE, UpFileLimits, output, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("time", MAYBE, UpFileLimits, time, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("files", MAYBE, UpFileLimits, files, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("messages", MAYBE, UpFileLimits, messages, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("disk", MAYBE, UpFileLimits, disk, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("instances", MAYBE, UpFileLimits, instances, 1, NAME_MOST),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t instance_fields[] = {
	CYAML_FIELD_STRING_PTR("name", POINTER, UpFileInstance, name, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("machine", MAYBE, UpFileInstance, machine, 1, TEXT_MOST),
	CYAML_FIELD_SEQUENCE("program", POINTER, UpFileInstance, program, &text_value, 1, LIST_MOST),
	CYAML_FIELD_SEQUENCE("args", MAYBE, UpFileInstance, args, &text_value, 0, LIST_MOST),
	CYAML_FIELD_SEQUENCE("set", MAYBE, UpFileInstance, set, &text_value, 0, LIST_MOST),
	CYAML_FIELD_UINT("count", CYAML_FLAG_OPTIONAL, UpFileInstance, count),
	CYAML_FIELD_UINT("weight", CYAML_FLAG_OPTIONAL, UpFileInstance, weight),
	CYAML_FIELD_UINT("priority", CYAML_FLAG_OPTIONAL, UpFileInstance, priority),
	CYAML_FIELD_UINT("cap", CYAML_FLAG_OPTIONAL, UpFileInstance, cap),
	CYAML_FIELD_MAPPING_PTR("limits", MAYBE, UpFileInstance, limits, limit_fields),
	CYAML_FIELD_SEQUENCE("may", MAYBE, UpFileInstance, may, &text_value, 0, LIST_MOST),
	CYAML_FIELD_STRING_PTR("input", MAYBE, UpFileInstance, input, 0, TEXT_MOST),
	CYAML_FIELD_SEQUENCE("dirs", MAYBE, UpFileInstance, folders, &text_value, 0, LIST_MOST),
	CYAML_FIELD_SEQUENCE("environment", MAYBE, UpFileInstance, environment, &text_value, 0, LIST_MOST),
	CYAML_FIELD_STRING_PTR("cwd", MAYBE, UpFileInstance, directory, 1, TEXT_MOST),
	CYAML_FIELD_STRING_PTR("root", MAYBE, UpFileInstance, root, 1, TEXT_MOST),
	CYAML_FIELD_STRING_PTR("net", MAYBE, UpFileInstance, net, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("realm", MAYBE, UpFileInstance, realm, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("space", MAYBE, UpFileInstance, space, 1, NAME_MOST),
	CYAML_FIELD_SEQUENCE("spawns", MAYBE, UpFileInstance, spawns, &text_value, 0, LIST_MOST),
	CYAML_FIELD_BOOL("template", CYAML_FLAG_OPTIONAL, UpFileInstance, template),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t instance_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, UpFileInstance, instance_fields)};

static const cyaml_schema_field_t up_fields[] = {
	CYAML_FIELD_STRING_PTR("name", MAYBE, UpFile, name, 1, NAME_MOST),
	CYAML_FIELD_STRING_PTR("store", MAYBE, UpFile, store, 1, TEXT_MOST),
	CYAML_FIELD_UINT("workers", CYAML_FLAG_OPTIONAL, UpFile, workers),
	CYAML_FIELD_MAPPING_PTR("limits", MAYBE, UpFile, limits, limit_fields),
	CYAML_FIELD_SEQUENCE("instances", POINTER, UpFile, instances, &instance_value, 1, LIST_MOST),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t up_value = {CYAML_VALUE_MAPPING(POINTER, UpFile, up_fields)};
static const cyaml_schema_field_t *const all_fields[] = {up_fields, instance_fields, limit_fields, NULL};
static const YamlValues no_values[] = {{NULL, 0}};
static const YamlSchema schema = {&up_value, all_fields, no_values, "no instances are described there"};

int up_file_load(const char *path, UpFile **out)
{
	return yaml_file_load(path, &schema, (void **)out);
}

void up_file_free(UpFile *file)
{
	yaml_file_free(&schema, file);
}

#endif

/* ---- Where something stands ---- */

static bool is_word_byte(u8 c)
{
	return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* The next place from `at` on where the whole word stands; text->len: nowhere. */
static size_t find_word(const Buf *text, size_t at, const char *word)
{
	size_t len = strlen(word);

	for (; len && at + len <= text->len; at++)
		if (!memcmp(text->data + at, word, len) && (!at || !is_word_byte(text->data[at - 1])) &&
		    (at + len == text->len || !is_word_byte(text->data[at + len])))
			return at;
	return text->len;
}

/* Behind a "name:", nothing but blanks and quotes between them. */
static bool is_named(const Buf *text, size_t at)
{
	while (at && (text->data[at - 1] == ' ' || text->data[at - 1] == '"' || text->data[at - 1] == '\''))
		at--;
	return at >= 5 && !memcmp(text->data + at - 5, "name:", 5);
}

void up_file_place(const char *path, const char *who, const char *word, Buf *out)
{
	size_t at, found, start = 0;
	unsigned line = 1;
	Buf text, why;

	buf_init(&text);
	buf_init(&why);
	if (file_read(path, (size_t)1 << 20, &text, &why))
		buf_clear(&text);
	for (at = find_word(&text, 0, who); at < text.len && !is_named(&text, at) && strcmp(who, "limits"); at = find_word(&text, at + 1, who))
		;
	found = word ? find_word(&text, at, word) : at;
	found = found < text.len ? found : at;
	for (size_t i = 0; i < found && i < text.len; i++)
		if (text.data[i] == '\n') {
			line++;
			start = i + 1;
		}
	if (found < text.len)
		buf_printf(out, "%s:%u:%zu", path, line, found - start + 1);
	else
		buf_str(out, path);
	buf_fini(&text);
	buf_fini(&why);
}

static int complain(const char *path, const char *who, const char *word, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int complain(const char *path, const char *who, const char *word, const char *format, ...)
{
	Buf place, text;
	va_list args;

	buf_init(&place);
	buf_init(&text);
	up_file_place(path, who, word, &place);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	say_error("%s: %s: %s", buf_text(&place), who, buf_text(&text));
	buf_fini(&place);
	buf_fini(&text);
	return EXIT_NOT_RUNNABLE;
}

/* ---- Limits ---- */

static int set_limit(const char *text, unsigned kilo, const char *path, const char *who, BudgetKind kind, u64 *limits)
{
	if (!text || (opt_number(text, kilo, &limits[kind]) && limits[kind]))
		return 0;
	return complain(path, who, text, "limits: %s: '%s' is no amount (examples: 1000, %s)", budget_kind_name(kind), text,
			kilo == 1000 ? "10M" : "64K");
}

static int set_time(const char *text, const char *path, const char *who, u64 *limits)
{
	double seconds;
	char *end;

	if (!text)
		return 0;
	seconds = strtod(text, &end);
	if (end == text || *end || !(seconds > 0) || seconds > 1e9)
		return complain(path, who, text, "limits: time: '%s' is no number of seconds (examples: 10, 0.5)", text);
	limits[BUDGET_TIME] = (u64)(seconds * 1e9);
	return 0;
}

int up_file_limits(const UpFileLimits *from, const char *path, const char *who, u64 *limits)
{
	const struct {
		const char *text;
		unsigned kilo;
		BudgetKind kind;
	} amounts[] = {
		{from ? from->fuel : NULL, 1000, BUDGET_FUEL},     {from ? from->memory : NULL, 1024, BUDGET_MEMORY},
		{from ? from->output : NULL, 1024, BUDGET_OUTPUT}, {from ? from->files : NULL, 1000, BUDGET_FILES},
		{from ? from->messages : NULL, 1000, BUDGET_MESSAGES}, {from ? from->instances : NULL, 1000, BUDGET_INSTANCES},
		{from ? from->disk : NULL, 1024, BUDGET_DISK},
	};
	int code = 0;

	for (u32 i = 0; i < BUDGET_KINDS; i++)
		limits[i] = BUDGET_UNLIMITED;
	for (u32 i = 0; !code && i < COUNT_OF(amounts); i++)
		code = set_limit(amounts[i].text, amounts[i].kilo, path, who, amounts[i].kind, limits);
	return code || !from ? code : set_time(from->time, path, who, limits);
}
