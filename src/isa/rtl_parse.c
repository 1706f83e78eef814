/* SPDX-License-Identifier: MIT
 *
 * RTL text -> trees. Names are resolved here (variables, fields, views, registers, spaces, options), widths are not:
 * an expression is typed when its statement is complete (rtl_type.c), because literals take their width from
 * their surroundings.
 *
 * Precedence, loosest first:  ?:   ||   &&   |   ^   &   == !=   <s <u ...   << >> >>s   @   + -   * /s %u ...   - ~ !
 */
#include <string.h>

#include "base/bits.h"
#include "isa/isa_parse.h"

static RtlExpr *parse_ternary(Parser *p);
static RtlStmt *parse_statement(Parser *p);

/* A body is read by people, pasted in where it is used and lifted for every decoded instruction: it stays small. */
static void count_node(Parser *p, u32 pos)
{
	if (++p->nodes <= BODY_NODES_MAX || p->give_up)
		return;
	parse_error(p, pos, 1, "split it into functions of the host or simpler instructions",
		    "this body is too long (more than %d operations)", BODY_NODES_MAX);
	p->give_up = true;
}

static RtlExpr *new_expr(Parser *p, RtlKind kind, u32 pos)
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

static RtlExpr *number_expr(Parser *p, u32 pos, u64 value)
{
	RtlExpr *e = new_expr(p, RTL_NUM, pos);

	e->value = value;
	return e;
}

static bool enter(Parser *p)
{
	if (++p->depth <= PARSE_DEPTH_MAX)
		return true;
	if (!p->give_up)
		error_here(p, "split it with 'let' or a func", "nested more than %d deep", PARSE_DEPTH_MAX);
	p->give_up = true;
	return false;
}

/* ---- names ---- */

static u16 find_var(const Parser *p, const char *name, u32 len)
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

	if (body->var_count >= BODY_VARS_MAX || p->scope->count >= COUNT_OF(p->scope->names)) {
		error_here(p, NULL, "more than %d variables", BODY_VARS_MAX);
		return 0;
	}
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

static RtlExpr *parse_args(Parser *p, RtlExpr *call, const char *name, u32 len)
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
	RtlExpr *e = new_expr(p, RTL_HOST, pos);
	const char *name = tok_text(p);
	u32 len = p->tok.len, i;

	if (p->tok.kind != TOK_IDENT) {
		error_here(p, "write: host putc(c)", "'host' needs the name of a function of the host");
		return e;
	}
	lex_next(p);
	parse_args(p, e, name, len);
	for (i = 0; i < isa->host_count; i++)
		if (text_is(name, len, isa->hosts[i].name))
			break;
	if (i == isa->host_count) {
		/* The functions every machine has are known without a declaration. */
		static const struct {
			const char *name;
			u8 width;
		} common[] = {{"key", 8}, {"key_ready", 1}, {"key_held", 1}, {"random", 32}};
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

static RtlExpr *parse_space(Parser *p, u16 space, u32 pos)
{
	RtlExpr *e = new_expr(p, RTL_MEM, pos);
	const IsaSpace *s = &p->isa->spaces[space];

	e->index = space;
	e->width = s->cell_bits;
	if (accept(p, ":")) {
		if (p->tok.kind != TOK_NUMBER || p->tok.value == 0 || p->tok.value > 64 ||
		    p->tok.value % s->cell_bits != 0) {
			error_here(p, NULL, "an access to '%s' has a multiple of %u bits, at most 64", s->name, s->cell_bits);
		} else {
			e->width = (u8)p->tok.value;
		}
		lex_next(p);
	}
	expect(p, "[", "before the address");
	e->a = parse_expr(p);
	expect(p, "]", "after the address");
	return e;
}

static RtlExpr *parse_table(Parser *p, u16 table, u32 pos)
{
	RtlExpr *e = new_expr(p, RTL_TABLE, pos);
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

static RtlExpr *parse_option_test(Parser *p, int option, u32 pos)
{
	const IsaOption *o = &p->isa->options[option];
	bool negate = tok_is(p, "!=");
	u32 choice;

	if (!negate && !tok_is(p, "==")) {
		error_here(p, NULL, "option '%s' can only be compared: write '%s == %s'", o->name, o->name, o->choices[0]);
		return number_expr(p, pos, 0);
	}
	lex_next(p);
	for (choice = 0; choice < o->choice_count; choice++)
		if (p->tok.kind == TOK_IDENT && text_is(tok_text(p), p->tok.len, o->choices[choice]))
			break;
	if (choice == o->choice_count)
		error_here(p, NULL, "option '%s' has no choice '%.*s'", o->name, (int)p->tok.len, tok_text(p));
	lex_next(p);
	RtlExpr *e = number_expr(p, pos, (choice == o->chosen) != negate);

	e->width = 1;
	e->explicit_width = true;
	return e;
}

static RtlExpr *field_expr(Parser *p, u16 index, u32 pos)
{
	const IsaField *field = &p->isa->fields[p->insn->fields[index].field];
	RtlKind kind = field->kind == ISA_FIELD_REG ? RTL_REGFIELD :
		       field->kind == ISA_FIELD_REL || field->kind == ISA_FIELD_ABS ? RTL_TARGET : RTL_FIELD;
	RtlExpr *e = new_expr(p, kind, pos);

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
		e = new_expr(p, RTL_PC, pos);
	} else {
		e = new_expr(p, RTL_REG, pos);
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
	RtlExpr *e = new_expr(p, builtins[i].args == 1 ? RTL_UN : RTL_BIN, pos);

	parse_args(p, e, builtins[i].name, (u32)strlen(builtins[i].name));
	e->irop = builtins[i].op;
	if (e->argc != builtins[i].args) {
		parse_error(p, pos, (u32)strlen(builtins[i].name), NULL, "%s takes %u argument%s", builtins[i].name,
			    builtins[i].args, builtins[i].args == 1 ? "" : "s");
		return number_expr(p, pos, 0);
	}
	e->a = e->args[0];
	e->b = e->argc > 1 ? e->args[1] : NULL;
	return e;
}

static RtlExpr *parse_extend(Parser *p, RtlKind kind, u32 pos)
{
	RtlExpr *e = new_expr(p, kind, pos);

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

static RtlExpr *unknown_name(Parser *p, const char *name, u32 len, u32 pos, bool call)
{
	u16 field = find_field(p->isa, name, len);
	const char *hint = NULL;

	if (p->func_name && p->func_name_len == len && !memcmp(p->func_name, name, len))
		parse_error(p, pos, len, "functions are pasted in where they are used, so they can't call themselves",
			    "recursion: '%.*s' calls itself", (int)len, name);
	else if (call)
		parse_error(p, pos, len, "functions stand before their use; functions of the host are called 'host NAME(..)'",
			    "unknown function '%.*s'", (int)len, name);
	else if (field != ISA_NONE && p->insn)
		parse_error(p, pos, len, NULL, "field '%.*s' is not in the pattern of this instruction", (int)len, name);
	else {
		if (field != ISA_NONE)
			hint = "a field has a value only in the body of an instruction; pass it as an argument";
		else
			hint = "registers, views, spaces and functions stand before their use";
		parse_error(p, pos, len, hint, "unknown name '%.*s'", (int)(len > 60 ? 60 : len), name);
	}
	return number_expr(p, pos, 0);
}

static RtlExpr *parse_name(Parser *p)
{
	const char *name = tok_text(p);
	u32 len = p->tok.len, pos = p->tok.pos;
	Isa *isa = p->isa;
	u16 index;
	int n;

	lex_next(p);
	if (text_is(name, len, "host"))
		return parse_host(p, pos);
	if ((text_is(name, len, "sx") || text_is(name, len, "zx")) && tok_is(p, "("))
		return parse_extend(p, name[0] == 's' ? RTL_SX : RTL_ZX, pos);
	if ((index = find_var(p, name, len)) != ISA_NONE) {
		RtlExpr *e = new_expr(p, RTL_VAR, pos);

		e->index = index;
		e->width = p->body->loop_vars >> index & 1 ? 0 : p->body->var_widths[index];
		return e;
	}
	if (tok_is(p, "(")) {
		for (u32 i = 0; i < COUNT_OF(builtins); i++)
			if (text_is(name, len, builtins[i].name))
				return parse_builtin(p, i, pos);
		if ((n = find_func(p, name, len)) >= 0) {
			const RtlFunc *func = &p->funcs[n];
			RtlExpr *e = new_expr(p, RTL_CALL, pos);

			parse_args(p, e, name, len);
			e->index = (u16)n;
			e->width = func->body.result_width;
			/* What is pasted in counts too: functions calling functions twice double each time. */
			p->nodes += func->body.nodes;
			count_node(p, pos);
			if (e->argc != func->body.param_count) {
				parse_error(p, pos, len, NULL, "'%.*s' takes %u argument%s, not %u", (int)len, name,
					    func->body.param_count, func->body.param_count == 1 ? "" : "s", e->argc);
				return number_expr(p, pos, 0);
			}
			return e;
		}
		parse_args(p, new_expr(p, RTL_CALL, pos), name, len);
		return unknown_name(p, name, len, pos, true);
	}
	if ((index = find_insn_field(isa, p->insn, name, len)) != ISA_NONE)
		return field_expr(p, index, pos);
	if ((index = find_view(isa, name, len)) != ISA_NONE) {
		RtlExpr *e = new_expr(p, RTL_VIEW, pos);

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
		RtlExpr *e = new_expr(p, RTL_NEXT, pos);

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
		RtlExpr *e = number_expr(p, pos, p->tok.value);

		e->width = p->tok.sized ? p->tok.width : 0;
		e->explicit_width = p->tok.sized;
		lex_next(p);
		return e;
	}
	if (p->tok.kind == TOK_FIELDNUM) {
		u16 index = find_insn_field(p->isa, p->insn, tok_text(p), p->tok.len);
		RtlExpr *e = new_expr(p, RTL_FIELDNUM, pos);

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
	lex_next(p);
	return number_expr(p, pos, 0);
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

			node = new_expr(p, RTL_SLICE, pos);
			if (!rtl_const(p->isa, hi, NULL, &h) || !rtl_const(p->isa, lo, NULL, &l) || h < l || h > 127) {
				parse_error(p, pos, p->tok.pos - pos, NULL,
					    "[hi:lo] needs two numbers, the higher one first, at most 127");
				h = l = 0;
			}
			node->index = (u16)h;
			node->index2 = (u16)l;
		} else {
			node = new_expr(p, RTL_BIT, pos);
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

	if (!enter(p)) {
		p->depth--;
		lex_next(p);
		return number_expr(p, pos, 0);
	}
	if (accept(p, "-")) {
		RtlExpr *a = parse_unary(p);

		if (a->kind == RTL_NUM && !a->explicit_width && !a->negative) {
			a->value = -a->value;
			a->negative = true;
			e = a;
		} else {
			e = new_expr(p, RTL_NEG, pos);
			e->a = a;
		}
	} else if (accept(p, "~")) {
		e = new_expr(p, RTL_NOT, pos);
		e->a = parse_unary(p);
	} else if (accept(p, "!")) {
		e = new_expr(p, RTL_LNOT, pos);
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
		RtlExpr *e = new_expr(p, op->kind, p->tok.pos), *right;

		lex_next(p);
		if (!enter(p))
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
		RtlExpr *e = new_expr(p, RTL_COND, p->tok.pos);

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

	if (!enter(p)) {
		p->depth--;
		lex_next(p);
		return number_expr(p, pos, 0);
	}
	e = parse_ternary(p);
	p->depth--;
	return e;
}

/* ---- statements ---- */

static RtlStmt *new_stmt(Parser *p, RtlStmtKind kind, u32 pos)
{
	RtlStmt *s = ARENA_NEW(p->arena, RtlStmt);

	if (!s) {
		p->give_up = true;
		p->scratch_stmt = (RtlStmt){0};
		s = &p->scratch_stmt;
	}
	count_node(p, pos);
	s->kind = (u8)kind;
	s->pos = pos;
	return s;
}

/* Words that begin items and are no statement: they stand at a line's start only when a brace is missing. */
static bool at_item_word(const Parser *p)
{
	static const char *const words[] = {"insn", "alias", "pseudo", "reg", "field", "func", "view", "space", "on",
					    "interrupt", "event", "every", "asm", "option"};

	for (u32 i = 0; p->tok.kind == TOK_IDENT && i < COUNT_OF(words); i++)
		if (tok_word(p, words[i]) && find_var(p, words[i], p->tok.len) == ISA_NONE)
			return true;
	return false;
}

/* Statements up to the closing brace, which is consumed. */
static RtlStmt *parse_list(Parser *p)
{
	RtlStmt *first = NULL, **tail = &first;
	u32 outer = p->scope->count, open = p->prev_end ? p->prev_end - 1 : 0;

	while (!tok_is(p, "}") && p->tok.kind != TOK_END && !p->give_up) {
		u32 before = p->tok.pos;
		RtlStmt *s = parse_statement(p);
		bool braced = p->prev_end && p->source.text[p->prev_end - 1] == '}';

		if (s) {
			*tail = s;
			while (*tail)
				tail = &(*tail)->next;
		}
		if (p->tok.line_start && at_item_word(p) && !accept(p, ";")) {
			p->doc = NULL;
			break; /* the brace is missing: expect() below says so, at the next item */
		}
		if (!accept(p, ";") && !tok_is(p, "}") && !braced) {
			error_here(p, NULL, "expected ';' between statements, found '%.*s'",
				   (int)(p->tok.len > 40 ? 40 : p->tok.len), tok_text(p));
			/* Go on behind the next ';' or at the brace. */
			while (!tok_is(p, ";") && !tok_is(p, "}") && !tok_is(p, "{") && p->tok.kind != TOK_END)
				lex_next(p);
			accept(p, ";");
		}
		if (p->tok.pos == before)
			lex_next(p);
	}
	p->scope->count = outer;
	p->doc = NULL;
	if (!tok_is(p, "}") && (p->tok.kind == TOK_END || (p->tok.line_start && at_item_word(p)))) {
		parse_error(p, open, 1, NULL, "this body is not closed: '}' is missing");
		return first;
	}
	expect(p, "}", "at the end of the block");
	return first;
}

static RtlStmt *parse_arm(Parser *p)
{
	RtlStmt *s;
	u32 outer = p->scope->count;

	if (!enter(p)) {
		p->depth--;
		return NULL;
	}
	s = accept(p, "{") ? parse_list(p) : parse_statement(p);
	p->scope->count = outer;
	p->depth--;
	return s;
}

static void type_condition(Parser *p, RtlExpr *e)
{
	unsigned natural = rtl_natural(p, e);

	if (natural > 1)
		parse_error(p, e->pos, 1, "compare it: write 'x != 0'", "a condition has 1 bit, this has %u", natural);
	else
		type_expr(p, e, 1, "condition");
}

static RtlStmt *parse_if(Parser *p, u32 pos)
{
	RtlStmt *s = new_stmt(p, RTL_IF, pos);

	expect(p, "(", "after 'if'");
	s->cond = parse_expr(p);
	type_condition(p, s->cond);
	expect(p, ")", "after the condition");
	s->yes = parse_arm(p);
	/* `if (c) a; else b`: the ';' is optional before else, as a reader of C expects. */
	if (tok_is(p, ";")) {
		Token semi = p->tok;
		u32 at = p->at, end = p->tok_end;

		lex_next(p);
		if (!tok_word(p, "else")) {
			p->tok = semi;
			p->at = at;
			p->tok_end = end;
		}
	}
	if (accept_word(p, "else"))
		s->no = parse_arm(p);
	return s;
}

/* Made of numbers, fields, parameters and other loop variables: known, or possibly known, while decoding. */
static bool may_be_known(const Parser *p, const RtlExpr *e)
{
	if (!e)
		return true;
	switch (e->kind) {
	case RTL_NUM: case RTL_FIELD: case RTL_FIELDNUM: case RTL_TARGET: case RTL_PC: case RTL_NEXT:
		return true;
	case RTL_VAR: /* a parameter or `let` of what is known; the lifter finds out */
		return true;
	case RTL_REG: case RTL_REGFIELD: case RTL_VIEW: case RTL_MEM: case RTL_HOST: case RTL_CALL:
		return false;
	default:
		return may_be_known(p, e->a) && may_be_known(p, e->b) && may_be_known(p, e->c);
	}
}

static void check_bound(Parser *p, RtlExpr *e)
{
	if (!may_be_known(p, e))
		parse_error(p, e->pos, 1, "let the program loop with a jump instead",
			    "the bounds of 'for' are numbers or fields: they must be known when the instruction is decoded");
	else if (rtl_natural(p, e) && rtl_natural(p, e) < 32)
		type_expr(p, e, 0, "bound");
	else
		type_expr(p, e, 32, "bound");
}

static RtlStmt *parse_for(Parser *p, u32 pos)
{
	RtlStmt *s = new_stmt(p, RTL_FOR, pos);
	u32 outer = p->scope->count;
	const char *name = tok_text(p);
	u32 len = p->tok.len;
	u64 lo = 0, hi = 0;

	if (p->tok.kind != TOK_IDENT)
		error_here(p, "write: for i in 0..8 { .. }", "'for' needs a variable");
	lex_next(p);
	if (!accept_word(p, "in"))
		error_here(p, "write: for i in 0..8 { .. }", "expected 'in'");
	s->rhs = parse_expr(p);
	expect(p, "..", "between the bounds");
	s->hi = parse_expr(p);
	s->var = body_param(p, name, len, 32);
	p->body->loop_vars |= (u64)1 << s->var;
	check_bound(p, s->rhs);
	check_bound(p, s->hi);
	if (!rtl_const(p->isa, s->rhs, NULL, &lo) || !rtl_const(p->isa, s->hi, NULL, &hi))
		lo = hi = 0;
	if (hi < lo || hi - lo > 4096) {
		parse_error(p, pos, 3, NULL, hi < lo ? "the bounds run backwards" : "more than 4096 rounds: the loop is unrolled");
		lo = hi = 0;
	}
	if (!accept(p, "{")) {
		expect(p, "{", "after the bounds");
	} else {
		u32 before = p->nodes;

		s->yes = parse_list(p);
		if (hi > lo + 1 && !p->give_up) { /* unrolled */
			p->nodes += (u32)(hi - lo - 1) * (p->nodes - before);
			count_node(p, pos);
		}
	}
	p->scope->count = outer;
	return s;
}

static bool is_lvalue(const Parser *p, RtlExpr *e)
{
	switch (e->kind) {
	case RTL_REG: case RTL_REGFIELD: case RTL_MEM: case RTL_PC:
		return true;
	case RTL_VAR: /* the variable of a `for` is no register: it is a number while decoding */
		return !(p->body->loop_vars >> e->index & 1);
	case RTL_VIEW:
		return p->isa->views[e->index].set != NULL;
	case RTL_SLICE:
		return e->a->kind != RTL_MEM && e->index < 64 && is_lvalue(p, e->a);
	case RTL_BIT:
		return e->a->kind != RTL_MEM && is_lvalue(p, e->a);
	default:
		return false;
	}
}

static RtlStmt *parse_assign(Parser *p, RtlExpr *lhs, u32 pos)
{
	RtlStmt *s = new_stmt(p, RTL_ASSIGN, pos);

	s->lhs = lhs;
	s->rhs = parse_expr(p);
	if (!is_lvalue(p, lhs)) {
		if (lhs->kind == RTL_VIEW)
			parse_error(p, pos, 1, "give it one: view NAME = .. set v { .. }", "view '%s' has no 'set', so it can't be assigned",
				    p->isa->views[lhs->index].name);
		else if (lhs->kind == RTL_FIELD || lhs->kind == RTL_TARGET)
			parse_error(p, pos, 1, "declare the field as ': FILE' of registers if it names one",
				    "field '%s' is an immediate and can't be assigned",
				    p->isa->fields[p->insn->fields[lhs->index].field].name);
		else
			parse_error(p, pos, 1, NULL, "this can't be assigned");
		return s;
	}
	type_expr(p, lhs, 0, "target");
	type_expr(p, s->rhs, lhs->width,
		  lhs->kind == RTL_MEM ? "memory cell" : lhs->kind == RTL_VAR ? "variable" : "register");
	return s;
}

static RtlStmt *parse_let(Parser *p, u32 pos)
{
	const char *name = tok_text(p);
	u32 len = p->tok.len;
	RtlStmt *s = new_stmt(p, RTL_ASSIGN, pos);

	if (p->tok.kind != TOK_IDENT)
		error_here(p, "write: let x = a + b", "'let' needs a name");
	lex_next(p);
	unsigned width = 0;

	if (accept(p, ":")) {
		if (p->tok.kind == TOK_NUMBER && p->tok.value >= 1 && p->tok.value <= 64)
			width = (unsigned)p->tok.value;
		else
			error_here(p, NULL, "a variable has 1 to 64 bits");
		lex_next(p);
	}
	expect(p, "=", "after the name");
	s->rhs = parse_expr(p);
	if (!width && s->rhs->kind == RTL_NUM && !s->rhs->explicit_width)
		parse_error(p, s->rhs->pos, 1, "write 5'8 or let x : 8 = 5", "this number needs a width");
	if (!type_expr(p, s->rhs, width, "variable"))
		s->rhs->width = s->rhs->width ? s->rhs->width : 1;
	if (find_var(p, name, len) != ISA_NONE)
		parse_error(p, pos, 3 + len, "to change it, write: x = ..", "'%.*s' is already a variable here", (int)len, name);
	s->lhs = new_expr(p, RTL_VAR, pos);
	s->lhs->width = s->rhs->width;
	s->lhs->index = body_param(p, name, len, s->rhs->width);
	return s;
}

static RtlStmt *parse_return(Parser *p, u32 pos)
{
	RtlStmt *s = new_stmt(p, RTL_ASSIGN, pos);

	s->flow = 0xFF; /* marks a return until body_finish */
	if (tok_is(p, "}") || tok_is(p, ";")) {
		if (p->body->result_width)
			parse_error(p, pos, 6, NULL, "this function returns %u bits", p->body->result_width);
		return s;
	}
	s->rhs = parse_expr(p);
	if (!p->body->result_width) {
		parse_error(p, pos, 6, "write the width behind the parameters: func f(a:16) : 16", "nothing can be returned here");
		return s;
	}
	type_expr(p, s->rhs, p->body->result_width, "result");
	s->lhs = new_expr(p, RTL_VAR, pos);
	s->lhs->width = p->body->result_width;
	s->lhs->index = p->body->result_var;
	return s;
}

/* raise 3 "stack is empty": what the machine says when nothing handles it. */
static void take_reason(Parser *p, const RtlExpr *number, bool raise)
{
	Isa *isa = p->isa;

	if (p->tok.kind != TOK_STRING)
		return;
	if (number->kind != RTL_NUM)
		error_here(p, NULL, "a text goes with a plain number");
	else if (isa->reason_count >= 1024 ||
		 !arena_grow(p->arena, (void **)&isa->reasons, &p->cap_reasons, isa->reason_count, sizeof(IsaReason)))
		p->give_up = true;
	else
		isa->reasons[isa->reason_count++] =
			(IsaReason){raise, number->value, arena_strndup(p->arena, tok_text(p), p->tok.len)};
	lex_next(p);
}

static RtlStmt *parse_plain_statement(Parser *p)
{
	u32 pos = p->tok.pos;
	RtlExpr *e;
	RtlStmt *s;
	static const struct {
		const char *word;
		u8 flow;
	} jumps[] = {{"jump", IR_FLOW_JUMP}, {"call", IR_FLOW_CALL}, {"ret", IR_FLOW_RET}};

	if (accept_word(p, "if"))
		return parse_if(p, pos);
	if (accept_word(p, "for"))
		return parse_for(p, pos);
	if (accept_word(p, "let"))
		return parse_let(p, pos);
	if (accept_word(p, "return"))
		return parse_return(p, pos);
	if (accept(p, "{"))
		return parse_list(p);
	for (u32 i = 0; i < COUNT_OF(jumps); i++)
		if (accept_word(p, jumps[i].word)) {
			s = new_stmt(p, RTL_JUMP, pos);
			s->flow = jumps[i].flow;
			s->rhs = parse_expr(p);
			type_expr(p, s->rhs, p->isa->pc_width, "pc");
			return s;
		}
	if (accept_word(p, "raise")) {
		s = new_stmt(p, RTL_RAISE, pos);
		s->rhs = parse_expr(p);
		type_expr(p, s->rhs, 0, "number");
		take_reason(p, s->rhs, true);
		return s;
	}
	if (accept_word(p, "stop")) {
		s = new_stmt(p, RTL_STOP, pos);
		s->rhs = tok_is(p, "}") || tok_is(p, ";") || p->tok.kind == TOK_STRING ? number_expr(p, pos, 0) : parse_expr(p);
		type_expr(p, s->rhs, 0, "number");
		take_reason(p, s->rhs, false);
		return s;
	}
	if (accept_word(p, "swap")) {
		s = new_stmt(p, RTL_SWAP, pos);
		expect(p, "(", "after 'swap'");
		s->lhs = parse_expr(p);
		expect(p, ",", "between the two registers");
		s->rhs = parse_expr(p);
		expect(p, ")", "after 'swap(a, b'");
		if (!is_lvalue(p, s->lhs) || !is_lvalue(p, s->rhs))
			parse_error(p, pos, 4, NULL, "swap needs two registers");
		type_expr(p, s->lhs, 0, "register");
		type_expr(p, s->rhs, s->lhs->width, "register");
		return s;
	}
	if (accept_word(p, "charge")) {
		s = new_stmt(p, RTL_CHARGE, pos);
		expect(p, "(", "after 'charge'");
		s->rhs = parse_expr(p);
		expect(p, ")", "after 'charge(n'");
		type_expr(p, s->rhs, 0, "cycles");
		p->uses_cycles = true;
		return s;
	}
	e = parse_expr(p);
	if (accept(p, "="))
		return parse_assign(p, e, pos);
	s = new_stmt(p, RTL_DO, pos);
	s->rhs = e;
	if (e->kind != RTL_CALL && e->kind != RTL_HOST && p->item_errors)
		; /* said already */
	else if (e->kind != RTL_CALL && e->kind != RTL_HOST)
		parse_error(p, pos, p->tok.pos > pos ? 1 : 1, "an assignment is written x = ..", "this computes a value and does nothing with it");
	else if (e->kind == RTL_CALL && e->width == 0)
		type_expr(p, e, 0, NULL);
	else if (e->kind == RTL_HOST)
		for (u32 i = 0; i < e->argc; i++)
			type_expr(p, e->args[i], 0, "argument");
	else
		type_expr(p, e, 0, "value");
	return s;
}

static RtlStmt *parse_statement(Parser *p)
{
	RtlStmt *s = enter(p) ? parse_plain_statement(p) : NULL;

	p->depth--;
	return s;
}

void parse_block(Parser *p, RtlBody *body)
{
	p->body = body;
	if (!expect(p, "{", "before the meaning"))
		return;
	body->stmts = parse_list(p);
}

/* Moves what stands behind an `if` that returns into the arm that does not, so that every return is last. */
static bool settle_returns(Parser *p, RtlStmt *list, bool *returns)
{
	*returns = false;
	for (RtlStmt *s = list; s; s = s->next) {
		bool yes, no;

		if ((s->kind == RTL_RAISE || s->kind == RTL_STOP) && s->next) {
			parse_error(p, s->next->pos, 1, NULL, "never reached: it stands behind '%s'",
				    s->kind == RTL_RAISE ? "raise" : "stop");
			return false;
		}

		if (s->kind == RTL_ASSIGN && s->flow == 0xFF) {
			s->flow = 0;
			*returns = true;
			if (s->next) {
				parse_error(p, s->next->pos, 1, NULL, "never reached: it stands behind 'return'");
				return false;
			}
			return true;
		}
		if (s->kind != RTL_IF) {
			if (s->kind == RTL_FOR && (!settle_returns(p, s->yes, &yes) || yes)) {
				parse_error(p, s->pos, 3, NULL, "'return' inside 'for'");
				return false;
			}
			continue;
		}
		if (!settle_returns(p, s->yes, &yes) || !settle_returns(p, s->no, &no))
			return false;
		if (yes && no) {
			*returns = true;
			if (s->next) {
				parse_error(p, s->next->pos, 1, NULL, "never reached: both arms of the 'if' return");
				return false;
			}
			return true;
		}
		if ((yes || no) && s->next) {
			RtlStmt **arm = yes ? &s->no : &s->yes, *rest = s->next;
			bool last;

			s->next = NULL;
			while (*arm)
				arm = &(*arm)->next;
			*arm = rest;
			if (!settle_returns(p, rest, &last))
				return false;
			*returns = last;
			return true;
		}
		/* `if (c) return` as the last statement of a body without result is fine; with one, the other path
		 * lacks a value: result variables start as 0. */
	}
	return true;
}

void body_finish(Parser *p, RtlBody *body, u32 pos)
{
	bool returns = false;

	if (p->give_up)
		return;
	if (!settle_returns(p, body->stmts, &returns))
		return;
	if (body->result_width && !returns && !body->value) {
		u8 effects = 0;
		bool leaves = false;

		stmts_effects(p, body->stmts, &effects, &leaves);
		if (!leaves)
			parse_error(p, pos, 1, NULL, "a path through this ends without 'return'");
	}
	body->nodes = p->nodes;
	body_effects(p, body);
	p->insn = NULL;
	p->scope = NULL;
	p->body = NULL;
	p->in_handler = false;
}

RtlBody *parse_value_body(Parser *p, unsigned width)
{
	RtlBody *body = ARENA_NEW(p->arena, RtlBody);
	Scope scope;
	const IsaInsn *insn = p->insn;
	u32 pos = p->tok.pos;

	if (!body) {
		p->give_up = true;
		return NULL;
	}
	body_begin(p, body, &scope, insn, true);
	body->value = parse_expr(p);
	if (width == 1 && rtl_natural(p, body->value) > 1)
		type_condition(p, body->value);
	else
		type_expr(p, body->value, width, "value");
	body->result_width = body->value->width;
	body_finish(p, body, pos);
	body->effects = expr_effects(p, body->value);
	return body;
}

bool parse_const(Parser *p, u64 *value)
{
	RtlExpr *e;
	u32 pos = p->tok.pos;

	e = parse_expr(p);
	if (rtl_const(p->isa, e, NULL, value))
		return true;
	parse_error(p, pos, 1, NULL, "expected a number");
	*value = 0;
	return false;
}
