/* SPDX-License-Identifier: MIT
 *
 * Spellings. An instruction whose name has letters, BR<n><z><p>, becomes one form per combination; an alias becomes a
 * form with some fields bound to constants; a pseudo-instruction keeps its text for the assembler. All forms of one
 * mnemonic are chained, aliases first, because an alias says what the plain spelling means.
 */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static IsaForm *new_form(Parser *p)
{
	Isa *isa = p->isa;

	if (isa->form_count >= 20000 ||
	    !arena_grow(p->arena, (void **)&isa->forms, &p->cap_forms, isa->form_count, sizeof(IsaForm))) {
		p->give_up = true;
		return NULL;
	}
	isa->forms[isa->form_count] = (IsaForm){0};
	return &isa->forms[isa->form_count++];
}

/* ---- letters ---- */

/* Letter fields of a name: "<n>" or "<.aq>". Returns how many; at most 8. */
static u32 name_letters(Parser *p, const IsaInsn *insn, u8 fields[8])
{
	u32 count = 0;

	for (const char *s = insn->name; *s; s++) {
		const char *end, *name = s + 1;
		u16 f;

		if (*s != '<')
			continue;
		end = strchr(s, '>');
		if (!end)
			break;
		if (*name == '.')
			name++;
		f = find_insn_field(p->isa, insn, name, (u32)(end - name));
		if (count == 8) {
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, NULL, "line %u: the name of '%s' has more than 8 letters",
					 insn->line, insn->name);
			return 0;
		}
		if (f == ISA_NONE || p->isa->fields[insn->fields[f].field].kind != ISA_FIELD_LETTER) {
			diag_report_file(p->diags, DIAG_ERROR, p->source.name, "declare it: field n z p : letter",
					 "line %u: <%.*s> in the name of '%s' is no letter field of its pattern", insn->line,
					 (int)(end - name), name, insn->name);
			return 0;
		}
		fields[count++] = (u8)f;
		s = end;
	}
	return count;
}

/* The mnemonic with letter i shown when bit i of chosen is set. Letters that stand together share one dot: <.aq><.rl>
 * gives .aq, .rl, .aqrl. */
static const char *expand_name(Parser *p, const IsaInsn *insn, u32 chosen)
{
	char text[128];
	u32 n = 0, letter = 0;
	const char *dotted = NULL; /* behind the last letter that was shown with its dot */

	for (const char *s = insn->name; *s && n + 1 < sizeof(text); s++) {
		const char *end = *s == '<' ? strchr(s, '>') : NULL;

		if (!end) {
			text[n++] = *s;
			continue;
		}
		if (chosen >> letter++ & 1) {
			bool again = dotted == s && s[1] == '.';

			dotted = s[1] == '.' ? end + 1 : NULL;
			for (s += again ? 2 : 1; s < end && n + 1 < sizeof(text); s++)
				text[n++] = *s;
		}
		s = end;
	}
	text[n] = 0;
	return arena_strdup(p->arena, text);
}

static void insn_forms(Parser *p, u32 index)
{
	const IsaInsn *insn = &p->isa->insns[index];
	u8 letters[8];
	u32 count = name_letters(p, insn, letters);

	for (u32 chosen = 0; chosen < (u32)1 << count; chosen++) {
		IsaForm *form = new_form(p);

		if (!form)
			return;
		form->mnemonic = expand_name(p, insn, chosen);
		form->insn = (u16)index;
		form->syntax = insn->syntax;
		form->syntax_count = insn->syntax_count;
		form->line = insn->line;
		for (u32 i = 0; i < count; i++) {
			form->bound_mask |= (u16)(1u << letters[i]);
			form->bound[letters[i]] = chosen >> i & 1;
		}
	}
}

/* ---- aliases ---- */

void parse_alias(Parser *p)
{
	PendingAlias alias = {.pos = p->tok.pos, .line = line_of(p, p->tok.pos), .doc = take_doc(p)};
	const char *text = p->source.text;
	u32 pos = 0, len, at;

	p->at = p->tok_end;
	len = raw_word(p, &pos);
	alias.mnemonic = arena_strndup(p->arena, text + pos, len);
	alias.operands_pos = at = p->at;
	while (at < p->source.len && text[at] != '=' && text[at] != '\n')
		at++;
	alias.operands_len = at - alias.operands_pos;
	if (!len || at >= p->source.len || text[at] != '=') {
		lex_next(p);
		parse_error(p, alias.pos, 5, "write: alias RET = JMP R7", "an alias needs a name and '='");
		return;
	}
	alias.target_pos = ++at;
	while (at < p->source.len && text[at] != '\n' && text[at] != ';' &&
	       !(text[at] == ' ' && p->source.len - at > 6 && !memcmp(text + at, " alias ", 7)) &&
	       !(text[at] == '#' && at + 1 < p->source.len && strchr(" #\t\n\r", text[at + 1])))
		at++;
	alias.target_len = at - alias.target_pos;
	p->at = at;
	trailing_doc(p, at, &alias.doc);
	lex_next(p);
	if (!arena_grow(p->arena, (void **)&p->aliases, &p->cap_aliases, p->alias_count, sizeof(alias)) ||
	    p->alias_count > 4000) {
		parse_error(p, alias.pos, 5, NULL, "more than 4000 aliases");
		p->give_up = true;
		return;
	}
	p->aliases[p->alias_count++] = alias;
}

static void skip_space(const char *text, u32 *at, u32 end)
{
	while (*at < end && strchr(" \t\r\n", text[*at]))
		(*at)++;
}

/* A number as the .isa language writes it. */
static bool read_number(const char *text, u32 *at, u32 end, i64 *value)
{
	bool negative = *at < end && text[*at] == '-';
	u32 i = *at + negative;
	u64 v = 0;
	u32 base = 10, digits = 0;

	if (i + 1 < end && text[i] == '0' && (text[i + 1] | 32) == 'x')
		base = 16, i += 2;
	else if (i + 1 < end && text[i] == '0' && (text[i + 1] | 32) == 'b')
		base = 2, i += 2;
	for (; i < end; i++, digits++) {
		char c = text[i];
		u32 d = c >= '0' && c <= '9' ? (u32)(c - '0') : (c | 32) >= 'a' && (c | 32) <= 'f' ? (u32)((c | 32) - 'a' + 10) : 99;

		if (d >= base)
			break;
		v = v * base + d;
	}
	if (!digits)
		return false;
	*at = i;
	*value = negative ? -(i64)v : (i64)v;
	return true;
}

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

/* Is `name` an element of the register file that the field names? Gives the field's raw value. */
static bool register_value(const Isa *isa, const IsaField *field, const char *name, u32 len, u64 *value)
{
	const IsaReg *r = &isa->regs[field->reg];

	for (u32 i = field->reg_from; i < r->count; i++)
		if (text_is(name, len, r->names[i]) || (r->alt_names && r->alt_names[i] && text_is(name, len, r->alt_names[i]))) {
			*value = i - field->reg_from;
			return true;
		}
	return false;
}

/* `alias fmv.d fd, fs1 = fsgnj.d fd, fs1, fs1`: a field that is always as another, which is an operand. */
static bool same_operand(Parser *p, const IsaInsn *insn, u32 field, const char *name, u32 len, IsaForm *form)
{
	const Isa *isa = p->isa;
	const IsaField *mine = &isa->fields[insn->fields[field].field];

	for (u32 f = 0; f < insn->field_count; f++) {
		const IsaField *other = &isa->fields[insn->fields[f].field];

		if (f == field || !text_is(name, len, other->name) || other->kind != ISA_FIELD_REG || other->reg != mine->reg ||
		    other->reg_from != mine->reg_from || insn->fields[f].width != insn->fields[field].width)
			continue;
		form->bound_mask |= (u16)(1u << field);
		form->same[field] = (u8)(f + 1);
		return true;
	}
	return false;
}

/* Matches the target's operand text against one form's template. Each field must be an operand of the alias or a
 * constant. */
static bool match_target(Parser *p, const IsaForm *target, u32 at, u32 end, const PendingAlias *alias, IsaForm *form)
{
	const Isa *isa = p->isa;
	const IsaInsn *insn = &isa->insns[target->insn];
	const char *text = p->source.text;

	form->insn = target->insn;
	form->bound_mask = target->bound_mask;
	memcpy(form->bound, target->bound, sizeof(form->bound));
	memset(form->same, 0, sizeof(form->same));
	for (u32 i = 0; i < target->syntax_count; i++) {
		const IsaSyntax *s = &target->syntax[i];
		const IsaField *field;
		u32 len = 0;
		i64 number;
		u64 value;

		skip_space(text, &at, end);
		if (!s->is_field) {
			u32 n = (u32)strlen(s->text);

			if (end - at < n || memcmp(text + at, s->text, n))
				return false;
			at += n;
			continue;
		}
		field = &isa->fields[insn->fields[s->field].field];
		if (read_number(text, &at, end, &number)) {
			i64 lo, hi;

			isa_field_range(isa, insn, s->field, &lo, &hi);
			if (field->kind == ISA_FIELD_REG || number < lo || number > hi)
				return false;
			value = (u64)number;
		} else {
			bool found = false;

			while (at + len < end && name_char(text[at + len]))
				len++;
			if (!len)
				return false;
			if (text_is(text + at, len, field->name)) {
				at += len;
				continue; /* an operand */
			}
			if (field->kind == ISA_FIELD_REG && same_operand(p, insn, s->field, text + at, len, form)) {
				at += len;
				continue;
			}
			if (field->kind == ISA_FIELD_REG)
				found = register_value(isa, field, text + at, len, &value);
			for (u32 k = 0; field->kind == ISA_FIELD_ENUM && k < field->enum_count; k++)
				if (text_is(text + at, len, field->enums[k].name)) {
					value = field->enums[k].value;
					found = true;
				}
			if (!found)
				return false;
			at += len;
		}
		form->bound_mask |= (u16)(1u << s->field);
		form->bound[s->field] = value;
	}
	skip_space(text, &at, end);
	/* A default enum operand at the end may be left out (rounding modes). */
	if (at != end)
		return false;
	form->syntax = parse_syntax(p, alias->operands_pos, alias->operands_len, insn, &form->syntax_count);
	for (u32 i = 0; i < form->syntax_count; i++)
		if (form->syntax[i].is_field && (form->bound_mask >> form->syntax[i].field & 1)) {
			parse_error(p, alias->pos, 5, NULL, "operand of alias '%s' is bound to a constant", alias->mnemonic);
			return true;
		}
	for (u32 f = 0; f < insn->field_count; f++) {
		bool written = form->bound_mask >> f & 1;

		for (u32 i = 0; i < form->syntax_count; i++)
			written = written || (form->syntax[i].is_field && form->syntax[i].field == f);
		if (!written)
			parse_error(p, alias->pos, 5, NULL, "alias '%s' does not say what field '%s' of '%s' is", alias->mnemonic,
				    isa->fields[insn->fields[f].field].name, insn->name);
	}
	return true;
}

/* alias NOP = bits 0x0000 */
static bool alias_bits(Parser *p, const PendingAlias *alias, u32 at, u32 end)
{
	Isa *isa = p->isa;
	i64 value;

	skip_space(p->source.text, &at, end);
	if (!read_number(p->source.text, &at, end, &value))
		return false;
	for (u32 i = 0; i < isa->insn_count; i++) {
		IsaInsn *insn = &isa->insns[i];
		IsaDecoded decoded = {.insn = insn, .w = {(u64)value}};
		IsaForm *form;

		if (insn->bits > 64 || ((u64)value & insn->mask[0]) != insn->match[0] || (u64)value > bits_mask(insn->bits))
			continue;
		form = new_form(p);
		if (!form)
			return true;
		form->mnemonic = alias->mnemonic;
		form->insn = (u16)i;
		form->is_alias = true;
		form->line = alias->line;
		for (u32 f = 0; f < insn->field_count; f++) {
			form->bound_mask |= (u16)(1u << f);
			form->bound[f] = isa_field_value(isa, &decoded, f);
		}
		return true;
	}
	return false;
}

static void resolve_alias(Parser *p, const PendingAlias *alias, u32 insn_forms_end)
{
	const char *text = p->source.text;
	u32 at = alias->target_pos, end = alias->target_pos + alias->target_len, start;
	bool known = false;

	skip_space(text, &at, end);
	start = at;
	while (at < end && !strchr(" \t\r\n", text[at]))
		at++;
	if (text_is(text + start, at - start, "bits")) {
		if (!alias_bits(p, alias, at, end))
			parse_error(p, start, end - start, NULL, "no instruction has these bits");
		return;
	}
	for (u32 i = 0; i < insn_forms_end; i++) {
		IsaForm form = {.mnemonic = alias->mnemonic, .is_alias = true, .line = alias->line}, *slot;

		if (!text_is(text + start, at - start, p->isa->forms[i].mnemonic))
			continue;
		known = true;
		if (!match_target(p, &p->isa->forms[i], at, end, alias, &form))
			continue;
		slot = new_form(p);
		if (slot)
			*slot = form;
		return;
	}
	if (known)
		parse_error(p, start, end - start, "each operand is one of the alias, a number, a register or a name of the field",
			    "alias '%s': these operands don't fit '%.*s'", alias->mnemonic, (int)(at - start), text + start);
	else
		parse_error(p, start, at - start, NULL, "alias '%s': there is no instruction '%.*s'", alias->mnemonic,
			    (int)(at - start), text + start);
}

/* ---- pseudo-instructions ---- */

/* Behind the '}' that closes the '{' at `at`; 0 when it never closes. */
static u32 matching_brace(const Parser *p, u32 at)
{
	const char *text = p->source.text;
	u32 depth = 0;

	for (; at < p->source.len; at++) {
		if (text[at] == '{')
			depth++;
		else if (text[at] == '}' && --depth == 0)
			return at + 1;
		else if (text[at] == '#' && at + 1 < p->source.len && strchr(" #", text[at + 1]))
			while (at + 1 < p->source.len && text[at + 1] != '\n')
				at++;
	}
	return 0;
}

static void pseudo_operands(Parser *p, IsaPseudo *pseudo, u32 at, u32 end)
{
	const char *text = p->source.text;
	u32 cap_params = 0, cap_syntax = 0;

	while (at < end && !p->give_up) {
		u32 n = 0;
		IsaSyntax item = {0};

		if (strchr(" \t\r\n", text[at])) {
			at++;
			continue;
		}
		while (at + n < end && name_char(text[at + n]))
			n++;
		if (n) {
			item.is_field = true;
			item.field = (u8)pseudo->param_count;
			if (pseudo->param_count >= 8 || !arena_grow(p->arena, (void **)&pseudo->params, &cap_params,
								    pseudo->param_count, sizeof(*pseudo->params))) {
				parse_error(p, at, n, NULL, "a pseudo-instruction has at most 8 operands");
				return;
			}
			pseudo->params[pseudo->param_count++] = arena_strndup(p->arena, text + at, n);
		} else {
			n = 1;
			item.text = arena_strndup(p->arena, text + at, 1);
		}
		if (pseudo->syntax_count >= 60 ||
		    !arena_grow(p->arena, (void **)&pseudo->syntax, &cap_syntax, pseudo->syntax_count, sizeof(item))) {
			p->give_up = true;
			return;
		}
		pseudo->syntax[pseudo->syntax_count++] = item;
		at += n;
	}
}

void parse_pseudo(Parser *p)
{
	Isa *isa = p->isa;
	const char *text = p->source.text;
	u32 pos = p->tok.pos, name = 0, len, at, body, end;
	IsaPseudo *pseudo;

	if (isa->pseudo_count > 2000 ||
	    !arena_grow(p->arena, (void **)&isa->pseudos, &p->cap_pseudos, isa->pseudo_count, sizeof(*pseudo))) {
		p->give_up = true;
		return;
	}
	pseudo = &isa->pseudos[isa->pseudo_count];
	*pseudo = (IsaPseudo){.doc = take_doc(p), .line = line_of(p, pos)};
	p->at = p->tok_end;
	len = raw_word(p, &name);
	pseudo->mnemonic = arena_strndup(p->arena, text + name, len);
	at = p->at;
	while (at < p->source.len && text[at] != '=' && text[at] != '\n')
		at++;
	body = at + 1;
	while (body < p->source.len && strchr(" \t\r\n", text[body]))
		body++;
	if (!len || at >= p->source.len || text[at] != '=' || body >= p->source.len || text[body] != '{' ||
	    !(end = matching_brace(p, body))) {
		lex_next(p);
		parse_error(p, pos, 6, "write: pseudo li rd, v = { .. }", "a pseudo-instruction needs a name, operands, '=' and a body in braces");
		return;
	}
	pseudo_operands(p, pseudo, p->at, at);
	/* `{ .. } else { .. }` belongs to the body as a whole. */
	pseudo->body_offset = body + 1;
	for (;;) {
		u32 next = end;

		while (next < p->source.len && strchr(" \t\r\n", text[next]))
			next++;
		if (p->source.len - next < 5 || memcmp(text + next, "else", 4) || name_char(text[next + 4]))
			break;
		while (next < p->source.len && text[next] != '{')
			next++;
		next = next < p->source.len ? matching_brace(p, next) : 0;
		if (!next)
			break;
		pseudo->body_offset = body;
		end = next;
	}
	pseudo->body = pseudo->body_offset == body ? arena_strndup(p->arena, text + body, end - body)
						   : arena_strndup(p->arena, text + body + 1, end - body - 2);
	p->at = end;
	trailing_doc(p, end, &pseudo->doc);
	lex_next(p);
	isa->pseudo_count++;
}

/* ---- all together ---- */

static void add_mnemonic(Parser *p, u32 form)
{
	Isa *isa = p->isa;
	const char *name = isa->forms[form].mnemonic;
	size_t len = strlen(name);
	u32 first = strmap_get(&isa->mnemonics, name, len, ISA_NONE);

	isa->form_next[form] = 0xFFFFFFFFu;
	if (first == ISA_NONE) {
		strmap_put(&isa->mnemonics, name, len, form);
		return;
	}
	while (isa->form_next[first] != 0xFFFFFFFFu)
		first = isa->form_next[first];
	isa->form_next[first] = form;
}

static bool same_syntax(const IsaForm *a, const IsaForm *b)
{
	if (a->syntax_count != b->syntax_count)
		return false;
	for (u32 i = 0; i < a->syntax_count; i++) {
		if (a->syntax[i].is_field != b->syntax[i].is_field)
			return false;
		if (!a->syntax[i].is_field && strcmp(a->syntax[i].text, b->syntax[i].text))
			return false;
	}
	return true;
}

void finish_forms(Parser *p)
{
	Isa *isa = p->isa;
	u32 insn_end;

	for (u32 i = 0; i < isa->insn_count && !p->give_up; i++)
		insn_forms(p, i);
	insn_end = isa->form_count;
	for (u32 i = 0; i < p->alias_count && !p->give_up; i++)
		resolve_alias(p, &p->aliases[i], insn_end);
	if (p->give_up || p->arena->failed)
		return;
	isa->form_next = ARENA_ARRAY(p->arena, u32, isa->form_count ? isa->form_count : 1);
	if (!isa->form_next) {
		p->give_up = true;
		return;
	}
	for (u32 i = insn_end; i < isa->form_count; i++)
		add_mnemonic(p, i);
	for (u32 i = 0; i < insn_end; i++)
		add_mnemonic(p, i);
	/* A plain form is shadowed when an alias of the same spelling comes first and takes the same operands. */
	for (u32 i = 0; i < insn_end; i++) {
		const char *name = isa->forms[i].mnemonic;
		u32 f = strmap_get(&isa->mnemonics, name, strlen(name), ISA_NONE);

		for (; f != 0xFFFFFFFFu && f != ISA_NONE && f >= insn_end; f = isa->form_next[f])
			if (same_syntax(&isa->forms[f], &isa->forms[i]))
				isa->forms[i].shadowed = true;
	}
}
