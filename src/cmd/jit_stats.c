/* SPDX-License-Identifier: MIT
 *
 * husk run --jit-stats: what the engines counted, in words or as JSON. Operations of the IR are named as ir_print does.
 */
#include <ctype.h>

#include "cmd/jit_options.h"
#include "ir/ir.h"

static const struct {
	const char *key, *text;
} count_words[ENGINE_COUNTS] = {
#define X(name, key, text) {key, text},
#include "core/engine_counts.def"
#undef X
};

static void add_op(Buf *out, u32 op)
{
	for (const char *at = op < IR_OP_COUNT ? ir_op_info[op].name : "?"; *at; at++)
		buf_byte(out, (u8)tolower((unsigned char)*at));
}

/* The largest first. */
static u32 next_op(const u64 counts[ENGINE_OPS], const bool told[ENGINE_OPS])
{
	u32 best = ENGINE_OPS;

	for (u32 op = 1; op < ENGINE_OPS; op++)
		if (counts[op] && !told[op] && (best == ENGINE_OPS || counts[op] > counts[best]))
			best = op;
	return best;
}

static void ops_text(const u64 counts[ENGINE_OPS], const char *text, Buf *out)
{
	bool told[ENGINE_OPS] = {false};
	u32 op = next_op(counts, told);

	if (op == ENGINE_OPS)
		return;
	buf_printf(out, "%14s %s:", "", text);
	for (; op != ENGINE_OPS; op = next_op(counts, told)) {
		told[op] = true;
		buf_byte(out, ' ');
		add_op(out, op);
		buf_printf(out, " %llu", (unsigned long long)counts[op]);
	}
	buf_byte(out, '\n');
}

static void ops_json(const u64 counts[ENGINE_OPS], const char *key, Buf *out)
{
	bool first = true;

	buf_printf(out, ",\"%s\":{", key);
	for (u32 op = 1; op < ENGINE_OPS; op++) {
		if (!counts[op])
			continue;
		buf_str(out, first ? "\"" : ",\"");
		first = false;
		add_op(out, op);
		buf_printf(out, "\":%llu", (unsigned long long)counts[op]);
	}
	buf_byte(out, '}');
}

void jit_stats_text(const EngineStats *stats, bool json, Buf *out)
{
	if (json)
		buf_byte(out, '{');
	for (u32 i = 0; i < ENGINE_COUNTS; i++) {
		unsigned long long count = stats->counts[i];

		if (json)
			buf_printf(out, "%s\"%s\":%llu", i ? "," : "", count_words[i].key, count);
		else if (count)
			buf_printf(out, "%14llu %-18s %s\n", count, count_words[i].key, count_words[i].text);
	}
	if (json) {
		ops_json(stats->bails, "left_because_of", out);
		ops_json(stats->slow, "called_for", out);
		buf_str(out, "}\n");
		return;
	}
	ops_text(stats->bails, "left to the interpreter because of", out);
	ops_text(stats->slow, "compiled to a call", out);
}
