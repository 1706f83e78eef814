/* SPDX-License-Identifier: MIT
 *
 * RTL text -> trees. Names are resolved here (variables, fields, views, registers, spaces, options), widths are not:
 * an expression is typed when its statement is complete (rtl_type.c), because literals take their width from
 * their surroundings.
 *
 * Precedence, loosest first:  ?:   ||   &&   |   ^   &   == !=   <s <u ...   << >> >>s   @   + -   * /s %u ...   - ~ !
 */
#include <ctype.h>
#include <string.h>

#include "base/bits.h"
#include "base/nearest.h"
#include "isa/isa_parse.h"

static RtlExpr *parse_ternary(Parser *p);

/* A body is read by people, pasted in where it is used and lifted for every decoded instruction: it stays small. */
void count_node(Parser *p, u32 pos)
{
	if (++p->nodes <= BODY_NODES_MAX || p->give_up)
		return;
	parse_error(p, pos, 1, "split it into functions of the host or simpler instructions",
		    "this body is too long (more than %d operations)", BODY_NODES_MAX);
	p->give_up = true;
}

RtlExpr *rtl_new_expr(Parser *p, RtlKind kind, u32 pos)
{
	RtlExpr *e = ARENA_NEW(p->arena, RtlExpr);

	if (!e) {
		p->give_up = true;
		p->scratch_expr = (RtlExpr){.kind = RTL_NUM, .width = 1};
		return &p->scratch_expr;
	}
	count_node(p, pos);
	e->kind = (u8)kind;
	e->pos = pos;
	return e;
}

RtlExpr *rtl_number(Parser *p, u32 pos, u64 value)
{
	RtlExpr *e = rtl_new_expr(p, RTL_NUM, pos);

	e->value = value;
	return e;
}

bool parse_enter(Parser *p)
{
	if (++p->depth <= PARSE_DEPTH_MAX)
		return true;
	if (!p->give_up)
		error_here(p, "split it with 'let' or a func", "nested more than %d deep", PARSE_DEPTH_MAX);
	p->give_up = true;
	return false;
}

/* ---- names ---- */

u16 find_var(const Parser *p, const char *name, u32 len)
{
	if (p->scope)
		for (u32 i = p->scope->count; i-- > 0;)
			if (p->scope->names[i].len == len && !memcmp(p->scope->names[i].name, name, len))
				return p->scope->names[i].var;
	return ISA_NONE;
}

static u16 find_view(const Isa *isa, const char *name, u32 len)
{
	for (u32 i = 0; i < isa->view_count; i++)
		if (text_is(name, len, isa->views[i].name))
			return (u16)i;
	return ISA_NONE;
}

static u16 find_reg(const Isa *isa, const char *name, u32 len)
{
	for (u32 i = 0; i < isa->reg_count; i++)
		if (text_is(name, len, isa->regs[i].name))
			return (u16)i;
	return ISA_NONE;
}

static int find_option(const Isa *isa, const char *name, u32 len)
{
	for (u32 i = 0; i < isa->option_count; i++)
		if (text_is(name, len, isa->options[i].name))
			return (int)i;
	return -1;
}

static int find_func(const Parser *p, const char *name, u32 len)
{
	for (u32 i = 0; i < p->func_count; i++)
		if (p->funcs[i].name_len == len && !memcmp(p->funcs[i].name, name, len))
			return (int)i;
	return -1;
}

u16 find_field(const Isa *isa, const char *name, u32 len)
{
	for (u32 i = 0; i < isa->field_count; i++)
		if (text_is(name, len, isa->fields[i].name))
			return (u16)i;
	return ISA_NONE;
}

u16 find_insn_field(const Isa *isa, const IsaInsn *insn, const char *name, u32 len)
{
	for (u32 i = 0; insn && i < insn->field_count; i++)
		if (text_is(name, len, isa->fields[insn->fields[i].field].name))
			return (u16)i;
	return ISA_NONE;
}

u16 body_param(Parser *p, const char *name, u32 len, u8 width)
{
	RtlBody *body = p->body;

	if (!body->var_widths) /* memory is out */
		return 0;
	if (body->var_count >= BODY_VARS_MAX || p->scope->count >= COUNT_OF(p->scope->names)) {
		error_here(p, NULL, "more than %d variables", BODY_VARS_MAX);
		return 0;
	}
	if (!body->var_widths) /* memory is out, and known to be */
		return 0;
	p->scope->names[p->scope->count].name = name;
	p->scope->names[p->scope->count].len = len;
	p->scope->names[p->scope->count++].var = body->var_count;
	body->var_widths[body->var_count] = width;
	return body->var_count++;
}

void body_begin(Parser *p, RtlBody *body, Scope *scope, const IsaInsn *insn, bool in_handler)
{
	*body = (RtlBody){.result_var = ISA_NONE};
	body->var_widths = arena_alloc(p->arena, BODY_VARS_MAX);
	if (!body->var_widths)
		p->give_up = true;
	scope->count = 0;
	p->body = body;
	p->scope = scope;
	p->insn = insn;
	p->in_handler = in_handler;
	p->depth = 0;
	p->nodes = 0;
}

/* ---- expressions ---- */

RtlExpr *rtl_parse_args(Parser *p, RtlExpr *call, const char *name, u32 len)
{
	RtlExpr *args[16];
	u32 count = 0;

	if (!expect(p, "(", "before the arguments"))
		return call;
	while (!tok_is(p, ")") && p->tok.kind != TOK_END && !p->give_up) {
		RtlExpr *arg = parse_expr(p);

		if (count < COUNT_OF(args))
			args[count] = arg;
		else if (count == COUNT_OF(args))
			parse_error(p, call->pos, len, NULL, "'%.*s' has more than 16 arguments", (int)len, name);
		count++;
		if (!accept(p, ","))
			break;
	}
	expect(p, ")", "after the arguments");
	if (count > COUNT_OF(args))
		count = COUNT_OF(args);
	call->argc = (u8)count;
	call->args = ARENA_ARRAY(p->arena, RtlExpr *, count ? count : 1);
	if (!call->args) {
		call->argc = 0;
		p->give_up = true;
		return call;
	}
	memcpy(call->args, args, count * sizeof(args[0]));
	return call;
}

static RtlExpr *parse_host(Parser *p, u32 pos)
{
	Isa *isa = p->isa;
	RtlExpr *e = rtl_new_expr(p, RTL_HOST, pos);
	const char *name = tok_text(p);
	u32 len = p->tok.len, i;

	if (p->tok.kind != TOK_IDENT) {
		error_here(p, "write: host putc(c)", "'host' needs the name of a function of the host");
		return rtl_number(p, pos, 0);
	}
	lex_next(p);
	rtl_parse_args(p, e, name, len);
	for (i = 0; i < isa->host_count; i++)
		if (text_is(name, len, isa->hosts[i].name))
			break;
	if (i == isa->host_count) {
		/* The functions every machine has are known without a declaration. */
		static const struct {
			const char *name;
			u8 width;
		} common[] = {{"key", 8},	 {"key_ready", 1}, {"key_held", 1},   {"random", 32},
			      {"vcpu_start", 32}, {"vcpu_self", 32}, {"vcpu_state", 8}, {"vcpu_get", 64},
			      {"time", 64},	 {"icount", 64}};
		u8 known = 0;

		for (u32 k = 0; k < COUNT_OF(common); k++)
			if (text_is(name, len, common[k].name))
				known = common[k].width;
		if (!arena_grow(p->arena, (void **)&isa->hosts, &p->cap_hosts, isa->host_count, sizeof(IsaHost)) ||
		    isa->host_count >= 4096) {
			p->give_up = true;
			return e;
		}
		isa->hosts[isa->host_count++] =
			(IsaHost){.name = arena_strndup(p->arena, name, len), .arg_count = e->argc,
				  .usual_width = known};
	} else if (isa->hosts[i].arg_count != e->argc) {
		parse_error(p, pos, len, NULL, "host '%.*s' takes %u arguments here, %u elsewhere", (int)len, name, e->argc,
			    isa->hosts[i].arg_count);
	}
	e->index = (u16)i;
	return e;
}

u8 parse_access_width(Parser *p, u16 space)
{
	const IsaSpace *s = &p->isa->spaces[space];
	u8 width = s->cell_bits;

	if (p->tok.kind != TOK_NUMBER || p->tok.value == 0 || p->tok.value > 64 || p->tok.value % s->cell_bits != 0)
		error_here(p, NULL, "an access to '%s' has a multiple of %u bits, at most 64", s->name, s->cell_bits);
	else
		width = (u8)p->tok.value;
	lex_next(p);
	return width;
}

static RtlExpr *parse_space(Parser *p, u16 space, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, RTL_MEM, pos);

	e->index = space;
	e->width = p->isa->spaces[space].cell_bits;
	if (accept(p, ":"))
		e->width = parse_access_width(p, space);
	expect(p, "[", "before the address");
	e->a = parse_expr(p);
	expect(p, "]", "after the address");
	return e;
}

static RtlExpr *parse_table(Parser *p, u16 table, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, RTL_TABLE, pos);
	const IsaTable *t = &p->isa->tables[table];
	u32 column = 0;

	e->index = table;
	expect(p, ".", "between a table and its column");
	while (column < t->column_count && !(p->tok.kind == TOK_IDENT && text_is(tok_text(p), p->tok.len, t->columns[column])))
		column++;
	if (column == t->column_count) {
		error_here(p, NULL, "table '%s' has no column '%.*s'", t->name, (int)p->tok.len, tok_text(p));
		column = 0;
	}
	lex_next(p);
	e->index2 = (u16)column;
	e->width = t->widths[column];
	expect(p, "[", "before the row");
	e->a = parse_expr(p);
	expect(p, "]", "after the row");
	return e;
}

static bool find_table(const Isa *isa, const char *name, u32 len)
{
	for (u32 i = 0; i < isa->table_count; i++)
		if (text_is(name, len, isa->tables[i].name))
			return true;
	return false;
}

/* Does this choice stand here? Choices are words as people write them: 18, func-meta, v3. */
static bool at_choice(const Parser *p, const char *choice)
{
	size_t n = strlen(choice), left = p->source.len - p->tok.pos;

	return n <= left && memcmp(tok_text(p), choice, n) == 0 &&
	       (n == left || !(isalnum((u8)tok_text(p)[n]) || strchr("_-", tok_text(p)[n])));
}

static RtlExpr *parse_option_test(Parser *p, int option, u32 pos)
{
	const IsaOption *o = &p->isa->options[option];
	bool negate = tok_is(p, "!=");
	u32 choice;

	if (!negate && !tok_is(p, "==")) {
		error_here(p, NULL, "option '%s' can only be compared: write '%s == %s'", o->name, o->name, o->choices[0]);
		return rtl_number(p, pos, 0);
	}
	lex_next(p);
	for (choice = 0; choice < o->choice_count && !at_choice(p, o->choices[choice]); choice++)
		;
	if (choice == o->choice_count) {
		error_here(p, NULL, "option '%s' has no choice '%.*s'", o->name, (int)p->tok.len, tok_text(p));
		lex_next(p);
	} else {
		u32 end = p->tok.pos + (u32)strlen(o->choices[choice]);

		while (p->tok.kind != TOK_END && p->tok.pos < end)
			lex_next(p);
	}
	RtlExpr *e = rtl_number(p, pos, (choice == o->chosen) != negate);

	e->width = 1;
	e->explicit_width = true;
	return e;
}

static RtlExpr *field_expr(Parser *p, u16 index, u32 pos)
{
	const IsaField *field = &p->isa->fields[p->insn->fields[index].field];
	RtlKind kind = field->kind == ISA_FIELD_REG ? RTL_REGFIELD :
		       field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS ? RTL_TARGET : RTL_FIELD;
	RtlExpr *e = rtl_new_expr(p, kind, pos);

	e->index = index;
	if (kind == RTL_REGFIELD) {
		e->width = p->isa->regs[field->reg].width;
		p->reg_used[field->reg] = 1;
	} else if (kind == RTL_TARGET) {
		e->width = p->isa->pc_width;
	}
	p->field_used[p->insn->fields[index].field] = 1;
	return e;
}

static RtlExpr *reg_expr(Parser *p, u16 reg, u32 pos)
{
	const IsaReg *r = &p->isa->regs[reg];
	RtlExpr *e;

	p->reg_used[reg] = 1;
	if (reg == p->isa->pc_reg) {
		e = rtl_new_expr(p, RTL_PC, pos);
	} else {
		e = rtl_new_expr(p, RTL_REG, pos);
		e->index = reg;
		if (r->array && !tok_is(p, "[")) {
			parse_error(p, pos, (u32)strlen(r->name), NULL, "'%s' is a file of %u registers: write %s[0] .. %s[%u]", r->name,
				    r->count, r->name, r->name, r->count - 1);
		} else if (r->array) {
			expect(p, "[", "after a register file");
			e->a = parse_expr(p);
			expect(p, "]", "after the register number");
		}
	}
	e->width = r->width;
	return e;
}

static const struct {
	const char *name;
	u8 op, args;
} builtins[] = {
	{"clz", IR_OP_CLZ, 1}, {"ctz", IR_OP_CTZ, 1}, {"popc", IR_OP_POPC, 1}, {"bswap", IR_OP_BSWAP, 1},
	{"rol", IR_OP_ROL, 2}, {"ror", IR_OP_ROR, 2}, {"mulh_ss", IR_OP_MULHS, 2}, {"mulh_uu", IR_OP_MULHU, 2},
	{"mulh_su", IR_OP_MULHSU, 2},
};

static RtlExpr *parse_builtin(Parser *p, u32 i, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, builtins[i].args == 1 ? RTL_UN : RTL_BIN, pos);

	rtl_parse_args(p, e, builtins[i].name, (u32)strlen(builtins[i].name));
	e->irop = builtins[i].op;
	if (e->argc != builtins[i].args) {
		parse_error(p, pos, (u32)strlen(builtins[i].name), NULL, "%s takes %u argument%s", builtins[i].name,
			    builtins[i].args, builtins[i].args == 1 ? "" : "s");
		return rtl_number(p, pos, 0);
	}
	e->a = e->args[0];
	e->b = e->argc > 1 ? e->args[1] : NULL;
	return e;
}

static RtlExpr *parse_extend(Parser *p, RtlKind kind, u32 pos)
{
	RtlExpr *e = rtl_new_expr(p, kind, pos);

	expect(p, "(", "after sx or zx");
	e->a = parse_expr(p);
	if (accept(p, ",")) {
		if (p->tok.kind != TOK_NUMBER || p->tok.value == 0 || p->tok.value > 128)
			error_here(p, NULL, "the width must be a number from 1 to 64");
		else
			e->width = (u8)p->tok.value;
		e->explicit_width = true;
		lex_next(p);
	}
	expect(p, ")", "after sx or zx");
	return e;
}

/* Everything that could have been meant where a name stands. */
static const char *suggest(Parser *p, const char *text, u32 len, bool call)
{
	const Isa *isa = p->isa;
	Nearest n = nearest_to(text, len);
	char names[COUNT_OF(p->scope->names)][33];

	for (u32 i = 0; i < p->func_count; i++)
		if (call || p->funcs[i].body.result_width)
			nearest_consider(&n, p->funcs[i].name);
	for (u32 i = 0; call && i < COUNT_OF(builtins); i++)
		nearest_consider(&n, builtins[i].name);
	for (u32 i = 0; !call && i < isa->reg_count; i++)
		nearest_consider(&n, isa->regs[i].name);
	for (u32 i = 0; !call && i < isa->view_count; i++)
		nearest_consider(&n, isa->views[i].name);
	for (u32 i = 0; !call && i < isa->space_count; i++)
		nearest_consider(&n, isa->spaces[i].name);
	for (u32 i = 0; !call && i < isa->option_count; i++)
		nearest_consider(&n, isa->options[i].name);
	for (u32 i = 0; !call && p->insn && i < p->insn->field_count; i++)
		nearest_consider(&n, isa->fields[p->insn->fields[i].field].name);
	for (u32 i = 0; !call && p->scope && i < p->scope->count; i++)
		if (p->scope->names[i].len < sizeof(names[0])) {
			memcpy(names[i], p->scope->names[i].name, p->scope->names[i].len);
			names[i][p->scope->names[i].len] = 0;
			nearest_consider(&n, names[i]);
		}
	return n.name ? arena_printf(p->arena, "did you mean '%s'?", n.name) : NULL;
}

static RtlExpr *unknown_name(Parser *p, const char *name, u32 len, u32 pos, bool call)
{
	u16 field = find_field(p->isa, name, len);
	const char *hint = NULL, *near = suggest(p, name, len, call);

	if (p->func_name && p->func_name_len == len && !memcmp(p->func_name, name, len))
		parse_error(p, pos, len, "functions are pasted in where they are used, so they can't call themselves",
			    "recursion: '%.*s' calls itself", (int)len, name);
	else if (call)
		parse_error(p, pos, len, near ? near : "functions stand before their use; functions of the host are called 'host NAME(..)'",
			    "unknown function '%.*s'", (int)len, name);
	else if (field != ISA_NONE && p->insn)
		parse_error(p, pos, len, NULL, "field '%.*s' is not in the pattern of this instruction", (int)len, name);
	else {
		if (field != ISA_NONE)
			hint = "a field has a value only in the body of an instruction; pass it as an argument";
		else
			hint = near ? near : "registers, views, spaces and functions stand before their use";
		parse_error(p, pos, len, hint, "unknown name '%.*s'", (int)(len > 60 ? 60 : len), name);
	}
	return rtl_number(p, pos, 0);
}

static RtlExpr *parse_name(Parser *p)
{
	const char *name = tok_text(p);
	u32 len = p->tok.len, pos = p->tok.pos;
	Isa *isa = p->isa;
	unsigned bits;
	u16 index;
	int n;

	lex_next(p);
	if (text_is(name, len, "host"))
		return parse_host(p, pos);
	if ((text_is(name, len, "sx") || text_is(name, len, "zx")) && tok_is(p, "("))
		return parse_extend(p, name[0] == 's' ? RTL_SX : RTL_ZX, pos);
	if ((index = find_var(p, name, len)) != ISA_NONE) {
		RtlExpr *e = rtl_new_expr(p, RTL_VAR, pos);

		e->index = index;
		e->width = p->body->loop_vars >> index & 1 ? 0 : p->body->var_widths[index];
		return e;
	}
	if (tok_is(p, "(")) {
		if (text_is(name, len, "fence") && find_func(p, name, len) < 0)
			return parse_fence(p, pos);
		for (u32 i = 0; i < COUNT_OF(builtins); i++)
			if (text_is(name, len, builtins[i].name))
				return parse_builtin(p, i, pos);
		if ((n = find_func(p, name, len)) >= 0) {
			const RtlFunc *func = &p->funcs[n];
			RtlExpr *e = rtl_new_expr(p, RTL_CALL, pos);

			rtl_parse_args(p, e, name, len);
			e->index = (u16)n;
			e->width = func->body.result_width;
			/* What is pasted in counts too: functions calling functions twice double each time. */
			p->nodes += func->body.nodes;
			count_node(p, pos);
			if (e->argc != func->body.param_count) {
				parse_error(p, pos, len, NULL, "'%.*s' takes %u argument%s, not %u", (int)len, name,
					    func->body.param_count, func->body.param_count == 1 ? "" : "s", e->argc);
				return rtl_number(p, pos, 0);
			}
			return e;
		}
		rtl_parse_args(p, rtl_new_expr(p, RTL_CALL, pos), name, len);
		return unknown_name(p, name, len, pos, true);
	}
	if (tok_is(p, ".") && text_is(name, len, "atomic") && !find_table(isa, name, len))
		return parse_atomic(p, pos);
	if (tok_is(p, ".") && is_float_name(name, len, &bits) && !find_table(isa, name, len))
		return parse_float(p, bits, pos);
	if ((index = find_insn_field(isa, p->insn, name, len)) != ISA_NONE)
		return field_expr(p, index, pos);
	if ((index = find_view(isa, name, len)) != ISA_NONE) {
		RtlExpr *e = rtl_new_expr(p, RTL_VIEW, pos);

		e->index = index;
		e->width = isa->views[index].width;
		return e;
	}
	if ((index = find_reg(isa, name, len)) != ISA_NONE)
		return reg_expr(p, index, pos);
	if ((index = isa_find_space(isa, name, len)) != ISA_NONE)
		return parse_space(p, index, pos);
	for (u32 i = 0; i < isa->table_count; i++)
		if (text_is(name, len, isa->tables[i].name))
			return parse_table(p, (u16)i, pos);
	if ((n = find_option(isa, name, len)) >= 0)
		return parse_option_test(p, n, pos);
	if (text_is(name, len, "next")) {
		RtlExpr *e = rtl_new_expr(p, RTL_NEXT, pos);

		e->width = isa->pc_width;
		if (p->in_handler)
			parse_error(p, pos, len, "the return address of a trap is 'pc' here", "'next' has no meaning in a handler");
		return e;
	}
	return unknown_name(p, name, len, pos, false);
}

static RtlExpr *parse_primary(Parser *p)
{
	u32 pos = p->tok.pos;

	if (p->tok.kind == TOK_NUMBER) {
		RtlExpr *e = rtl_number(p, pos, p->tok.value);

		e->width = p->tok.sized ? p->tok.width : 0;
		e->explicit_width = p->tok.sized;
		lex_next(p);
		if (tok_is(p, ".")) {
			parse_error(p, pos, p->tok.pos - pos + 1, "a float is written as its bits: 0x3FF0000000000000 is 1.0",
				    "there are no numbers with a fraction");
			lex_next(p);
			if (p->tok.kind == TOK_NUMBER)
				lex_next(p);
		}
		return e;
	}
	if (p->tok.kind == TOK_FIELDNUM) {
		u16 index = find_insn_field(p->isa, p->insn, tok_text(p), p->tok.len);
		RtlExpr *e = rtl_new_expr(p, RTL_FIELDNUM, pos);

		if (index == ISA_NONE) {
			unknown_name(p, tok_text(p), p->tok.len, pos, false);
			e->kind = RTL_NUM;
		} else {
			p->field_used[p->insn->fields[index].field] = 1;
		}
		e->index = index;
		lex_next(p);
		return e;
	}
	if (accept(p, "(")) {
		RtlExpr *e = parse_expr(p);

		expect(p, ")", "to close the parenthesis");
		return e;
	}
	if (p->tok.kind == TOK_IDENT)
		return parse_name(p);
	error_here(p, NULL, "expected a value, found '%.*s'", (int)(p->tok.len > 40 ? 40 : p->tok.len), tok_text(p));
	if (!tok_is(p, "}") && !tok_is(p, ")") && !tok_is(p, ";")) /* closers belong to somebody */
		lex_next(p);
	return rtl_number(p, pos, 0);
}

/* e[hi:lo], e[bit] */
static RtlExpr *parse_postfix(Parser *p)
{
	RtlExpr *e = parse_primary(p);

	while (tok_is(p, "[") && !p->give_up) {
		u32 pos = p->tok.pos;
		RtlExpr *hi, *node;
		u64 h, l;

		lex_next(p);
		hi = parse_expr(p);
		if (accept(p, ":")) {
			RtlExpr *lo = parse_expr(p);

			node = rtl_new_expr(p, RTL_SLICE, pos);
			if (!rtl_const(p->isa, hi, NULL, &h) || !rtl_const(p->isa, lo, NULL, &l) || h < l || h > 127) {
				parse_error(p, pos, p->tok.pos - pos, NULL,
					    "[hi:lo] needs two numbers, the higher one first, at most 127");
				h = l = 0;
			}
			node->index = (u16)h;
			node->index2 = (u16)l;
		} else {
			node = rtl_new_expr(p, RTL_BIT, pos);
			node->b = hi;
			node->width = 1;
		}
		node->a = e;
		expect(p, "]", "after the bits");
		e = node;
	}
	return e;
}

static RtlExpr *parse_unary(Parser *p)
{
	u32 pos = p->tok.pos;
	RtlExpr *e;

	if (!parse_enter(p)) {
		p->depth--;
		lex_next(p);
		return rtl_number(p, pos, 0);
	}
	if (accept(p, "-")) {
		RtlExpr *a = parse_unary(p);

		if (a->kind == RTL_NUM && !a->explicit_width && !a->negative) {
			a->value = -a->value;
			a->negative = true;
			e = a;
		} else {
			e = rtl_new_expr(p, RTL_NEG, pos);
			e->a = a;
		}
	} else if (accept(p, "~")) {
		e = rtl_new_expr(p, RTL_NOT, pos);
		e->a = parse_unary(p);
	} else if (accept(p, "!")) {
		e = rtl_new_expr(p, RTL_LNOT, pos);
		e->a = parse_unary(p);
		e->width = 1;
	} else {
		e = parse_postfix(p);
	}
	p->depth--;
	return e;
}

static const struct BinaryOp {
	const char *text;
	u8 level, op; /* op: IrOp; for && || @ the RtlKind */
	u8 kind;      /* RtlKind */
	bool swap;
} binary_ops[] = {
	{"||", 1, 0, RTL_LOR, false},
	{"&&", 2, 0, RTL_LAND, false},
	{"|", 3, IR_OP_OR, RTL_BIN, false},
	{"^", 4, IR_OP_XOR, RTL_BIN, false},
	{"&", 5, IR_OP_AND, RTL_BIN, false},
	{"==", 6, IR_OP_EQ, RTL_BIN, false}, {"!=", 6, IR_OP_NE, RTL_BIN, false},
	{"<s", 7, IR_OP_LTS, RTL_BIN, false}, {"<u", 7, IR_OP_LTU, RTL_BIN, false},
	{"<=s", 7, IR_OP_LES, RTL_BIN, false}, {"<=u", 7, IR_OP_LEU, RTL_BIN, false},
	{">s", 7, IR_OP_LTS, RTL_BIN, true}, {">u", 7, IR_OP_LTU, RTL_BIN, true},
	{">=s", 7, IR_OP_LES, RTL_BIN, true}, {">=u", 7, IR_OP_LEU, RTL_BIN, true},
	{"<<", 8, IR_OP_SHL, RTL_BIN, false}, {">>", 8, IR_OP_SHR, RTL_BIN, false}, {">>s", 8, IR_OP_SAR, RTL_BIN, false},
	{"@", 9, 0, RTL_CONCAT, false},
	{"+", 10, IR_OP_ADD, RTL_BIN, false}, {"-", 10, IR_OP_SUB, RTL_BIN, false},
	{"*", 11, IR_OP_MUL, RTL_BIN, false},
	{"/s", 11, IR_OP_DIVS, RTL_BIN, false}, {"/u", 11, IR_OP_DIVU, RTL_BIN, false},
	{"%s", 11, IR_OP_REMS, RTL_BIN, false}, {"%u", 11, IR_OP_REMU, RTL_BIN, false},
};

static const struct BinaryOp *binary_op(Parser *p)
{
	static const struct {
		const char *text, *hint;
		u8 level;
	} bare[] = {
		{"<", "write '<s' or '<u'", 7},   {">", "write '>s' or '>u'", 7},   {"<=", "write '<=s' or '<=u'", 7},
		{">=", "write '>=s' or '>=u'", 7}, {"/", "write '/s' or '/u'", 11}, {"%", "write '%s' or '%u'", 11},
	};

	if (p->tok.kind != TOK_PUNCT || strchr(";){}],:", p->tok.punct[0]))
		return NULL;
	for (u32 i = 0; i < COUNT_OF(binary_ops); i++)
		if (tok_is(p, binary_ops[i].text))
			return &binary_ops[i];
	for (u32 i = 0; i < COUNT_OF(bare); i++)
		if (tok_is(p, bare[i].text)) {
			error_here(p, bare[i].hint, "say whether the %s is signed",
				   bare[i].level == 7 ? "comparison" : "division");
			return bare[i].level == 7 ? &binary_ops[8] : &binary_ops[22];
		}
	return NULL;
}

static RtlExpr *parse_binary(Parser *p, unsigned level)
{
	RtlExpr *left = parse_unary(p);
	const struct BinaryOp *op;

	while ((op = binary_op(p)) != NULL && op->level >= level && !p->give_up) {
		RtlExpr *e = rtl_new_expr(p, op->kind, p->tok.pos), *right;

		lex_next(p);
		if (!parse_enter(p))
			return left;
		right = parse_binary(p, op->level + 1u);
		p->depth--;
		e->irop = op->op;
		e->a = op->swap ? right : left;
		e->b = op->swap ? left : right;
		if (op->level <= 2 || op->level == 6 || op->level == 7)
			e->width = 1;
		left = e;
	}
	return left;
}

static RtlExpr *parse_ternary(Parser *p)
{
	RtlExpr *cond = parse_binary(p, 1);

	if (tok_is(p, "?")) {
		RtlExpr *e = rtl_new_expr(p, RTL_COND, p->tok.pos);

		lex_next(p);
		e->a = cond;
		e->b = parse_expr(p);
		expect(p, ":", "between the two values of '?'");
		e->c = parse_expr(p);
		return e;
	}
	return cond;
}

RtlExpr *parse_expr(Parser *p)
{
	RtlExpr *e;
	u32 pos = p->tok.pos;

	if (!parse_enter(p)) {
		p->depth--;
		lex_next(p);
		return rtl_number(p, pos, 0);
	}
	e = parse_ternary(p);
	p->depth--;
	return e;
}
