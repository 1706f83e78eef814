/* SPDX-License-Identifier: MIT
 *
 * Assembly text in two dialects that have what the LC-3's have not: statements without line ends, numbers alone,
 * mnemonics of symbols, decimal fractions, rows of tables, sections, strings of several lines, constants said again,
 * variables by their width. The first byte chooses.
 */
#include "fuzz_asm.h"

static const char machine[] =
	"isa FREE \"a bit of everything\"\n"
	"space code : 8, size 0x4000\n"
	"space D : 8, size 0x4000\n"
	"code code\n"
	"table fn : nargs 8, addr 32\n"
	"reg r[4] : 64 names $0-$3\n"
	"reg pc : 16 = 0\n"
	"field d s : r\n"
	"field i : signed\n"
	"field k : unsigned\n"
	"field t : abs\n"
	"field x : float 64\n"
	"field y : float 32\n"
	"field v8 : abs of 8 \"byte\"\n"
	"field v32 : abs of 32 \"long\"\n"
	"field c : enum lt=0 ge eq default lt\n"
	"insn push \"1'8 i:16le\" i { r[0] = sx(i, 64) }\n"
	"insn + \"2'8\" { r[0] = r[0] + r[1] }\n"
	"insn * \"3'8\" { r[0] = r[0] * r[1] }\n"
	"insn << \"4'8\" { r[0] = r[0] << r[1] }\n"
	"insn mov \"5'8 000000 dd x:64le\" d, x { d = x }\n"
	"insn movs \"6'8 000000 dd y:32le\" d, y { d = zx(y) }\n"
	"insn add \"7'8 000000 dd i:64le\" d, i { d = d + i }\n"
	"insn add \"8'8 0000 dd ss\" d, s { d = d + s }\n"
	"insn add \"9'8 000000 dd v8:16le\" d, v8 { d = zx(v8) }\n"
	"insn add \"10'8 000000 dd v32:16le\" d, v32 { d = zx(v32) }\n"
	"insn set \"11'8 000000 dd 000000 c:2\" d, c { d = zx(c) }\n"
	"insn call \"12'8 k:8\" k { call fn.addr[k][15:0] }\n"
	"insn jmp \"13'8 t:16le\" t { jump t }\n"
	"insn hlt \"14'8\" { stop 0 }\n"
	"pseudo both a = { mov $0, a; mov $1, a }\n"
	"asm stack { comment \"//\" number hex \"0x\" | dec expressions off lines free number-alone push separators \" \"\n"
	"  register \"$\" symbol \"@\"\n"
	"  .byte b = data 8 single\n"
	"  .func n = row fn n . }\n"
	"asm data { comment \";\" separators \" ,\" lines free strings multiline entry main\n"
	"  number hex \"0x\" | oct \"0o\" | bin \"0b\" | dec\n"
	"  section longs in D align 4\n"
	"  section shorts in D align 2\n"
	"  section texts in D align 8\n"
	"  dd v = data 32 little in longs\n"
	"  df v = float 32 in longs\n"
	"  db v = data 8 in texts\n"
	"  ds s = string 8 in texts\n"
	"  resw n = space 16 in shorts\n"
	"  .byte b = data 8\n"
	"  .func n = row fn n .\n"
	"  .at n a = row fn n a\n"
	"  .org a = org\n"
	"  .in s = section\n"
	"  .end = end\n"
	"  define n v = equ redefine\n"
	"  = v = equ }\n";

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static Isa *isa;

	if (!isa) {
		DiagList diags;

		diag_init(&diags);
		isa = isa_load("free.isa", machine, sizeof(machine) - 1, NULL, 0, &diags);
		if (!isa) {
			Buf text;

			buf_init(&text);
			diag_render(&diags, &text, false);
			fuzz_fail(buf_text(&text));
		}
		diag_fini(&diags);
	}
	if (size)
		fuzz_assemble(isa, NULL, data[0] & 1 ? "stack" : "data", data + 1, size - 1);
	return 0;
}
