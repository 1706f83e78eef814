/* SPDX-License-Identifier: MIT
 *
 * The directives of a dialect, one a line:
 *
 *     .FILL w = data 16 single            name, operands (their names are for readers), what it does
 *     dq w = data 64 little in data8      into a section of its own
 *     .func n l = row fn n l .            a row of table fn; `.` is the address of the place
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static const struct {
	const char *name;
	u8 action;
} actions[] = {
	{"org", ISA_ACT_ORG},   {"data", ISA_ACT_DATA},       {"space", ISA_ACT_SPACE},   {"string", ISA_ACT_STRING},
	{"align", ISA_ACT_ALIGN}, {"section", ISA_ACT_SECTION}, {"equ", ISA_ACT_EQU},     {"include", ISA_ACT_INCLUDE},
	{"end", ISA_ACT_END},   {"global", ISA_ACT_GLOBAL},   {"entry", ISA_ACT_ENTRY},   {"ignore", ISA_ACT_IGNORE},
	{"float", ISA_ACT_DATA}, {"row", ISA_ACT_ROW},
};

static IsaDirective *new_directive(Parser *p, IsaDialect *d, u32 *cap)
{
	if (d->directive_count >= 200 ||
	    !arena_grow(p->arena, (void **)&d->directives, cap, d->directive_count, sizeof(IsaDirective))) {
		p->give_up = true;
		return NULL;
	}
	d->directives[d->directive_count] = (IsaDirective){.in = ISA_NONE};
	return &d->directives[d->directive_count++];
}

void use_gnu(Parser *p, IsaDialect *d, u32 *cap)
{
	static const struct {
		const char *name;
		u8 action, bits;
		bool has_end;
	} gnu[] = {
		{".byte", ISA_ACT_DATA, 8, false},    {".half", ISA_ACT_DATA, 16, false},   {".short", ISA_ACT_DATA, 16, false},
		{".2byte", ISA_ACT_DATA, 16, false},  {".word", ISA_ACT_DATA, 32, false},   {".long", ISA_ACT_DATA, 32, false},
		{".4byte", ISA_ACT_DATA, 32, false},  {".dword", ISA_ACT_DATA, 64, false},  {".quad", ISA_ACT_DATA, 64, false},
		{".8byte", ISA_ACT_DATA, 64, false},  {".ascii", ISA_ACT_STRING, 8, false}, {".asciz", ISA_ACT_STRING, 8, true},
		{".string", ISA_ACT_STRING, 8, true}, {".space", ISA_ACT_SPACE, 0, false},  {".zero", ISA_ACT_SPACE, 0, false},
		{".skip", ISA_ACT_SPACE, 0, false},   {".org", ISA_ACT_ORG, 0, false},      {".balign", ISA_ACT_ALIGN, 0, false},
		{".equ", ISA_ACT_EQU, 0, false},      {".set", ISA_ACT_EQU, 0, false},      {".globl", ISA_ACT_GLOBAL, 0, false},
		{".global", ISA_ACT_GLOBAL, 0, false}, {".include", ISA_ACT_INCLUDE, 0, false}, {".end", ISA_ACT_END, 0, false},
		{".text", ISA_ACT_IGNORE, 0, false},  {".data", ISA_ACT_IGNORE, 0, false},  {".section", ISA_ACT_IGNORE, 0, false},
		{".rodata", ISA_ACT_IGNORE, 0, false}, {".bss", ISA_ACT_IGNORE, 0, false},  {".local", ISA_ACT_IGNORE, 0, false},
		{".weak", ISA_ACT_IGNORE, 0, false},  {".hidden", ISA_ACT_IGNORE, 0, false}, {".ident", ISA_ACT_IGNORE, 0, false},
		{".type", ISA_ACT_IGNORE, 0, false},  {".size", ISA_ACT_IGNORE, 0, false},  {".file", ISA_ACT_IGNORE, 0, false},
		{".option", ISA_ACT_IGNORE, 0, false}, {".attribute", ISA_ACT_IGNORE, 0, false},
	};

	for (u32 i = 0; i < COUNT_OF(gnu); i++) {
		IsaDirective *x = new_directive(p, d, cap);

		if (!x)
			return;
		*x = (IsaDirective){.name = gnu[i].name, .action = gnu[i].action, .bits = gnu[i].bits, .has_end = gnu[i].has_end,
				    .in = ISA_NONE, .from_set = true};
		/* Where the description has sections of these names, they are meant; .text is what lies before them all. */
		if (d->section_count && x->action == ISA_ACT_IGNORE && !strcmp(x->name, ".section"))
			x->action = ISA_ACT_SECTION;
		for (u32 k = 0; k < d->section_count; k++)
			if (x->action == ISA_ACT_IGNORE && (!strcmp(x->name, d->sections[k].name) || !strcmp(x->name, ".text"))) {
				x->action = ISA_ACT_SECTION;
				x->section = strcmp(x->name, ".text") ? x->name : p->isa->spaces[p->isa->code_space].name;
			}
	}
	d->gnu = true;
	d->label |= ISA_LABEL_COLON;
}

bool word_number(const char *word, u64 *value)
{
	u32 base = 10;
	u64 v = 0;

	if (word[0] == '0' && (word[1] | 32) == 'x')
		base = 16, word += 2;
	if (!*word)
		return false;
	for (; *word; word++) {
		u32 d = *word >= '0' && *word <= '9' ? (u32)(*word - '0') :
			(*word | 32) >= 'a' && (*word | 32) <= 'f' ? (u32)((*word | 32) - 'a' + 10) : 99;

		if (d >= base || v >> 58)
			return false;
		v = v * base + d;
	}
	*value = v;
	return true;
}

enum { MAX_PARAMS = 8 };

typedef struct Written { /* a directive as it is being read */
	IsaDirective *x;
	u32 pos, len;              /* its name in the source */
	const char *params[MAX_PARAMS];
	u32 param_count;
} Written;

static bool is_param(const Written *w, const char *word, u8 *index)
{
	for (u32 i = 0; i < w->param_count && i < MAX_PARAMS; i++)
		if (!strcmp(w->params[i], word)) {
			*index = (u8)i;
			return true;
		}
	return false;
}

/* row fn n l . */
static void read_row(Parser *p, Written *w)
{
	const Isa *isa = p->isa;
	IsaDirective *x = w->x;
	const char *word = line_word(p);
	u32 count = 0;
	u64 number;

	x->params = (u8)(w->param_count > MAX_PARAMS ? MAX_PARAMS : w->param_count);
	for (u32 i = 0; i < x->params; i++)
		x->names[i] = w->params[i];
	x->table = 0;
	while (x->table < isa->table_count && !(word && !strcmp(word, isa->tables[x->table].name)))
		x->table++;
	if (x->table == isa->table_count) {
		parse_error(p, w->pos, w->len, "declare it before: table fn : nargs 32, addr 32", "there is no table '%s'",
			    word ? word : "");
		skip_line(p);
		return;
	}
	while ((word = line_word(p)) != NULL && count < ISA_MAX_COLUMNS) {
		IsaRowColumn *column = &x->columns[count++];

		*column = (IsaRowColumn){.kind = ISA_COLUMN_OPERAND};
		if (!strcmp(word, "."))
			column->kind = ISA_COLUMN_HERE;
		else if (word_number(word, &number))
			*column = (IsaRowColumn){.kind = ISA_COLUMN_NUMBER, .number = number};
		else if (!is_param(w, word, &column->operand))
			parse_error(p, w->pos, w->len, ".func n l = row fn n l .", "'%s' is no operand of '%s'", word, x->name);
	}
	if (word || count != isa->tables[x->table].column_count)
		parse_error(p, w->pos, w->len, "'.' is the address of the place", "a row of '%s' has %u columns",
			    isa->tables[x->table].name, isa->tables[x->table].column_count);
	skip_line(p);
}

static void read_bits(Parser *p, Written *w, bool is_float)
{
	const char *word = line_word(p);
	u64 number = 0;
	bool fine = word && word_number(word, &number);

	w->x->is_float = is_float;
	if (is_float && (!fine || (number != 32 && number != 64)))
		parse_error(p, w->pos, w->len, "write: .F64 x = float 64", "'%s' needs 32 or 64 bits", w->x->name);
	else if (!fine || number < 1 || number > 64)
		parse_error(p, w->pos, w->len, "write: .WORD w = data 16", "'%s' needs the bits of one item", w->x->name);
	else
		w->x->bits = (u8)number;
}

static void read_place(Parser *p, const IsaDialect *d, Written *w)
{
	const char *word = line_word(p);

	for (u32 i = 0; word && i < d->section_count; i++)
		if (!strcmp(d->sections[i].name, word)) {
			w->x->in = (u16)i;
			return;
		}
	parse_error(p, w->pos, w->len, "declare it in a line before: section data8 in M align 8", "there is no section '%s'",
		    word ? word : "");
}

/* The words behind the action. */
static void read_words(Parser *p, const IsaDialect *d, Written *w)
{
	IsaDirective *x = w->x;
	const char *word;
	u8 index;
	u64 number;

	while ((word = line_word(p)) != NULL) {
		if (!strcmp(word, "little")) {
			x->little = true;
		} else if (!strcmp(word, "single")) {
			x->single = true;
		} else if (!strcmp(word, "nonzero")) {
			x->nonzero = true;
		} else if (!strcmp(word, "power") && x->action == ISA_ACT_ALIGN) {
			x->power = true;
		} else if (!strcmp(word, "fill") && x->action == ISA_ACT_ALIGN) {
			for (u32 i = 0; i < COUNT_OF(x->fills) && (word = line_word(p)) != NULL; i++)
				x->fills[i] = word;
		} else if (!strcmp(word, "redefine") && x->action == ISA_ACT_EQU) {
			x->redefine = true;
		} else if (!strcmp(word, "once") && x->action == ISA_ACT_INCLUDE) {
			x->once = true;
		} else if (!strcmp(word, "in") && (x->action == ISA_ACT_DATA || x->action == ISA_ACT_STRING ||
						   x->action == ISA_ACT_SPACE || x->action == ISA_ACT_ALIGN)) {
			read_place(p, d, w);
		} else if (x->action == ISA_ACT_STRING && word_number(word, &number)) {
			x->has_end = true;
			x->end = number;
		} else if (x->action == ISA_ACT_SPACE && word_number(word, &number) && number >= 1 && number <= 64) {
			x->bits = (u8)number;
		} else if (strlen(word) != 1 && !is_param(w, word, &index)) { /* an operand's name again: `org q` */
			parse_error(p, w->pos, w->len, NULL, "'%s' means nothing here", word);
		}
	}
}

void parse_directive(Parser *p, IsaDialect *d, const char *name, u32 pos, u32 *cap)
{
	Written w = {.pos = pos, .len = (u32)strlen(name)};
	const char *word;
	u32 action = 0;

	while ((word = line_word(p)) != NULL && strcmp(word, "=")) {
		if (w.param_count < MAX_PARAMS)
			w.params[w.param_count] = word;
		w.param_count++;
	}
	if (!word) {
		parse_error(p, pos, w.len, "keywords: comment case separators label number register symbol ranges quote "
			    "escapes use ...; directives: .WORD w = data 16",
			    "'%s' is no keyword of 'asm', and a directive needs '='", name);
		return;
	}
	word = line_word(p);
	while (action < COUNT_OF(actions) && !(word && !strcmp(word, actions[action].name)))
		action++;
	if (action == COUNT_OF(actions)) {
		parse_error(p, pos, w.len,
			    "org data float space string row align section equ include end global entry ignore",
			    "'%s' is nothing a directive can do", word ? word : "");
		skip_line(p);
		return;
	}
	w.x = new_directive(p, d, cap);
	if (!w.x)
		return;
	for (u32 i = 0; i + 1 < d->directive_count; i++)
		if (d->directives[i].from_set && !strcmp(d->directives[i].name, name)) {
			d->directive_count--;
			w.x = &d->directives[i];
			*w.x = (IsaDirective){.in = ISA_NONE};
			break;
		}
	for (u32 i = 0; &d->directives[i] != w.x && i < d->directive_count; i++)
		if (d->fold_case ? ascii_equal_fold(d->directives[i].name, strlen(d->directives[i].name), name, w.len)
				 : !strcmp(d->directives[i].name, name))
			parse_error(p, pos, w.len, NULL, "directive '%s' is described twice", name);
	w.x->name = name;
	w.x->action = actions[action].action;
	if (w.x->action == ISA_ACT_SECTION) {
		w.x->section = line_word(p);
		return;
	}
	if (w.x->action == ISA_ACT_ROW) {
		read_row(p, &w);
		return;
	}
	if (w.x->action == ISA_ACT_DATA || w.x->action == ISA_ACT_STRING)
		read_bits(p, &w, !strcmp(word, "float"));
	read_words(p, d, &w);
}

/* section data8 in data align 8: false when this is something else. */
bool parse_section(Parser *p, IsaDialect *d)
{
	u32 start = p->at;
	const char *name = line_word(p), *word = name ? line_word(p) : NULL;
	IsaSection section = {.name = name, .align = 1};

	if (!word || strcmp(word, "in")) {
		p->at = start; /* a directive called `section` */
		return false;
	}
	word = line_word(p);
	section.space = word ? isa_find_space(p->isa, word, strlen(word)) : ISA_NONE;
	if (section.space == ISA_NONE)
		parse_error(p, start, 1, "section data8 in data align 8", "there is no space '%s'", word ? word : "");
	start = p->at;
	word = line_word(p);
	if (word && !strcmp(word, "align")) {
		word = line_word(p);
		if (!word || !word_number(word, &section.align) || section.align < 1 || section.align > 1 << 20) {
			parse_error(p, p->at, 1, NULL, "an alignment is a number from 1 to %d", 1 << 20);
			section.align = 1;
		}
	} else {
		p->at = start;
	}
	for (u32 i = 0; i < d->section_count; i++)
		if (!strcmp(d->sections[i].name, name))
			parse_error(p, start, 1, NULL, "section '%s' is declared twice", name);
	if (d->section_count == ISA_MAX_SECTIONS)
		parse_error(p, start, 1, NULL, "a dialect has at most %d sections", ISA_MAX_SECTIONS);
	else if (section.space != ISA_NONE)
		d->sections[d->section_count++] = section;
	return true;
}
