/* SPDX-License-Identifier: MIT
 * ir_verify: a sound function passes; each broken one, made by changing it in one place, is refused with the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "ir/ir.h"

typedef struct Parts {
	Arena arena;
	IrFunc *f;
	IrRef x, sum, cond, load;
	u32 insn1, br, jmp_yes, jmp_no, param, put, last, insn2, get2;
	u32 yes, no, join;
} Parts;

/* b0: insn, get, add, br -> yes: load, jmp | no: jmp -> join(param): put; insn, get, put, goto */
static void build(Parts *p)
{
	IrFunc *f;

	arena_init(&p->arena);
	f = p->f = ir_func_create(&p->arena, IR_FUNC_BLOCK);
	p->insn1 = f->ins_count;
	ir_insn(f, 0x10, 1, 0);
	p->x = ir_get(f, 1, 16);
	p->sum = ir_bin(f, IR_OP_ADD, p->x, ir_const(f, 16, 5));
	p->cond = ir_bin(f, IR_OP_LTU, p->sum, p->x);
	p->yes = ir_block_create(f);
	p->no = ir_block_create(f);
	p->join = ir_block_create(f);
	p->br = f->ins_count;
	ir_br(f, p->cond, p->yes, p->no);
	ir_block_begin(f, p->yes);
	p->load = ir_load(f, 0, 16, p->sum, false);
	p->jmp_yes = f->ins_count;
	ir_jmp(f, p->join, &p->load, 1);
	ir_block_begin(f, p->no);
	p->jmp_no = f->ins_count;
	ir_jmp(f, p->join, &p->x, 1);
	ir_block_begin(f, p->join);
	p->param = ir_param(f, 16);
	p->put = f->ins_count;
	ir_put(f, 1, p->param);
	p->insn2 = f->ins_count;
	ir_insn(f, 0x11, 1, 1);
	p->get2 = ir_get(f, 1, 16);
	ir_put(f, 2, p->get2);
	p->last = f->ins_count;
	ir_goto(f, ir_const(f, 16, 0x12), IR_FLOW_NEXT);
}

static void refused(Parts *p, const char *reason)
{
	Buf why;

	buf_init(&why);
	assert_false(ir_verify(p->f, &why));
	if (!strstr(buf_text(&why), reason))
		fail_msg("said '%s' instead of '%s'", buf_text(&why), reason);
	assert_false(ir_verify(p->f, NULL));
	buf_fini(&why);
	arena_fini(&p->arena);
}

static void sound(void **state)
{
	Parts p;
	Buf why;

	(void)state;
	build(&p);
	buf_init(&why);
	if (!ir_verify(p.f, &why))
		fail_msg("%s", buf_text(&why));
	buf_fini(&why);
	arena_fini(&p.arena);
}

/* 1: definitions dominate uses; refs have the widths of the shape */
static void dominance(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.put].a = p.load; /* made in one arm only */
	refused(&p, "does not dominate");
	build(&p);
	p.f->ins[p.sum].a = p.cond + 1;
	p.f->ins[p.sum].a = p.sum;
	refused(&p, "before it is made");
	build(&p);
	p.f->ins[p.sum].b = p.cond;
	refused(&p, "width");
	build(&p);
	p.f->ins[p.cond].width = 2;
	refused(&p, "width");
	build(&p);
	p.f->ins[p.put].a = p.put - 100;
	refused(&p, "no value");
	build(&p);
	p.f->ins[p.put].a = p.jmp_no;
	refused(&p, "no value");
	build(&p);
	p.f->ins[p.put].a = IR_CONST_BIT | 1000;
	refused(&p, "no value");
	build(&p);
	p.f->ins[p.load].width = 8;
	refused(&p, "width 8");
	build(&p);
	p.f->ins[p.sum].op = IR_OP_ARG;
	refused(&p, "no such argument");
	build(&p);
	p.f->ins[p.jmp_no].b = 1000;
	refused(&p, "pool");
	build(&p);
	p.f->ins[p.sum].width = 65;
	refused(&p, "width 65");
	build(&p);
	p.f->ins[p.sum].op = IR_OP_EXTRACT;
	p.f->ins[p.sum].aux = 9;
	refused(&p, "impossible conversion");
	build(&p);
	p.f->ins[p.sum].op = IR_OP_CONCAT;
	refused(&p, "add up");
}

/* 2: blocks entered by BR; blocks end once */
static void edges(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.br].b = p.join;
	refused(&p, "parameters");
	build(&p);
	p.f->ins[p.br].b = p.no;
	refused(&p, "another edge");
	build(&p);
	p.f->ins[p.jmp_no].c = 0;
	refused(&p, "0 arguments for 1");
	build(&p);
	p.f->pool[p.f->ins[p.jmp_no].b] = p.cond;
	refused(&p, "width 1, not 16");
	build(&p);
	p.f->ins[p.jmp_no].a = 17;
	refused(&p, "does not exist");
	build(&p);
	p.f->ins[p.put].op = IR_OP_STOP;
	refused(&p, "exactly one END");
	build(&p);
	p.f->ins[p.last].op = IR_OP_PUT;
	refused(&p, "exactly one END");
	build(&p);
	p.f->blocks[p.join].params = 0;
	refused(&p, "param");
	build(&p);
	p.f->blocks[p.no].start++;
	refused(&p, "contiguous");
	build(&p);
	p.f->ins[p.sum].op = 200;
	refused(&p, "no such operation");
	build(&p);
	p.f->current = p.join;
	refused(&p, "has not ended");
	build(&p);
	p.f->failed = true;
	refused(&p, "memory");
}

/* 3: no way out of an instruction behind a PUT */
static void puts_last(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.insn1 + 1].op = IR_OP_PUT; /* then a load follows in one arm */
	p.f->ins[p.insn1 + 1].a = IR_CONST_BIT | 1;
	p.f->ins[p.sum].a = IR_CONST_BIT | 1;
	p.f->ins[p.cond].b = IR_CONST_BIT | 1;
	p.f->pool[p.f->ins[p.jmp_no].b] = IR_CONST_BIT | 1;
	refused(&p, "after a PUT");
	build(&p);
	p.f->ins[p.insn2].op = IR_OP_LOAD;
	p.f->ins[p.insn2].width = 16;
	refused(&p, "after a PUT");
	build(&p);
	p.f->ins[p.last].op = IR_OP_RAISE;
	refused(&p, "after a PUT");
	build(&p);
	p.f->ins[p.last].op = IR_OP_STOP; /* but a stop may follow */
	assert_true(ir_verify(p.f, NULL));
	arena_fini(&p.arena);
}

/* 4: a GET reads what the instruction found */
static void gets_first(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.insn2].op = IR_OP_GET; /* the second instruction becomes part of the first */
	p.f->ins[p.insn2].aux = 1;
	p.f->ins[p.insn2].width = 16;
	refused(&p, "has PUT");
}

/* 5: numbers rise by one, pc is constant */
static void numbers(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.insn2].b = 2;
	refused(&p, "guest instruction 2 after 0");
	build(&p);
	p.f->ins[p.insn1].b = 1;
	refused(&p, "guest instruction 1");
	build(&p);
	p.f->ins[p.insn2].a = p.x;
	refused(&p, "not constant");
	build(&p);
	p.f->ins[p.insn1].op = IR_OP_GET;
	p.f->ins[p.insn1].width = 16;
	refused(&p, "before the first INSN");
	build(&p);
	p.f->ins[p.load].op = IR_OP_INSN; /* one arm counts, the other does not */
	p.f->ins[p.load].a = IR_CONST_BIT;
	p.f->ins[p.load].b = 1;
	p.f->pool[p.f->ins[p.jmp_yes].b] = p.x;
	refused(&p, "different guest instructions");
}

/* 6: forward only */
static void forward(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.jmp_no].a = p.yes;
	refused(&p, "backward");
	build(&p);
	p.f->ins[p.last].op = IR_OP_JMP;
	p.f->ins[p.last].a = p.join;
	refused(&p, "backward");
}

static void kinds(void **state)
{
	Parts p;

	(void)state;
	build(&p);
	p.f->ins[p.last].op = IR_OP_RET;
	p.f->ins[p.last].a = IR_NONE;
	refused(&p, "RET in a guest block");
	build(&p);
	p.f->kind = IR_FUNC_HANDLER;
	refused(&p, "INSN in a handler");
	build(&p);
	p.f->kind = IR_FUNC_HANDLER;
	p.f->ins[p.last].op = IR_OP_ILLEGAL;
	refused(&p, "ILLEGAL in a handler");
}

/* A handler may read what it wrote, and be left after that. */
static void handler(void **state)
{
	Arena arena;
	IrFunc *f;
	Buf why;
	IrRef arg;

	(void)state;
	arena_init(&arena);
	buf_init(&why);
	f = ir_func_create(&arena, IR_FUNC_HANDLER);
	arg = ir_arg(f, 1, 16);
	ir_put(f, 1, arg);
	ir_put(f, 2, ir_get(f, 1, 16));
	ir_store(f, 0, arg, arg, true);
	ir_ret(f, arg);
	if (!ir_verify(f, &why))
		fail_msg("%s", buf_text(&why));
	assert_int_equal(f->args, 2);
	buf_fini(&why);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound),   cmocka_unit_test(dominance), cmocka_unit_test(edges),
		cmocka_unit_test(puts_last), cmocka_unit_test(gets_first), cmocka_unit_test(numbers),
		cmocka_unit_test(forward), cmocka_unit_test(kinds),	cmocka_unit_test(handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
