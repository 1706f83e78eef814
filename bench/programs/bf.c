/* SPDX-License-Identifier: MIT */
/*
 * An interpreter: the language of eight operations (without input), made into a bytecode with counts and jump targets,
 * run by a switch in a loop. Size: how often its program runs.
 */
#include "bench.h"

enum { TAPE = 30000, LONGEST = 4096 };

typedef enum Op { MOVE, ADD, PUT, OPEN, CLOSE, END } Op;

typedef struct Code {
	uint8_t op;
	int32_t arg;
} Code;

/*
 * Cells a b c d e. For a from 255 down to 1: b goes down by one (and round), is copied to c, d gets twice as much, all are
 * moved about and printed; between, a product of 5, 3 and 2 is counted.
 */
static const char program[] =
	"-["
	">-[>+>++<<-]>[<+>-]>[<+>-]<.[-]"
	">>+++++[>+++[>++[<<<+>>>-]<-]<-]<[<+>-]<.[-]"
	"<<-"
	"]";

static Code code[LONGEST];
static uint8_t tape[TAPE];

static int compile(const char *text)
{
	int n = 0, open[256], depth = 0;

	for (; *text; text++) {
		int step = *text == '+' || *text == '>' ? 1 : -1;
		Op op = *text == '+' || *text == '-' ? ADD : *text == '>' || *text == '<' ? MOVE : *text == '.' ? PUT : *text == '[' ? OPEN : CLOSE;

		if ((op == ADD || op == MOVE) && n && code[n - 1].op == op) {
			code[n - 1].arg += step;
			continue;
		}
		code[n] = (Code){(uint8_t)op, step};
		if (op == OPEN)
			open[depth++] = n;
		if (op == CLOSE) {
			int start = open[--depth];

			code[n].arg = start;
			code[start].arg = n;
		}
		n++;
	}
	code[n].op = END;
	return n;
}

static uint64_t run(uint64_t sum)
{
	const Code *at = code;
	uint8_t *cell = tape + TAPE / 2;

	for (;; at++) {
		switch ((Op)at->op) {
		case MOVE: cell += at->arg; break;
		case ADD: *cell = (uint8_t)(*cell + at->arg); break;
		case PUT: sum = sum * 31 + *cell; break;
		case OPEN:
			if (!*cell)
				at = code + at->arg;
			break;
		case CLOSE:
			if (*cell)
				at = code + at->arg;
			break;
		case END: return sum;
		}
	}
}

int main(int argc, char **argv)
{
	int64_t times = size_or(argc, argv, 700);
	uint64_t sum = 0;

	compile(program);
	for (int64_t i = 0; i < times; i++) {
		memset(tape, 0, sizeof tape);
		sum = run(sum);
	}
	return report(sum);
}
