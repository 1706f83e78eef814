/* SPDX-License-Identifier: MIT
 * A machine whose instructions are the services of instances: letters of four bytes, children, keys of one byte with values of one.
 */
#ifndef TESTS_POSTAL_H
#define TESTS_POSTAL_H

static const char mail_isa[] =
	"isa POSTAL \"mail\"\n"
	"space M : 16 x 256\n"
	"code M\n"
	"reg R[4] : 16\n"
	"reg pc : 8\n"
	"field d a : R\n"
	"field i : signed\n"
	"field t : abs\n"
	"host mail_self() : 32\n"
	"host mail_find(m:8, q:8, n:32) : 32\n"
	"host mail_send(to:16, m:8, q:8, n:8) : 8\n"
	"host mail_length() : 32\n"
	"host mail_wait() : 32\n"
	"host mail_take(m:8, q:8, n:8) : 32\n"
	"host spawn(m:8, q:8, n:32) : 32\n"
	"host spawn_wait(n:16) : 32\n"
	"host kv_get(m:8, k:8, kn:32, q:8, n:8) : 32\n"
	"host kv_set(m:8, k:8, kn:32, q:8, n:8) : 8\n"
	"host kv_next(m:8, k:8, kn:32, q:8, n:8) : 32\n"
	"insn LI   \"0001 0 0 d:2 i:8\"   d, i  { d = sx(i) }\n"
	"insn ADDI \"0010 0 0 d:2 i:8\"   d, i  { d = d + sx(i) }\n"
	"insn BNZ  \"0011 0 0 a:2 t:8\"   a, t  { if (a != 0) jump t }\n"
	"insn LD   \"0100 0 0 d:2 t:8\"   d, t  { d = M[t] }\n"
	"insn ST   \"0101 0 0 a:2 t:8\"   a, t  { M[t] = a }\n"
	"insn SELF \"0110 0 0 d:2 0'8\"   d     { let n = host mail_self(); d = n[15:0] }\n"
	"insn FIND \"0110 0 1 d:2 t:8\"   d, t  { let n = host mail_find(0, t, 0xFFFFFFFF); d = n[15:0] }\n"
	"insn SEND \"0111 0 0 a:2 t:8\"   a, t  { let r = host mail_send(a, 0, t, 4); R[3] = zx(r) }\n"
	"insn LEN  \"1000 0 0 d:2 0'8\"   d     { let n = host mail_length(); d = n[15:0] }\n"
	"insn GET  \"1001 0 0 d:2 t:8\"   d, t  { let n = host mail_wait() - 1; let f = host mail_take(0, t, 4); R[0] = n[15:0]; d = f[15:0] }\n"
	"insn SPAWN \"1010 0 0 d:2 t:8\"  d, t  { let n = host spawn(0, t, 0xFFFFFFFF); d = n[15:0] }\n"
	"insn JOIN \"1011 0 0 d:2 0'8\"   d     { let n = host spawn_wait(d); d = n[15:0] }\n"
	"insn KGET \"1100 0 0 d:2 t:8\"   d, t  { let n = host kv_get(0, t, 1, t + 1, 1); d = n[15:0] }\n"
	"insn KSET \"1101 0 0 d:2 t:8\"   d, t  { let n = host kv_set(0, t, 1, t + 1, 1); d = zx(n) }\n"
	"insn KNEXT \"1110 0 0 d:2 t:8\"  d, t  { let n = host kv_next(0, t, zx(d, 32), t, 1); d = n[15:0] }\n"
	"insn STOP \"1111 0 0 a:2 0'8\"   a     { stop a }\n"
	"asm {\n  comment \";\"  label colon  number hex \"0x\" | dec\n  .WORD w = data 16\n  .TEXT s = string 16 0\n  .SPACE n = space\n}\n";

#endif
