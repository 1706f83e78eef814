/* SPDX-License-Identifier: MIT
 *
 * Reading is libcyaml's. What the library says about an error comes in several lines through its log: the first says what, the
 * first of the backtrace says where.
 */
#include "cmd/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/library.h"
#include "base/nearest.h"
#include "cmd/file.h"
#include "cmd/say.h"

int yaml_file_missing(void)
{
	say_error("this husk was built without libcyaml and cannot read descriptions in YAML");
	say_hint("tools/deps build installs it; then make again");
	return EXIT_HUSK;
}

#ifdef HAVE_LIBCYAML

#define WANTED(X) X(load_data) X(free) X(strerror) X(mem)
#define POINTER(name) __typeof__(cyaml_##name) *name;
#define NAME(name) "cyaml_" #name,

typedef struct Cyaml {
	WANTED(POINTER)
} Cyaml;

static const char *const cyaml_names[] = {WANTED(NAME) NULL};

/* ---- Messages ---- */

typedef struct Complaint {
	char what[256];
	unsigned line, column;
} Complaint;

static void on_log(cyaml_log_t level, void *ctx, const char *format, va_list args)
{
	Complaint *complaint = ctx;
	char text[512], *at;
	unsigned line, column;

	(void)level;
	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = 0;
	at = strstr(text, "(line: ");
	if (at && sscanf(at, "(line: %u, column: %u)", &line, &column) == 2) {
		if (!complaint->line) {
			complaint->line = line;
			complaint->column = column;
		}
		return;
	}
	if (strncmp(text, "Load: ", 6) == 0 && !strstr(text, "Backtrace") && !complaint->what[0])
		snprintf(complaint->what, sizeof complaint->what, "%.255s", text + 6);
}

static void consider_fields(Nearest *nearest, const cyaml_schema_field_t *fields)
{
	for (; fields->key; fields++)
		nearest_consider(nearest, fields->key);
}

static void consider_values(Nearest *nearest, const cyaml_strval_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		nearest_consider(nearest, values[i].str);
}

/* The library knows where it was when it met a word; the word itself stands there or behind. */
static void find_word(const Buf *text, const char *word, unsigned *line, unsigned *column)
{
	size_t len = strlen(word), start = 0;
	unsigned at = 1;

	for (size_t i = 0; len && i + len <= text->len; i++) {
		if (at >= *line && memcmp(text->data + i, word, len) == 0) {
			*line = at;
			*column = (unsigned)(i - start) + 1;
			return;
		}
		if (text->data[i] == '\n') {
			at++;
			start = i + 1;
		}
	}
}

static void complain(const char *path, const Buf *text, Complaint *complaint, const char *fallback, const YamlSchema *schema)
{
	const char *what = complaint->what[0] ? complaint->what : fallback, *colon = strrchr(what, ':');
	Nearest nearest = {0};

	if (complaint->line && colon && colon[1] == ' ')
		find_word(text, colon + 2, &complaint->line, &complaint->column);
	if (complaint->line)
		say_error("%s:%u:%u: %s", path, complaint->line, complaint->column, what);
	else
		say_error("%s: %s", path, what);
	if (!colon || colon[1] != ' ')
		return;
	nearest = nearest_to(colon + 2, strlen(colon + 2));
	if (strncmp(what, "Unexpected key", 14) == 0) {
		for (u32 i = 0; schema->fields[i]; i++)
			consider_fields(&nearest, schema->fields[i]);
	} else if (strstr(what, "ENUM")) {
		for (u32 i = 0; schema->values[i].words; i++)
			consider_values(&nearest, schema->values[i].words, schema->values[i].count);
	}
	if (nearest.name)
		say_hint("did you mean '%s'?", nearest.name);
}

static cyaml_config_t config_for(const Cyaml *cyaml, Complaint *complaint)
{
	return (cyaml_config_t){.log_fn = on_log, .log_ctx = complaint, .log_level = CYAML_LOG_ERROR,
				.mem_fn = cyaml->mem, .flags = CYAML_CFG_NO_ALIAS};
}

int yaml_file_load(const char *path, const YamlSchema *schema, void **out)
{
	Complaint complaint = {{0}, 0, 0};
	cyaml_config_t config;
	cyaml_err_t error;
	Cyaml cyaml;
	const char *missing = library_load(LIBCYAML_FILE, cyaml_names, &cyaml);
	Buf data, why;
	int code;

	*out = NULL;
	if (missing) {
		say_error("descriptions in YAML are read by libcyaml: %s", missing);
		return EXIT_HUSK;
	}
	config = config_for(&cyaml, &complaint);
	buf_init(&data);
	buf_init(&why);
	code = file_read(path, (size_t)1 << 20, &data, &why);
	if (code) {
		say_error("%s", buf_text(&why));
	} else {
		error = cyaml.load_data(data.data ? data.data : (const u8 *)"", data.len, &config, schema->value, out, NULL);
		if (error != CYAML_OK) {
			complain(path, &data, &complaint, cyaml.strerror(error), schema);
			code = EXIT_NOT_RUNNABLE;
		} else if (!*out) {
			say_error("%s is empty: %s", path, schema->empty);
			code = EXIT_NOT_RUNNABLE;
		}
	}
	buf_fini(&data);
	buf_fini(&why);
	return code;
}

void yaml_file_free(const YamlSchema *schema, void *data)
{
	Complaint complaint;
	cyaml_config_t config;
	Cyaml cyaml;

	if (!data || library_load(LIBCYAML_FILE, cyaml_names, &cyaml))
		return;
	config = config_for(&cyaml, &complaint);
	cyaml.free(&config, schema->value, data, 0);
}

#endif
