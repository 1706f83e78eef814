/* SPDX-License-Identifier: MIT
 *
 * Reading is libcyaml's; the schema is the tables below. What the library says about an error comes in several
 * lines through its log: the first says what, the first of the backtrace says where.
 */
#include "cmd/box_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cmd/file.h"
#include "cmd/say.h"

#ifndef HAVE_LIBCYAML

int box_file_load(const char *path, BoxFile **out)
{
	(void)path;
	*out = NULL;
	say_error("this husk was built without libcyaml and cannot read machine descriptions");
	say_hint("tools/deps build installs it; then make again");
	return EXIT_HUSK;
}

void box_file_free(BoxFile *file)
{
	(void)file;
}

unsigned box_file_right(const char *name)
{
	(void)name;
	return 0;
}

#else

#include <cyaml/cyaml.h>

static const cyaml_strval_t accesses[] = {{"r", BOX_READ_ONLY}, {"rw", BOX_READ_WRITE}, {"w", BOX_WRITE_ONLY}};
static const cyaml_strval_t orders[] = {{"own", BOX_ORDER_OWN}, {"little", BOX_ORDER_LITTLE}, {"big", BOX_ORDER_BIG}};
static const cyaml_strval_t kinds[] = {{"public", BOX_PUBLIC}, {"shared", BOX_SHARED}, {"private", BOX_PRIVATE}};
static const cyaml_strval_t rights[] = {
	{"output", BOX_MAY_OUTPUT}, {"input", BOX_MAY_INPUT}, {"random", BOX_MAY_RANDOM},
	{"time", BOX_MAY_TIME},     {"vcpus", BOX_MAY_VCPUS}, {"services", BOX_MAY_SERVICES},
};

enum { NAME_MAX_LEN = 63, TEXT_MAX_LEN = 4096, LIST_MAX = 64 };
#define COUNT(table) (sizeof(table) / sizeof *(table))
#define TEXT_POINTER CYAML_FLAG_POINTER
#define MAYBE CYAML_FLAG_OPTIONAL

static const cyaml_schema_value_t text_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, TEXT_MAX_LEN)};
static const cyaml_schema_value_t right_value = {
	CYAML_VALUE_ENUM(CYAML_FLAG_STRICT, int, rights, COUNT(rights))};

static const cyaml_schema_field_t memory_fields[] = {
	CYAML_FIELD_STRING_PTR("name", TEXT_POINTER, BoxFileMemory, name, 1, NAME_MAX_LEN),
	CYAML_FIELD_UINT("bytes", CYAML_FLAG_DEFAULT, BoxFileMemory, bytes),
	CYAML_FIELD_ENUM("kind", MAYBE | CYAML_FLAG_STRICT, BoxFileMemory, kind, kinds, COUNT(kinds)),
	CYAML_FIELD_SEQUENCE("cores", TEXT_POINTER | MAYBE, BoxFileMemory, cores, &text_value, 1, LIST_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t memory_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, BoxFileMemory, memory_fields)};

static const cyaml_schema_field_t window_fields[] = {
	CYAML_FIELD_STRING_PTR("memory", TEXT_POINTER, BoxFileWindow, memory, 1, NAME_MAX_LEN),
	CYAML_FIELD_STRING_PTR("space", TEXT_POINTER | MAYBE, BoxFileWindow, space, 1, NAME_MAX_LEN),
	CYAML_FIELD_UINT("at", CYAML_FLAG_DEFAULT, BoxFileWindow, at),
	CYAML_FIELD_UINT("cells", CYAML_FLAG_DEFAULT, BoxFileWindow, cells),
	CYAML_FIELD_UINT("offset", MAYBE, BoxFileWindow, offset),
	CYAML_FIELD_ENUM("access", MAYBE | CYAML_FLAG_STRICT, BoxFileWindow, access, accesses, COUNT(accesses)),
	CYAML_FIELD_ENUM("order", MAYBE | CYAML_FLAG_STRICT, BoxFileWindow, order, orders, COUNT(orders)),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t window_value = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, BoxFileWindow, window_fields)};

static const cyaml_schema_field_t core_fields[] = {
	CYAML_FIELD_STRING_PTR("name", TEXT_POINTER, BoxFileCore, name, 1, NAME_MAX_LEN),
	CYAML_FIELD_STRING_PTR("machine", TEXT_POINTER | MAYBE, BoxFileCore, machine, 1, TEXT_MAX_LEN),
	CYAML_FIELD_SEQUENCE("program", TEXT_POINTER, BoxFileCore, program, &text_value, 1, LIST_MAX),
	CYAML_FIELD_SEQUENCE("set", TEXT_POINTER | MAYBE, BoxFileCore, set, &text_value, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("windows", TEXT_POINTER | MAYBE, BoxFileCore, windows, &window_value, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("may", TEXT_POINTER | MAYBE, BoxFileCore, may, &right_value, 0, LIST_MAX),
	CYAML_FIELD_UINT("fuel", MAYBE, BoxFileCore, fuel),
	CYAML_FIELD_UINT("limit", MAYBE, BoxFileCore, memory),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t core_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, BoxFileCore, core_fields)};

static const cyaml_schema_field_t box_fields[] = {
	CYAML_FIELD_STRING_PTR("box", TEXT_POINTER, BoxFile, box, 1, NAME_MAX_LEN),
	CYAML_FIELD_UINT("quantum", MAYBE, BoxFile, quantum),
	CYAML_FIELD_SEQUENCE("memories", TEXT_POINTER | MAYBE, BoxFile, memories, &memory_value, 0, LIST_MAX),
	CYAML_FIELD_SEQUENCE("cores", TEXT_POINTER, BoxFile, cores, &core_value, 1, LIST_MAX),
	CYAML_FIELD_END,
};
static const cyaml_schema_value_t box_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, BoxFile, box_fields)};

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

static void complain(const char *path, const Buf *text, Complaint *complaint, const char *fallback)
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
		consider_fields(&nearest, box_fields);
		consider_fields(&nearest, memory_fields);
		consider_fields(&nearest, core_fields);
		consider_fields(&nearest, window_fields);
	} else if (strstr(what, "ENUM")) {
		consider_values(&nearest, accesses, COUNT(accesses));
		consider_values(&nearest, orders, COUNT(orders));
		consider_values(&nearest, kinds, COUNT(kinds));
		consider_values(&nearest, rights, COUNT(rights));
	}
	if (nearest.name)
		say_hint("did you mean '%s'?", nearest.name);
}

static cyaml_config_t config_for(Complaint *complaint)
{
	return (cyaml_config_t){.log_fn = on_log, .log_ctx = complaint, .log_level = CYAML_LOG_ERROR,
				.mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS};
}

int box_file_load(const char *path, BoxFile **out)
{
	Complaint complaint = {{0}, 0, 0};
	cyaml_config_t config = config_for(&complaint);
	cyaml_err_t error;
	Buf data, why;
	int code;

	*out = NULL;
	buf_init(&data);
	buf_init(&why);
	code = file_read(path, (size_t)1 << 20, &data, &why);
	if (code) {
		say_error("%s", buf_text(&why));
	} else {
		error = cyaml_load_data(data.data ? data.data : (const u8 *)"", data.len, &config, &box_value,
					(cyaml_data_t **)out, NULL);
		if (error != CYAML_OK) {
			complain(path, &data, &complaint, cyaml_strerror(error));
			code = EXIT_NOT_RUNNABLE;
		} else if (!*out) {
			say_error("%s is empty: no machine is described there", path);
			code = EXIT_NOT_RUNNABLE;
		}
	}
	buf_fini(&data);
	buf_fini(&why);
	return code;
}

void box_file_free(BoxFile *file)
{
	Complaint complaint;
	cyaml_config_t config = config_for(&complaint);

	if (file)
		cyaml_free(&config, &box_value, file, 0);
}

unsigned box_file_right(const char *name)
{
	for (size_t i = 0; i < COUNT(rights); i++)
		if (strcmp(rights[i].str, name) == 0)
			return (unsigned)rights[i].val;
	return 0;
}

#endif
