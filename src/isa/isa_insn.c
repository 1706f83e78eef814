/* SPDX-License-Identifier: MIT
 *
 * insn MNEM "pattern" operands [when COND] [cost N] [restartable] [spelling] { meaning }
 *
 * The pattern is read twice: once into a list of pieces, to know its length, and once to give each piece its bit
 * positions in the instruction word W (isa.h). Text position k is bit L-1-k of W when the file says `low-first`;
 * otherwise parcel k / parcel_bits, whose own highest bit comes first.
 */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

typedef enum PieceKind { PIECE_FIXED, PIECE_FILL, PIECE_FIELD } PieceKind;

typedef struct Piece {
	u8 kind;
	bool little;   /* FIELD: N:16le, parcels in reverse order */
	u16 field;     /* index into isa->fields */
	u32 len;
	u32 lo;        /* FIELD: lowest bit of the field it holds */
	u64 value;     /* FIXED (len <= 64 significant), FILL: 0 or ~0 */
	u32 pos;
} Piece;

enum { PIECES_MAX = 96 };

typedef struct Pattern {
	Parser *p;
	Piece pieces[PIECES_MAX];
	u32 count, bits;
	bool bad;
} Pattern;

static void pattern_error(Pattern *t, u32 pos, u32 len, const char *hint, const char *message)
{
	if (!t->bad)
		parse_error(t->p, pos, len, hint, "%s", message);
	t->bad = true;
}

static void add_piece(Pattern *t, Piece piece)
{
	if (t->count == PIECES_MAX || t->bits + piece.len > ISA_WORDS * 64) {
		pattern_error(t, piece.pos, 1, NULL, "an instruction has at most 256 bits");
		return;
	}
	t->pieces[t->count++] = piece;
	t->bits += piece.len;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static u32 read_decimal(const char *text, u32 *at, u32 end)
{
	u32 value = 0;

	while (*at < end && is_digit(text[*at]) && value < 100000)
		value = value * 10 + (u32)(text[(*at)++] - '0');
	return value;
}

/* The +NAME of 0x3F+s'8: a number of the description. */
static u32 read_added(Pattern *t, const char *text, u32 at, u32 end, u64 *value)
{
	u32 start = ++at;

	while (at < end && (is_letter(text[at]) || is_digit(text[at])))
		at++;
	for (u32 i = 0; i < t->p->number_count; i++) {
		const NamedNumber *number = &t->p->numbers[i];

		if (strlen(number->name) != at - start || memcmp(number->name, text + start, at - start))
			continue;
		*value = number->value >> 58 ? (u64)1 << 58 : *value + number->value;
		return at;
	}
	pattern_error(t, start, at > start ? at - start : 1, "declare it before: const s = revision == b ? 2 : 0",
		      "there is no number of this name");
	return at;
}

/* 0101.. or 9'32 or 0xA9'8 or 0x3F+s'8 */
static u32 read_fixed(Pattern *t, const char *text, u32 at, u32 end)
{
	u32 digits = at, start = at;
	bool hex = end - at > 2 && text[at] == '0' && (text[at + 1] == 'x' || text[at + 1] == 'X');
	u64 value = 0;

	if (hex)
		digits = at + 2;
	for (; digits < end && (is_digit(text[digits]) || (hex && ((text[digits] | 32) >= 'a' && (text[digits] | 32) <= 'f')));
	     digits++) {
		int d = is_digit(text[digits]) ? text[digits] - '0' : (text[digits] | 32) - 'a' + 10;

		value = value * (hex ? 16 : 10) + (u64)d;
		if (value >> 58)
			value |= (u64)1 << 58; /* too big either way */
	}
	if (digits < end && text[digits] == '+')
		digits = read_added(t, text, digits, end, &value);
	if (t->bad)
		return digits;
	if (digits < end && text[digits] == '\'') {
		u32 width;

		digits++;
		width = read_decimal(text, &digits, end);
		if (width < 1 || width > 64 || (width < 64 && value > bits_mask(width)))
			pattern_error(t, start, digits - start, NULL, "the number does not fit its width");
		else
			add_piece(t, (Piece){.kind = PIECE_FIXED, .len = width, .value = value, .pos = start});
		return digits;
	}
	if (hex) {
		pattern_error(t, start, digits - start, "write 0xA9'8", "a number in a pattern needs a width");
		return digits;
	}
	for (; at < end && (text[at] == '0' || text[at] == '1'); at++)
		add_piece(t, (Piece){.kind = PIECE_FIXED, .len = 1, .value = text[at] == '1', .pos = at});
	if (at < end && is_digit(text[at])) {
		pattern_error(t, at, 1, "fixed bits are 0 and 1; a number needs a width: 9'32", "not a bit");
		at++;
	}
	return at;
}

static u32 read_field(Pattern *t, const char *text, u32 at, u32 end)
{
	const Isa *isa = t->p->isa;
	u32 start = at, len;
	Piece piece = {.kind = PIECE_FIELD, .pos = at};
	char message[128];
	bool one_letter = true;

	while (at < end && (is_letter(text[at]) || is_digit(text[at])))
		at++;
	len = at - start;
	piece.field = find_field(isa, text + start, len);
	for (u32 i = start; i < at; i++)
		one_letter = one_letter && text[i] == text[start];
	if (piece.field == ISA_NONE && one_letter && len > 1) {
		piece.field = find_field(isa, text + start, 1);
		piece.len = len;
	}
	if (piece.field == ISA_NONE) {
		/* nzp without blanks: each its own one-letter field? Say what to write. */
		snprintf(message, sizeof(message), "there is no field '%.*s'", (int)(len > 40 ? 40 : len), text + start);
		pattern_error(t, start, len, one_letter ? "declare it before: field d : R" : "declare it with 'field', or separate "
			      "one-letter fields by blanks", message);
		return at;
	}
	if (at < end && text[at] == ':') {
		at++;
		piece.len = read_decimal(text, &at, end);
		if (end - at >= 2 && text[at] == 'l' && text[at + 1] == 'e') {
			piece.little = true;
			at += 2;
		}
	} else if (at < end && text[at] == '[') {
		u32 hi, lo;

		at++;
		hi = lo = read_decimal(text, &at, end);
		if (at < end && text[at] == ':') {
			at++;
			lo = read_decimal(text, &at, end);
		}
		if (at >= end || text[at] != ']' || hi < lo) {
			pattern_error(t, start, at - start, "write imm[11:5]", "bits of a field are [hi:lo]");
			return at + 1;
		}
		at++;
		piece.lo = lo;
		piece.len = hi - lo + 1;
	} else if (!piece.len) {
		piece.len = len; /* d = one bit, 'n' = one bit */
		if (len > 1 && isa->fields[piece.field].kind != ISA_FIELD_LETTER) {
			snprintf(message, sizeof(message), "field '%.*s' needs a width: write '%.*s:N'", (int)len, text + start,
				 (int)len, text + start);
			pattern_error(t, start, len, NULL, message);
			return at;
		}
		if (isa->fields[piece.field].kind == ISA_FIELD_LETTER)
			piece.len = 1;
	}
	if (piece.len < 1 || piece.len > 64 || piece.lo + piece.len > 64) {
		pattern_error(t, start, at - start, NULL, "a field has 1 to 64 bits");
		return at;
	}
	if (isa->fields[piece.field].kind == ISA_FIELD_LETTER && piece.len != 1) {
		pattern_error(t, start, at - start, NULL, "a letter is one bit");
		return at;
	}
	if (piece.little && piece.len % isa->parcel_bits) {
		pattern_error(t, start, at - start, NULL, "a little-endian field has whole parcels");
		return at;
	}
	add_piece(t, piece);
	return at;
}

/* . or ^, alone or with a width: .:56 */
static u32 read_fill(Pattern *t, const char *text, u32 at, u32 end)
{
	Piece piece = {.kind = PIECE_FILL, .len = 1, .value = text[at] == '^', .pos = at};

	if (++at < end && text[at] == ':') {
		at++;
		piece.len = read_decimal(text, &at, end);
		if (piece.len < 1 || piece.len > ISA_WORDS * 64) {
			pattern_error(t, piece.pos, at - piece.pos, "write .:56", "should-be bits have a width of 1 to 256");
			return at;
		}
	}
	add_piece(t, piece);
	return at;
}

static void read_pieces(Pattern *t, u32 at, u32 end)
{
	const char *text = t->p->source.text;

	while (at < end && !t->bad) {
		if (text[at] == ' ' || text[at] == '\t') {
			at++;
		} else if (text[at] == '.' || text[at] == '^') {
			at = read_fill(t, text, at, end);
		} else if (is_digit(text[at])) {
			at = read_fixed(t, text, at, end);
		} else if (is_letter(text[at])) {
			at = read_field(t, text, at, end);
		} else {
			pattern_error(t, at, 1, "a pattern has 0 1 . ^ fields and numbers like 9'32", "this is no part of a pattern");
		}
	}
}

/* Bit of W for text position k (0 = leftmost) of a pattern of `bits` bits. */
static u32 word_bit(const Isa *isa, u32 bits, u32 k)
{
	u32 parcel = isa->parcel_bits;

	if (isa->low_first)
		return bits - 1 - k;
	return k / parcel * parcel + (parcel - 1 - k % parcel);
}

static void set_bit(u64 *words, u32 bit, bool value)
{
	if (value)
		words[bit / 64] |= (u64)1 << bit % 64;
}

static int insn_field_of(Pattern *t, IsaInsn *insn, const Piece *piece)
{
	for (u32 i = 0; i < insn->field_count; i++)
		if (insn->fields[i].field == piece->field)
			return (int)i;
	if (insn->field_count == ISA_MAX_FIELDS) {
		pattern_error(t, piece->pos, 1, NULL, "an instruction has at most 12 fields");
		return -1;
	}
	insn->fields[insn->field_count] = (IsaInsnField){.field = piece->field};
	return insn->field_count++;
}

/* One slice per run of adjacent bits. */
static void add_bits(Pattern *t, IsaInsnField *f, const u16 *word_bits, u32 len, u32 lo)
{
	Parser *p = t->p;
	Isa *isa = p->isa;

	/* word_bits[i]: bit of W that holds bit lo+i of the field */
	for (u32 i = 0; i < len;) {
		u32 run = 1;

		while (i + run < len && word_bits[i + run] == word_bits[i] + run)
			run++;
		if (!arena_grow(p->arena, (void **)&isa->slices, &p->cap_slices, isa->slice_count, sizeof(IsaSlice)) ||
		    isa->slice_count > 60000) {
			p->give_up = true;
			return;
		}
		isa->slices[isa->slice_count++] = (IsaSlice){(u8)run, (u8)(lo + i), word_bits[i]};
		f->slice_count++;
		i += run;
	}
}

static void place_field(Pattern *t, IsaInsn *insn, u32 index)
{
	const Isa *isa = t->p->isa;
	IsaInsnField *f = &insn->fields[index];
	const IsaField *field = &isa->fields[f->field];
	u64 seen = 0;
	u32 at = 0;

	f->slices = (u16)isa->slice_count;
	for (u32 i = 0; i < t->count; at += t->pieces[i++].len) {
		const Piece *piece = &t->pieces[i];
		u16 bits[64];
		u64 mask;

		if (piece->kind != PIECE_FIELD || piece->field != f->field)
			continue;
		for (u32 k = 0; k < piece->len; k++) {
			u32 text_pos = at + piece->len - 1 - k; /* bit k of the piece */

			if (piece->little) { /* low parcel first */
				u32 parcel = k / isa->parcel_bits;

				text_pos = at + parcel * isa->parcel_bits + (isa->parcel_bits - 1 - k % isa->parcel_bits);
			}
			bits[k] = (u16)word_bit(isa, t->bits, text_pos);
		}
		mask = bits_mask(piece->len) << piece->lo;
		if (seen & mask)
			pattern_error(t, piece->pos, 1, NULL, "these bits of the field stand twice in the pattern");
		seen |= mask;
		add_bits(t, f, bits, piece->len, piece->lo);
	}
	if (!seen)
		return;
	f->is_signed = field->is_signed;
	f->width = (u8)(64 - __builtin_clzll(seen));
	if (f->slice_count == 1 && !isa->slices[f->slices].field_lo && isa->slices[f->slices].word_lo + f->width <= 64) {
		f->lo = (u8)isa->slices[f->slices].word_lo;
		f->whole = f->width;
	}
	f->low_zero = (u8)__builtin_ctzll(seen);
	if (seen != (bits_mask(f->width) & ~bits_mask(f->low_zero))) {
		u64 hole = ~seen & bits_mask(f->width) & ~bits_mask(f->low_zero);

		parse_error(t->p, t->pieces[0].pos, 1, NULL, "bit %u of field '%s' is not in the pattern",
			    (unsigned)__builtin_ctzll(hole), field->name);
		t->bad = true;
	}
	if (field->float_bits && f->width != field->float_bits) {
		parse_error(t->p, t->pieces[0].pos, 1, NULL, "float '%s' has %u bits here, not %u", field->name, f->width,
			    field->float_bits);
		t->bad = true;
	}
	if (field->kind == ISA_FIELD_LIST && f->width > isa->regs[field->reg].count) {
		parse_error(t->p, t->pieces[0].pos, 1, NULL, "list '%s' has %u bits for %u registers", field->name, f->width,
			    isa->regs[field->reg].count);
		t->bad = true;
	}
}

static bool place_pattern(Pattern *t, IsaInsn *insn)
{
	Parser *p = t->p;
	u32 at = 0;

	insn->bits = (u16)t->bits;
	if (t->bits == 0 || t->bits % p->isa->parcel_bits) {
		parse_error(p, t->count ? t->pieces[0].pos : p->tok.pos, 1, NULL,
			    "the pattern has %u bits; instructions are whole parcels of %u bits", t->bits, p->isa->parcel_bits);
		return false;
	}
	for (u32 i = 0; i < t->count; at += t->pieces[i++].len) {
		const Piece *piece = &t->pieces[i];

		if (piece->kind == PIECE_FIELD) {
			if (insn_field_of(t, insn, piece) < 0)
				return false;
			continue;
		}
		for (u32 k = 0; k < piece->len; k++) {
			u32 bit = word_bit(p->isa, t->bits, at + k);
			bool value = piece->kind == PIECE_FILL ? piece->value != 0 : piece->value >> (piece->len - 1 - k) & 1;

			if (piece->kind == PIECE_FILL) {
				set_bit(insn->fill_mask, bit, true);
				set_bit(insn->fill_value, bit, value);
				if (!p->fill_checked)
					continue;
			}
			set_bit(insn->mask, bit, true);
			set_bit(insn->match, bit, value);
		}
	}
	for (u32 i = 0; i < insn->field_count && !t->bad; i++)
		place_field(t, insn, i);
	return !t->bad;
}

/* ---- operand templates ---- */

IsaSyntax *parse_syntax(Parser *p, u32 pos, u32 len, const IsaInsn *insn, u32 *count)
{
	const char *text = p->source.text;
	u32 end = pos + len, cap = 0;
	IsaSyntax *items = NULL;

	*count = 0;
	while (pos < end) {
		u32 start = pos, n;
		IsaSyntax item = {0};
		u16 field;

		if (text[pos] == ' ' || text[pos] == '\t' || text[pos] == '\n' || text[pos] == '\r') {
			pos++;
			continue;
		}
		if (text[pos] == '"') { /* a quoted literal: "{" */
			for (pos++; pos < end && text[pos] != '"'; pos++)
				;
			n = pos - start - 1;
			start++;
			if (pos < end)
				pos++;
		} else if (is_letter(text[pos]) || is_digit(text[pos])) {
			while (pos < end && (is_letter(text[pos]) || is_digit(text[pos])))
				pos++;
			n = pos - start;
		} else {
			pos++;
			n = 1;
		}
		field = is_letter(text[start]) && text[start - 1] != '"' ? find_insn_field(p->isa, insn, text + start, n) : ISA_NONE;
		if (field != ISA_NONE) {
			item.is_field = true;
			item.field = (u8)field;
		} else if (is_letter(text[start]) && text[start - 1] != '"' && find_field(p->isa, text + start, n) != ISA_NONE) {
			parse_error(p, start, n, NULL, "field '%.*s' is not in the pattern of this instruction", (int)n, text + start);
		}
		if (!item.is_field)
			item.text = arena_strndup(p->arena, text + start, n);
		if (*count >= 60 || !arena_grow(p->arena, (void **)&items, &cap, *count, sizeof(*items))) {
			p->give_up = *count < 60;
			if (*count >= 60)
				parse_error(p, start, n, NULL, "more than 60 parts in the operands");
			return items;
		}
		items[(*count)++] = item;
	}
	return items;
}

/* The operand template runs to `when`, `cost`, `restartable`, `spelling` or '{'. Quoted parts may hold braces. */
static u32 operands_end(Parser *p, u32 pos)
{
	const char *text = p->source.text;
	u32 len = (u32)p->source.len;

	while (pos < len && text[pos] != '{') {
		if (text[pos] == '"') {
			for (pos++; pos < len && text[pos] != '"' && text[pos] != '\n'; pos++)
				;
		} else if (text[pos] == '#' && pos + 1 < len && (text[pos + 1] == ' ' || text[pos + 1] == '#')) {
			break;
		} else if (is_letter(text[pos])) {
			u32 start = pos;

			while (pos < len && (is_letter(text[pos]) || is_digit(text[pos])))
				pos++;
			if (text_is(text + start, pos - start, "when") || text_is(text + start, pos - start, "cost") ||
			    text_is(text + start, pos - start, "restartable") ||
			    text_is(text + start, pos - start, "spelling"))
				return start;
			continue;
		}
		pos++;
	}
	return pos;
}

static const char *trimmed(Parser *p, u32 from, u32 to)
{
	const char *text = p->source.text;

	while (from < to && strchr(" \t\r\n", text[from]))
		from++;
	while (to > from && strchr(" \t\r\n", text[to - 1]))
		to--;
	return arena_strndup(p->arena, text + from, to - from);
}

/* Every field should be written somewhere: in the operands, in the mnemonic, or used in the meaning. */
static void check_operands(Parser *p, const IsaInsn *insn, u32 pos)
{
	for (u32 f = 0; f < insn->field_count; f++) {
		const IsaField *field = &p->isa->fields[insn->fields[f].field];
		bool written = false;

		if (field->kind == ISA_FIELD_LETTER) {
			size_t n = strlen(field->name);

			for (const char *s = strchr(insn->name, '<'); s && !written; s = strchr(s + 1, '<')) {
				const char *name = s[1] == '.' ? s + 2 : s + 1;

				written = !strncmp(name, field->name, n) && name[n] == '>';
			}
		}
		for (u32 k = 0; k < field->enum_count; k++)
			if (field->enums[k].value > bits_mask(insn->fields[f].width))
				parse_error(p, pos, 1, NULL, "'%s' = %llu of field '%s' does not fit its %u bits here", field->enums[k].name,
					    (unsigned long long)field->enums[k].value, field->name, insn->fields[f].width);

		for (u32 i = 0; i < insn->syntax_count; i++)
			written = written || (insn->syntax[i].is_field && insn->syntax[i].field == f);
		if (!written)
			parse_error(p, pos, 1, "add it to the operands, or make its bits fixed or '.'",
				    "field '%s' of '%s' can't be written: it is not among the operands", field->name, insn->name);
	}
	for (u32 i = 0; i < insn->syntax_count; i++)
		for (u32 k = 0; k < i; k++)
			if (insn->syntax[i].is_field && insn->syntax[k].is_field && insn->syntax[i].field == insn->syntax[k].field)
				parse_error(p, pos, 1, NULL, "a field stands twice among the operands of '%s'", insn->name);
}

/* `when` is decided while decoding: from the instruction's own bits. */
static bool known_when(const RtlExpr *e)
{
	if (!e)
		return true;
	if (e->kind == RTL_REG || e->kind == RTL_REGFIELD || e->kind == RTL_VIEW || e->kind == RTL_PC || e->kind == RTL_NEXT ||
	    e->kind == RTL_CALL || e->kind == RTL_HOST || e->kind == RTL_MEM || e->kind == RTL_TABLE || e->kind == RTL_VAR ||
	    e->kind == RTL_ATOMIC || e->kind == RTL_FENCE)
		return false;
	if (e->kind == RTL_FLOAT && e->argc && !known_when(e->args[0]))
		return false;
	return known_when(e->a) && known_when(e->b) && known_when(e->c);
}

void parse_insn(Parser *p)
{
	Isa *isa = p->isa;
	u32 pos = p->tok.pos, name_pos = 0, len, end, body_pos;
	u64 holds;
	Pattern t; /* its pieces are filled as they are read: zeroing them would take as long as the rest */
	IsaInsn *insn;
	Scope scope;

	if (isa->insn_count >= 4000 ||
	    !arena_grow(p->arena, (void **)&isa->insns, &p->cap_insns, isa->insn_count, sizeof(*insn))) {
		p->give_up = true;
		error_here(p, NULL, "more than 4000 instructions");
		return;
	}
	t.p = p;
	t.count = t.bits = 0;
	t.bad = false;
	insn = &isa->insns[isa->insn_count];
	*insn = (IsaInsn){.doc = take_doc(p), .cost = 1, .line = line_of(p, pos)};
	if (!p->has_code)
		parse_error(p, pos, 4, "write before: code M", "instructions need to know where they live");
	p->at = p->tok_end;
	len = raw_word(p, &name_pos);
	insn->name = arena_strndup(p->arena, p->source.text + name_pos, len);
	lex_next(p);
	if (!len || p->tok.kind != TOK_STRING) {
		error_here(p, "write: insn ADD \"0001 ddd aaa 0 .. bbb\" d, a, b { .. }", "an instruction needs a name and a pattern");
		return;
	}
	insn->pattern = arena_strndup(p->arena, tok_text(p), p->tok.len);
	read_pieces(&t, p->tok.pos, p->tok.pos + p->tok.len);
	if (t.bad || !place_pattern(&t, insn))
		return;
	end = operands_end(p, p->tok_end);
	insn->syntax = parse_syntax(p, p->tok_end, end - p->tok_end, insn, &insn->syntax_count);
	check_operands(p, insn, name_pos);
	p->at = end;
	lex_next(p);
	for (;;) {
		u64 value;

		p->insn = insn;
		if (accept_word(p, "when")) {
			insn->when = parse_value_body(p, 1);
			if (insn->when && !p->item_errors && ((insn->when->effects & RTL_IMPURE) || !known_when(insn->when->value)))
				parse_error(p, pos, 1, NULL, "'when' depends on the instruction's own bits alone");
		} else if (accept_word(p, "cost")) {
			p->scope = NULL;
			if (parse_const(p, &value) && value <= 1000000)
				insn->cost = (u32)value;
			p->uses_cycles = true;
		} else if (accept_word(p, "restartable")) {
			insn->restartable = true;
		} else if (accept_word(p, "spelling")) {
			insn->spelling = true;
		} else {
			break;
		}
	}
	body_pos = p->tok_end;
	insn->body = ARENA_NEW(p->arena, RtlBody);
	if (!insn->body || p->give_up) {
		p->give_up = true;
		return;
	}
	body_begin(p, insn->body, &scope, insn, false);
	parse_block(p, insn->body);
	insn->semantics = trimmed(p, body_pos, p->prev_end > body_pos ? p->prev_end - 1 : body_pos);
	body_finish(p, insn->body, pos);
	if (insn->body->store_then_fault && !insn->restartable)
		parse_warn(p, pos, 4, "test everything before the first store, or mark it 'restartable' if that is meant",
			   "'%s' can be left by a fault, raise or host call after it has changed memory", insn->name);
	trailing_doc(p, p->prev_end, &insn->doc);
	if (insn->when && rtl_const(isa, insn->when->value, NULL, &holds)) {
		for (u32 f = 0; !holds && f < insn->field_count; f++)
			p->field_used[insn->fields[f].field] = FIELD_LEFT_OUT;
		if (!holds)
			return; /* under the chosen options there is no such instruction */
		insn->when = NULL;
	}
	isa->insn_count++;
}
