/* SPDX-License-Identifier: MIT
 *
 * What runs besides instructions: on illegal, raise, fetch, fault, reset, read, write; interrupts, events, timers.
 */
#include <string.h>

#include "isa/isa_parse.h"

static IsaHandler *new_handler(Parser *p, IsaHandlerKind kind)
{
	Isa *isa = p->isa;
	IsaHandler *h;

	if (!grow_table(p, (void **)&isa->handlers, &p->cap_handlers, isa->handler_count, sizeof(*h), 512, "handlers"))
		return NULL;
	h = &isa->handlers[isa->handler_count];
	*h = (IsaHandler){.kind = (u8)kind, .name = "", .doc = take_doc(p), .space = ISA_NONE, .line = line_of(p, p->tok.pos)};
	h->body = ARENA_NEW(p->arena, RtlBody);
	if (!h->body) {
		p->give_up = true;
		return NULL;
	}
	return h;
}

static void add_arg(Parser *p, IsaHandler *h, const char *name, u32 len, unsigned width)
{
	body_param(p, name, len, (u8)width);
	h->body->param_count++;
	h->arg_count++;
}

static void finish_handler(Parser *p, IsaHandler *h, u32 pos)
{
	p->isa->handler_count++;
	parse_block(p, h->body);
	body_finish(p, h->body, pos);
	if ((h->body->effects & RTL_JUMPS) && (h->kind == ISA_ON_READ || h->kind == ISA_ON_WRITE || h->kind == ISA_ON_FETCH))
		parse_error(p, pos, 1, "raise a trap instead, and jump in 'on raise'",
			    "no jump here: the instruction that came here goes on");
	trailing_doc(p, p->prev_end, &h->doc);
}

/* on read M[0xFE00], on write M[a in lo..hi] v */
static void parse_on_memory(Parser *p, bool write, u32 pos)
{
	IsaHandler *h = new_handler(p, write ? ISA_ON_WRITE : ISA_ON_READ);
	Isa *isa = p->isa;
	Scope scope;
	IsaSpace *space;

	if (!h)
		return;
	h->space = p->tok.kind == TOK_IDENT ? isa_find_space(isa, tok_text(p), p->tok.len) : ISA_NONE;
	if (h->space == ISA_NONE) {
		error_here(p, "write: on read M[0xFE00] { .. }", "expected a space");
		h->space = 0;
	}
	if (!isa->space_count) {
		p->give_up = true;
		return;
	}
	space = &isa->spaces[h->space];
	lex_next(p);
	body_begin(p, h->body, &scope, NULL, true);
	if (!write) {
		h->body->result_width = space->cell_bits;
	}
	expect(p, "[", "after the space");
	if (p->tok.kind == TOK_IDENT) {
		const char *name = tok_text(p);
		u32 len = p->tok.len;

		lex_next(p);
		h->takes_address = true;
		add_arg(p, h, name, len, space->addr_bits);
		if (!accept_word(p, "in"))
			error_here(p, "write: on read M[a in 0xFE00..0xFFFF]", "expected 'in'");
	}
	parse_const(p, &h->lo);
	h->hi = h->lo;
	if (accept(p, "..")) {
		parse_const(p, &h->hi);
	}
	if (h->hi < h->lo)
		parse_error(p, pos, 1, NULL, "the range runs backwards");
	else if (space->cells && h->hi >= space->cells)
		parse_error(p, pos, 1, NULL, "%s has no cells 0x%llx..0x%llx", space->name, (unsigned long long)h->lo,
			    (unsigned long long)h->hi);
	if (space->is_paged)
		parse_error(p, pos, 1, "give the devices a space of their own",
			    "no device can lie in the paged space '%s'", space->name);
	expect(p, "]", "after the address");
	if (write) {
		const char *name = tok_text(p);
		u32 len = p->tok.len;

		if (p->tok.kind == TOK_IDENT) {
			lex_next(p);
			add_arg(p, h, name, len, space->cell_bits);
		} else {
			error_here(p, "write: on write M[0xFE06] v { .. }", "expected a name for the value");
		}
	} else {
		h->body->result_var = body_param(p, "", 0, space->cell_bits);
	}
	space->has_handlers = true;
	finish_handler(p, h, pos);
	for (u32 i = 0; i + 1 < isa->handler_count; i++) {
		const IsaHandler *o = &isa->handlers[i];

		if (o->kind == h->kind && o->space == h->space && o->lo <= h->hi && h->lo <= o->hi &&
		    !(o->lo != o->hi && h->lo == h->hi) && !(o->lo == o->hi && h->lo != h->hi))
			parse_error(p, pos, 1, NULL, "this overlaps the handler in line %u", o->line);
	}
}

void parse_on(Parser *p)
{
	static const struct {
		const char *word;
		u8 kind, args;
	} kinds[] = {{"illegal", ISA_ON_ILLEGAL, 0}, {"raise", ISA_ON_RAISE, 1}, {"fetch", ISA_ON_FETCH, 1},
		     {"fault", ISA_ON_FAULT, 1},     {"reset", ISA_ON_RESET, 0}};
	u32 pos = p->tok.pos;
	IsaHandler *h;
	Scope scope;

	if (accept_word(p, "read")) {
		parse_on_memory(p, false, pos);
		return;
	}
	if (accept_word(p, "write")) {
		parse_on_memory(p, true, pos);
		return;
	}
	for (u32 i = 0; i < COUNT_OF(kinds); i++) {
		if (!tok_word(p, kinds[i].word))
			continue;
		for (u32 k = 0; k < p->isa->handler_count; k++)
			if (p->isa->handlers[k].kind == kinds[i].kind)
				error_here(p, NULL, "'on %s' stands twice (first in line %u)", kinds[i].word,
					   p->isa->handlers[k].line);
		lex_next(p);
		h = new_handler(p, kinds[i].kind);
		if (!h)
			return;
		body_begin(p, h->body, &scope, NULL, true);
		if (kinds[i].args) {
			expect(p, "(", "before the argument");
			if (p->tok.kind == TOK_IDENT) {
				const char *name = tok_text(p);
				u32 len = p->tok.len;

				lex_next(p);
				/* The trap number is as wide as people write it; an address as wide as pc. */
				add_arg(p, h, name, len,
					kinds[i].kind == ISA_ON_RAISE ? 8 : kinds[i].kind == ISA_ON_FAULT ? 64 : p->isa->pc_width);
			} else {
				error_here(p, NULL, "expected a name for the argument");
			}
			expect(p, ")", "after the argument");
		}
		finish_handler(p, h, pos);
		return;
	}
	error_here(p, "on illegal, raise(n), fetch(a), fault(a), reset, read S[..], write S[..] v", "'on' what?");
	lex_next(p);
}

void parse_interrupt(Parser *p, bool event)
{
	u32 pos = p->tok.pos;
	IsaHandler *h = new_handler(p, event ? ISA_EVENT : ISA_INTERRUPT);
	const char *param = NULL;
	u32 param_len = 0;
	u8 param_width = 8;
	Scope scope;

	if (!h)
		return;
	h->name = take_name(p, event ? "the event" : "the interrupt");
	if (event) {
		if (strcmp(h->name, "key"))
			parse_error(p, pos, (u32)strlen(h->name), "the console's bytes arrive as: event key(c:8) when .. { .. }",
				    "there is no event '%s'", h->name);
		expect(p, "(", "after the name of an event");
		param = tok_text(p);
		param_len = p->tok.len;
		if (p->tok.kind != TOK_IDENT)
			error_here(p, NULL, "expected a name for the byte");
		lex_next(p);
		if (accept(p, ":"))
			param_width = parse_width(p, "the byte");
		if (param_width != 8)
			parse_error(p, pos, 1, NULL, "a console byte has 8 bits");
		expect(p, ")", "after the byte");
	}
	if (!event && !tok_word(p, "when"))
		error_here(p, "write: interrupt NAME when COND { .. }", "an interrupt needs a condition, or it would never end");
	if (accept_word(p, "when")) {
		h->when = parse_value_body(p, 1);
		if (h->when) {
			mark_irq_regs(p, h->when->value);
			if (h->when->effects & (RTL_IMPURE & ~RTL_HOSTS))
				parse_error(p, pos, 1, NULL, "a condition reads registers and host functions alone");
		}
	}
	body_begin(p, h->body, &scope, NULL, true);
	if (event)
		add_arg(p, h, param, param_len, 8);
	finish_handler(p, h, pos);
}

void parse_every(Parser *p)
{
	u32 pos = p->tok.pos;
	IsaHandler *h = new_handler(p, ISA_EVERY);
	Scope scope;

	if (!h)
		return;
	if (parse_const(p, &h->every) && h->every == 0)
		parse_error(p, pos, 1, NULL, "every how many instructions? At least 1");
	if (!h->every)
		h->every = 1;
	body_begin(p, h->body, &scope, NULL, true);
	finish_handler(p, h, pos);
}
