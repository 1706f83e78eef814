/* SPDX-License-Identifier: MIT
 *
 * Statements of the RTL, and what a body needs when it is complete: returns settled in tail position (so that the
 * lifter never sees one), effects computed.
 */
#include <string.h>

#include "isa/isa_parse.h"

static RtlStmt *parse_statement(Parser *p);


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

	if (!parse_enter(p)) {
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
	case RTL_REG: case RTL_REGFIELD: case RTL_VIEW: case RTL_MEM: case RTL_HOST: case RTL_CALL: case RTL_ATOMIC:
		return false;
	case RTL_FLOAT:
		if (e->argc && !may_be_known(p, e->args[0]))
			return false;
		/* fall through */
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
		else if (!p->item_errors) /* otherwise the name was unknown, and that was said */
			parse_error(p, pos, 1, NULL, "this can't be assigned");
		s->lhs = NULL; /* a view that assigns itself would be walked for ever */
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
	s->lhs = rtl_new_expr(p, RTL_VAR, pos);
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
	s->lhs = rtl_new_expr(p, RTL_VAR, pos);
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
	for (u32 i = 0; i < isa->reason_count; i++)
		if (isa->reasons[i].raise == raise && isa->reasons[i].number == number->value && number->kind == RTL_NUM) {
			if (!text_is(tok_text(p), p->tok.len, isa->reasons[i].text))
				parse_error(p, p->tok.pos, p->tok.len, "give each its own number", "%s %llu has the text \"%s\" already",
					    raise ? "raise" : "stop", (unsigned long long)number->value, isa->reasons[i].text);
			lex_next(p);
			return;
		}
	if (number->kind != RTL_NUM)
		error_here(p, NULL, "a text goes with a plain number");
	else if (isa->reason_count >= 1024 ||
		 !arena_grow(p->arena, (void **)&isa->reasons, &p->cap_reasons, isa->reason_count, sizeof(IsaReason)))
		p->give_up = true;
	else {
		IsaReason *reason = &isa->reasons[isa->reason_count++];

		reason->raise = raise;
		reason->number = number->value;
		reason->text = arena_strndup(p->arena, tok_text(p), p->tok.len);
	}
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
		s->rhs = tok_is(p, "}") || tok_is(p, ";") || p->tok.kind == TOK_STRING ? rtl_number(p, pos, 0) : parse_expr(p);
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
		if (!is_lvalue(p, s->lhs) || !is_lvalue(p, s->rhs)) {
			parse_error(p, pos, 4, NULL, "swap needs two registers");
			return NULL;
		}
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
	if (tok_word(p, "while") || tok_word(p, "else")) {
		error_here(p, tok_word(p, "else") ? "write: if (c) { .. } else { .. }"
						  : "there are no open loops; for i in 0..8 { .. } has known bounds, and programs jump",
			   "'%.*s' begins no statement", (int)p->tok.len, tok_text(p));
		/* The whole of it is passed over, with braces that belong to it. */
		for (u32 open = 0; p->tok.kind != TOK_END && (open || (!tok_is(p, ";") && !tok_is(p, "}")));) {
			bool last = tok_is(p, "}") && open == 1;

			open += tok_is(p, "{");
			open -= tok_is(p, "}");
			lex_next(p);
			if (last)
				break;
		}
		return NULL;
	}
	e = parse_expr(p);
	if (tok_is(p, ":") && p->source.text[p->tok_end] == '=') {
		error_here(p, "write: a = 1", "there is no ':='");
		lex_next(p);
	}
	if (accept(p, "="))
		return parse_assign(p, e, pos);
	s = new_stmt(p, RTL_DO, pos);
	s->rhs = e;
	if (e->kind == RTL_FENCE || e->kind == RTL_ATOMIC)
		type_expr(p, e, 0, NULL);
	else if (e->kind != RTL_CALL && e->kind != RTL_HOST && p->item_errors)
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
	RtlStmt *s = parse_enter(p) ? parse_plain_statement(p) : NULL;

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
/* The first `return` anywhere in the list, or NULL. */
static const RtlStmt *find_return(const RtlStmt *list)
{
	for (const RtlStmt *s = list, *found; s; s = s->next) {
		if (s->kind == RTL_ASSIGN && s->flow == 0xFF)
			return s;
		if ((s->kind == RTL_IF || s->kind == RTL_FOR) && (found = find_return(s->yes)) != NULL)
			return found;
		if (s->kind == RTL_IF && (found = find_return(s->no)) != NULL)
			return found;
	}
	return NULL;
}

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
			const RtlStmt *inside = s->kind == RTL_FOR ? find_return(s->yes) : NULL;

			if (inside) {
				parse_error(p, inside->pos, 1, "keep the result in a variable, and return that behind the loop",
					    "'return' inside 'for'");
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
