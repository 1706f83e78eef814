/* SPDX-License-Identifier: MIT
 *
 * A snapshot at every instruction. Each machine of the tree runs programs of 10^4 instructions and more, one of them at least (others
 * end sooner, by what they are), an instruction at a time, in the interpreter and in compiled code side by side. At each instruction n
 *
 *     both snapshots are the same bytes, so that whoever restores them restores what either engine left
 *     a process that was there before any machine was, and gets nothing but these bytes, restores them into machines that it
 *     has just created, one for each engine, runs on, and comes to the same: the snapshot of n + TAIL, byte for byte (its hash),
 *     the output in between, the count, the reason to stop; each LONG-th time that of the end of the program, which by
 *     another machine was reached in one go
 *
 * A machine in memory of the other process is hot at once: what runs there is optimized code. Then every snapshot is given to
 * every other machine, of other versions and options too: each is refused, with words for both sides, and nothing changes.
 *
 *     [EVERY=1] test_snapshot_every [WORD]    only the machines whose program's path has WORD in it
 *
 * Making a machine costs more than running it so far. So the other process gets each snapshot of the first subject and one of
 * SHARE of the rest, for the engines in turn, and some programs are not run as far. EVERY=1 (`make soak-snapshots`): all of them, as far
 * as 10^4 instructions or their end, each snapshot for both engines (half an hour).
 */
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/museum.h"

#include "base/hash.h"
#include "guests/guests.h"
#include "guests/plain.h"
#include "interp/interp.h"
#include "jit/jit.h"
#include "linux/linux.h"
#include "unit/tools.h"

#ifdef __SANITIZE_ADDRESS__
enum { MOST = 10000, STEP = 41, TAIL = 205, LONG = 50, SHARE = 3 };
#else
enum { MOST = 10000, STEP = 1, TAIL = 200, LONG = 50, SHARE = 15 };
#endif

typedef struct Subject {
	const char *isa;  /* a file; NULL: of a guest */
	const char *path; /* of the program; with `text`: what it is called */
	const char *guest;
	void (*text)(Buf *out);
	const char *from, *to; /* the program says `from` in one place; here it says `to`, which makes it long enough */
	const char *input;
	u64 quantum;
	u32 step; /* besides STEP: snapshots are large. EVERY: all of the second half */
	u32 most; /* instructions; 0: MOST */
	u32 share; /* the other process gets one of so many; 0: SHARE */
	bool ends; /* before MOST instructions */
} Subject;

typedef struct Shop { /* where machines of one subject are made */
	const Subject *subject;
	const Guest *guest;
	Isa *isa;
} Shop;

static const char *only = "";
static bool every; /* really all of them, by both engines */

/* ---- Programs that are too long to be written ---- */

#define KEYS "some keys, typed\nand a line\nor more"
#define LATER "\tmov r12, 3000\nlater:\n\tdec r12\n\tcmp r12, 0\n\tjne later\n" /* the other core counts meanwhile */

/* Only the one place, which must be there: a program that has changed may be long enough itself. */
static void replace(Buf *text, const char *from, const char *to)
{
	const char *at = strstr(buf_text(text), from);
	size_t before;
	Buf out;

	assert_non_null(at);
	assert_null(strstr(at + 1, from));
	before = (size_t)(at - buf_text(text));
	buf_init(&out);
	buf_add(&out, text->data, before);
	buf_str(&out, to);
	buf_add(&out, text->data + before + strlen(from), text->len - before - strlen(from));
	buf_fini(text);
	*text = out;
}

static void long_sum(Buf *out)
{
	buf_str(out, "7");
	for (u32 i = 0; i < (every ? 5000 : 300); i++)
		buf_printf(out, " %u %c", i % 9 + 1, "+*-"[i % 3]);
}

static void three_clerks(Buf *out)
{
	buf_str(out, "function sell\n");
	for (u32 i = 0; i < 20; i++)
		buf_printf(out, "lock office\nset front %u\nadd sold sold front\n%sunlock office\n", i % 7, i % 10 ? "" : "sleep 1\nprint sold\n");
	buf_str(out, "exit\n\nfunction clerk\n");
	for (u32 i = 0; i < 40; i++)
		buf_str(out, "sync sell\n");
	buf_str(out, "exit\n\nfunction main\nset sold 0\nasync clerk\nasync clerk\nasync clerk\nexit\n");
}

/* Calls, the stack, memory and the screen, 10^4 times altogether. */
static void eight_bits(Buf *out)
{
	buf_str(out, "LDI R3, 0xFF\nLDI R0, 20\nouter: LDI R1, 50\ninner: PUSH R0\nCALL work\nPOP R0\nADDI R1, -1\nJNZ inner\nLDI R2, 'x'\n"
		     "ST [R3], R2\nADDI R0, -1\nJNZ outer\nHALT\nwork: LDI R2, cell\nLD R0, [R2]\nADD R0, R1\nST [R2], R0\nRET\ncell: .byte 0\n");
}

/* Short ways through much of a kernel. */
static void linux_program(Buf *out)
{
	char name[] = "/tmp/husk-every-XXXXXX", command[300];
	int folder = mkdtemp(name) != NULL;
	u8 chunk[4096];
	size_t got;
	FILE *file;

	assert_true(folder);
	need_tool("riscv64-linux-gnu-gcc");
	snprintf(command, sizeof command, "riscv64-linux-gnu-gcc -O1 -w -static -pthread -Itests/linux -o %s/a tests/linux/processes.c", name);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "%s/a", name);
	file = fopen(command, "rb");
	assert_non_null(file);
	while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
		buf_add(out, chunk, got);
	fclose(file);
	unlink(command);
	rmdir(name);
}

static const Subject subjects[] = {
	{.guest = "lc3", .path = "examples/lc3/primes.asm", .share = 1},
	{.guest = "lc3", .path = "examples/lc3/echo.asm", .input = KEYS KEYS KEYS KEYS KEYS KEYS KEYS KEYS KEYS KEYS "q", .most = 1500},
	{.isa = "examples/isa/6502.isa", .path = "examples/isa/6502/primes.asm", .from = "JMP end", .to = "JMP start", .most = 9000},
	{.isa = "examples/isa/chip8.isa", .path = "examples/isa/chip8/ball.asm"},
	{.isa = "examples/isa/tiny8.isa", .path = "examples/isa/tiny8/hello.asm", .ends = true},
	{.isa = "examples/isa/tiny8.isa", .path = "eight_bits.asm", .text = eight_bits, .most = 1000},
	{.guest = "iridium", .path = "examples/iridium/call.iasm", .from = "#12", .to = "#15", .most = 3000},
	{.guest = "iridium", .path = "examples/iridium/heap.iasm", .from = "load $4 #100", .to = "load $4 #1000\n load $0 #3600\n aloc $0",
	 .most = 1200},
	{.guest = "iridium", .path = "bench/loops/iridium.iasm", .most = 2000},
	{.guest = "svm", .path = "examples/svm/factorial.svm", .from = "halt", .to = "iconst 1\n store 0\n br next", .most = 700},
	{.guest = "svm", .path = "bench/loops/svm.svm", .most = 2000},
	{.guest = "stackvm", .path = "long_sum.sasm", .text = long_sum, .most = 600},
	{.guest = "tinyvm", .path = "examples/tinyvm/forever.tvm", .ends = true},
	{.guest = "tinyvm", .path = "three_clerks.tvm", .text = three_clerks, .quantum = 7, .most = 3000},
	{.guest = "merry", .path = "examples/merry/cores.gpc.masm", .from = "mov r6, 1000", .to = "mov r6, 2000", .quantum = 5, .most = 2000},
	{.guest = "merry", .path = "examples/merry/wild.gpc.masm", .from = "movq r1, r7\n", .to = LATER "\tmovq r1, r7\n", .quantum = 5,
	 .most = 1000},
	{.isa = "examples/isa/basiccpu.isa", .path = "bench/loops/basiccpu.asm", .most = 2000},
	{.isa = "examples/isa/six.isa", .path = "bench/loops/six.asm", .most = 2000},
	{.isa = "examples/museum/aspire.isa", .path = "examples/museum/aspire/cores.asm", .from = "CMP  Ad, 1000",
	 .to = "CMP  Ad, 2000", .quantum = 5, .most = 2000}, /* the first core waits for another sum without end */
	{.isa = "examples/museum/buffed.isa", .path = "examples/museum/buffed/loop.asm", .most = 2000},
	{.isa = "examples/museum/enigma.isa", .path = "examples/museum/enigma/loop.asm", .most = 2000},
	{.isa = "examples/museum/enigma_v2.isa", .path = "examples/museum/enigma_v2/loop.asm", .quantum = 5},
	{.isa = "examples/museum/fraud.isa", .path = "examples/museum/fraud/fib.asm"},
	{.isa = "examples/museum/khoya.isa", .path = "examples/museum/khoya/powers.asm", .quantum = 5},
	{.guest = "rv64", .path = "processes.rv", .text = linux_program, .quantum = 50, .step = 100, .most = 20000},
};

/* ---- Machines ---- */

static const EngineOps *engine_number(u32 number)
{
	return number && jit_is_possible() ? &jit_engine : &interp_engine;
}

static void open_shop(Shop *shop, const Subject *subject, const IsaChoice *choices, u32 count)
{
	DiagList diags;

	*shop = (Shop){.subject = subject};
	diag_init(&diags);
	if (subject->guest) {
		shop->guest = guests_find(subject->guest);
		assert_non_null(shop->guest);
		shop->isa = isa_load(subject->guest, shop->guest->isa_text, strlen(shop->guest->isa_text), choices, count, &diags);
		if (!shop->isa)
			museum_fail(&diags, subject->guest);
	} else {
		shop->isa = museum_load(subject->isa, choices, count);
	}
	diag_fini(&diags);
}

static Machine *make(const Shop *shop, u32 engine, Buf *output)
{
	static const EngineOptions hot = {.hot = 2};
	const char *argument = "program";
	const LinuxConfig linux_config = {.program = "/program", .arguments = &argument, .argument_count = 1, .directory = "/tmp",
					  .real_time = 1700000000000000000};
	const MachineConfig config = {.isa = shop->isa, .guest = shop->guest, .random_seed = 1, .virtual_time = true,
				      .quantum = shop->subject->quantum, .vcpu_limit = 64, .memory_limit = 64 << 20,
				      .engine = engine_number(engine), .engine_options = &hot};
	Machine *machine;
	DiagList diags;

	diag_init(&diags);
	if (machine_create(&config, &machine, &diags))
		museum_fail(&diags, shop->subject->path);
	machine_set_output(machine, museum_output, output);
	machine_set_errors(machine, museum_output, output);
	if (shop->guest && shop->guest->is_linux && linux_configure(machine, &linux_config, &diags))
		museum_fail(&diags, shop->subject->path);
	diag_fini(&diags);
	return machine;
}

static const GuestLanguage *language_of(const Guest *guest, const char *path)
{
	for (const GuestLanguage *language = guest ? guest->languages : NULL; language && language->name; language++) {
		size_t n = strlen(language->extension), len = strlen(path);

		if (len > n && strcmp(path + len - n, language->extension) == 0)
			return language;
	}
	return NULL;
}

/* The bytes that the guest loads; or *program for a machine without a guest. */
static void translate(const Shop *shop, const Buf *bytes, Buf *object, AsmProgram **program, DiagList *diags)
{
	const GuestLanguage *language = language_of(shop->guest, shop->subject->path);
	const GuestFile file = {.name = shop->subject->path, .data = bytes->data, .len = bytes->len};
	Source source = {shop->subject->path, (const char *)bytes->data, bytes->len};
	const AsmOptions options = {0};
	Buf assembly, listing;

	buf_init(&assembly);
	buf_init(&listing);
	if (language && language->compile(&file, shop->isa, language->to_assembly ? &assembly : object, &listing, diags))
		museum_fail(diags, source.name);
	if (language && language->to_assembly)
		source = (Source){source.name, buf_text(&assembly), assembly.len};
	if (!language || language->to_assembly) {
		*program = asm_assemble(shop->isa, &source, &options, diags);
		if (!*program || (shop->guest && shop->guest->formats->write(*program, object, diags)))
			museum_fail(diags, source.name);
	}
	buf_fini(&assembly);
	buf_fini(&listing);
}

static void put(const Shop *shop, Machine *machine)
{
	const Subject *subject = shop->subject;
	u64 start = shop->isa->regs[shop->isa->pc_reg].reset;
	AsmProgram *program = NULL;
	Buf bytes, object, error;
	DiagList diags;

	diag_init(&diags);
	buf_init(&bytes);
	buf_init(&object);
	buf_init(&error);
	if (subject->text) {
		subject->text(&bytes);
	} else {
		size_t len = 0;
		char *text = museum_read_file(subject->path, &len);

		assert_non_null(text);
		buf_add(&bytes, text, len);
		free(text);
	}
	if (subject->from)
		replace(&bytes, subject->from, subject->to);
	buf_byte(&bytes, 0);
	bytes.len--;
	if (shop->guest && shop->guest->is_linux)
		buf_add(&object, bytes.data, bytes.len);
	else
		translate(shop, &bytes, &object, &program, &diags);
	if (shop->guest) {
		const GuestFile file = {.name = subject->path, .data = object.data, .len = object.len};

		if (shop->guest->load(machine, &file, 1, &diags))
			museum_fail(&diags, subject->path);
	} else {
		if (plain_put_program(machine, subject->path, program, &start, &error))
			fail_msg("%s", buf_text(&error));
		machine_reset(machine, true);
		machine_set_pc(machine, start);
	}
	if (subject->input)
		machine_input(machine, (const u8 *)subject->input, strlen(subject->input));
	machine_input_end(machine);
	asm_program_destroy(program);
	buf_fini(&bytes);
	buf_fini(&object);
	buf_fini(&error);
	diag_fini(&diags);
}

/* Until the instruction counts so much, or the end. Pictures are not waited for. */
static MachineStop run_to(Machine *machine, u64 icount)
{
	MachineStop stop = {.kind = STOP_BUDGET};

	while (machine_icount(machine) < icount && (stop.kind == STOP_BUDGET || stop.kind == STOP_FRAME))
		stop = machine_run(machine, icount - machine_icount(machine));
	return stop;
}

static void take(Machine *machine, Buf *out)
{
	Status status;

	buf_clear(out);
	status = machine_snapshot(machine, out);
	if (status)
		fail_msg("at %llu: no snapshot: %s: %s", (unsigned long long)machine_icount(machine), status_text(status),
			 machine_why(machine));
}

/* ---- The other process ---- */

typedef struct Order {
	u64 len, until;
	u32 engine, pad;
} Order;

typedef struct Answer {
	u64 status, hash, len, icount, stop, code, output_len, output_hash;
} Answer;

static bool move(int fd, void *bytes, size_t len, bool out)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = out ? send(fd, (u8 *)bytes + done, len - done, MSG_NOSIGNAL) : read(fd, (u8 *)bytes + done, len - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void conclude(Machine *machine, const MachineStop *stop, const u8 *output, size_t output_len, Buf *scratch, Answer *out)
{
	take(machine, scratch);
	*out = (Answer){.hash = hash_bytes(HASH_START, scratch->data, scratch->len), .len = scratch->len,
			.icount = machine_icount(machine), .stop = stop->kind, .code = stop->code, .output_len = output_len,
			.output_hash = output_len ? hash_bytes(HASH_START, output, output_len) : 0};
}

static void serve(int fd, const Subject *subject)
{
	Buf output, state;
	Order order;
	Shop shop;

	open_shop(&shop, subject, NULL, 0);
	buf_init(&output);
	buf_init(&state);
	while (move(fd, &order, sizeof order, false)) {
		Machine *machine = make(&shop, order.engine, &output);
		u8 *bytes = malloc(order.len);
		MachineStop stop;
		Answer answer = {0};

		if (!bytes || !move(fd, bytes, order.len, false))
			break;
		buf_clear(&output);
		answer.status = machine_restore(machine, bytes, order.len);
		free(bytes);
		if (!answer.status) {
			stop = run_to(machine, order.until);
			conclude(machine, &stop, output.data, output.len, &state, &answer);
		}
		machine_destroy(machine);
		if (!move(fd, &answer, sizeof answer, true))
			break;
	}
	buf_fini(&output);
	buf_fini(&state);
	isa_destroy(shop.isa);
}

typedef struct Other {
	pid_t pid;
	int fd;
} Other;

static Other start_other(const Subject *subject)
{
	int fds[2];
	Other other;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fflush(NULL);
	other = (Other){.pid = fork(), .fd = fds[0]};
	assert_true(other.pid >= 0);
	if (!other.pid) {
		close(fds[0]);
		serve(fds[1], subject);
		_exit(0);
	}
	close(fds[1]);
	return other;
}

static void end_other(Other *other)
{
	int status;

	close(other->fd);
	assert_int_equal(waitpid(other->pid, &status, 0), other->pid);
	assert_int_equal(status, 0);
}

static void ask(const Other *other, const Buf *snapshot, u32 engine, u64 until, const Answer *want, const Subject *subject, u64 at)
{
	Order order = {.len = snapshot->len, .until = until, .engine = engine};
	Answer got;

	if (!move(other->fd, &order, sizeof order, true) || !move(other->fd, snapshot->data, snapshot->len, true) ||
	    !move(other->fd, &got, sizeof got, false))
		fail_msg("%s: the other process died of the snapshot at %llu", subject->path, (unsigned long long)at);
	if (memcmp(&got, want, sizeof got) != 0)
		fail_msg("%s: from %llu to %llu by %s: status %llu, icount %llu, stop %llu %llu, %llu bytes of output (%llx), state %llx "
			 "of %llu bytes; not icount %llu, stop %llu %llu, %llu bytes (%llx), state %llx of %llu bytes",
			 subject->path, (unsigned long long)at, (unsigned long long)until, engine_number(engine)->name,
			 (unsigned long long)got.status, (unsigned long long)got.icount, (unsigned long long)got.stop,
			 (unsigned long long)got.code, (unsigned long long)got.output_len, (unsigned long long)got.output_hash,
			 (unsigned long long)got.hash, (unsigned long long)got.len, (unsigned long long)want->icount,
			 (unsigned long long)want->stop, (unsigned long long)want->code, (unsigned long long)want->output_len,
			 (unsigned long long)want->output_hash, (unsigned long long)want->hash, (unsigned long long)want->len);
}

/* ---- At every instruction ---- */

typedef struct Mark {
	u64 icount, stop, code, hash, len, output;
} Mark;

/* What an instruction at a time leaves, in both engines. marks[i] for the i-th step; the last is the end. */
static u32 walk(const Shop *shop, u64 first, u64 step, u64 most, Mark *marks, u32 cap, Buf *output)
{
	Machine *machines[2];
	Buf outputs[2], states[2];
	MachineStop stops[2] = {{.kind = STOP_BUDGET}, {.kind = STOP_BUDGET}};
	u32 count = 0;

	for (u32 i = 0; i < 2; i++) {
		buf_init(&outputs[i]);
		buf_init(&states[i]);
		machines[i] = make(shop, i, &outputs[i]);
		put(shop, machines[i]);
	}
	for (u64 at = 0;; at += at < first ? first : at + step < most ? step : most - at) {
		for (u32 i = 0; i < 2; i++) {
			if (at)
				stops[i] = run_to(machines[i], at);
			take(machines[i], &states[i]);
		}
		if (states[0].len != states[1].len || memcmp(states[0].data, states[1].data, states[0].len) != 0 ||
		    stops[0].kind != stops[1].kind || stops[0].code != stops[1].code || outputs[0].len != outputs[1].len)
			fail_msg("%s: at %llu the engines differ", shop->subject->path, (unsigned long long)at);
		assert_true(count < cap);
		marks[count++] = (Mark){machine_icount(machines[0]), stops[0].kind, stops[0].code,
					hash_bytes(HASH_START, states[0].data, states[0].len), states[0].len, outputs[0].len};
		if (at == most || (stops[0].kind != STOP_BUDGET && stops[0].kind != STOP_FRAME))
			break;
	}
	if (outputs[0].len)
		assert_memory_equal(outputs[0].data, outputs[1].data, outputs[0].len);
	buf_add(output, outputs[0].data, outputs[0].len);
	for (u32 i = 0; i < 2; i++) {
		machine_destroy(machines[i]);
		buf_fini(&outputs[i]);
		buf_fini(&states[i]);
	}
	return count;
}

static Answer answer_of(const Mark *from, const Mark *to, const Buf *output)
{
	u64 len = to->output - from->output;

	return (Answer){.hash = to->hash, .len = to->len, .icount = to->icount, .stop = to->stop, .code = to->code, .output_len = len,
			.output_hash = len ? hash_bytes(HASH_START, output->data + from->output, len) : 0};
}

/* In one go it comes to the same as by steps. */
static void in_one_go(const Shop *shop, const Mark *first, const Mark *last, u64 most, const Buf *output)
{
	for (u32 i = 0; i < 2; i++) {
		Answer want = answer_of(first, last, output), got;
		MachineStop stop;
		Machine *machine;
		Buf said, state;

		buf_init(&said);
		buf_init(&state);
		machine = make(shop, i, &said);
		put(shop, machine);
		stop = run_to(machine, most);
		conclude(machine, &stop, said.data, said.len, &state, &got);
		if (memcmp(&got, &want, sizeof got) != 0)
			fail_msg("%s: in one go by %s: %llu %d, by steps %llu %llu", shop->subject->path, engine_number(i)->name,
				 (unsigned long long)got.icount, (int)got.stop, (unsigned long long)want.icount,
				 (unsigned long long)want.stop);
		machine_destroy(machine);
		buf_fini(&said);
		buf_fini(&state);
	}
}

static void try_subject(const Subject *subject)
{
	const u64 step = subject->step > STEP && !every ? subject->step : STEP;
	const u64 most = subject->most && (!every || subject->most > MOST) ? subject->most : MOST, first = most > MOST && every ? MOST : 0;
	const u32 share = every ? 1 : STEP == 1 && subject->share ? subject->share : SHARE;
	const u32 cap = (u32)(most / step + 3), tail = subject->step && !every ? 10 : TAIL / STEP;
	Mark *marks = calloc(cap, sizeof *marks);
	Other other = start_other(subject);
	MachineStop stop = {.kind = STOP_BUDGET};
	Buf output, snapshot, said;
	Machine *machine;
	u32 count;
	Shop shop;

	assert_non_null(marks);
	buf_init(&output);
	buf_init(&snapshot);
	buf_init(&said);
	open_shop(&shop, subject, NULL, 0);
	count = walk(&shop, first, step, most, marks, cap, &output);
	if (most >= MOST && subject->ends != (marks[count - 1].icount < MOST))
		fail_msg("%s: it ends at %llu", subject->path, (unsigned long long)marks[count - 1].icount);
	in_one_go(&shop, &marks[0], &marks[count - 1], most, &output);
	machine = make(&shop, 1, &said);
	put(&shop, machine);
	for (u32 i = 0, asked = 0; i + 1 < count; i += share, asked++) {
		const u32 to = asked % LONG == 0 || i + tail >= count ? count - 1 : i + tail;
		const Answer want = answer_of(&marks[i], &marks[to], &output);
		/* The end may lie before the budget: it is asked for then. */
		const u64 until = to == count - 1 ? most : marks[to].icount;

		if (i)
			stop = run_to(machine, marks[i].icount);
		assert_true(stop.kind == STOP_BUDGET || stop.kind == STOP_FRAME);
		take(machine, &snapshot);
		for (u32 engine = every ? 0 : asked % 2; engine < (every ? 2 : asked % 2 + 1); engine++)
			ask(&other, &snapshot, engine, until, &want, subject, marks[i].icount);
	}
	if (every || getenv("VERBOSE"))
		fprintf(stderr, "%s: %u snapshots, to %llu, stop %llu, %zu bytes of output, the last %llu bytes\n", subject->path, count - 1,
			(unsigned long long)marks[count - 1].icount, (unsigned long long)marks[count - 1].stop, output.len,
			(unsigned long long)marks[count - 1].len);
	machine_destroy(machine);
	end_other(&other);
	isa_destroy(shop.isa);
	buf_fini(&output);
	buf_fini(&snapshot);
	buf_fini(&said);
	free(marks);
}

/* No machine has only programs that end sooner. */
static void test_long_enough(void **state)
{
	(void)state;
	for (u32 i = 0; i < COUNT_OF(subjects); i++) {
		const char *machine = subjects[i].guest ? subjects[i].guest : subjects[i].isa;
		bool any = false;

		for (u32 k = 0; k < COUNT_OF(subjects); k++)
			any |= !subjects[k].ends && !strcmp(machine, subjects[k].guest ? subjects[k].guest : subjects[k].isa);
		if (!any)
			fail_msg("%s: no program of %u instructions", machine, (unsigned)MOST);
	}
}

static void test_every_instruction(void **state)
{
	(void)state;
	for (u32 i = 0; i < COUNT_OF(subjects); i++)
		if (strstr(subjects[i].path, only))
			try_subject(&subjects[i]);
}

/* ---- Those that do not fit ---- */

static void refused(Machine *machine, const Buf *bytes, const char *word, const char *other_word)
{
	Buf before, after;
	const char *why;

	buf_init(&before);
	buf_init(&after);
	take(machine, &before);
	assert_int_equal(machine_restore(machine, bytes->data, bytes->len), STATUS_MISMATCH);
	why = machine_why(machine);
	if (!strstr(why, word) || !strstr(why, other_word) || strchr(why, '\n'))
		fail_msg("\"%s\" has no word for %s or for %s", why, word, other_word);
	take(machine, &after);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	buf_fini(&before);
	buf_fini(&after);
}

static void test_other_machines(void **state)
{
	Machine *machines[COUNT_OF(subjects)];
	Shop shops[COUNT_OF(subjects)];
	Buf bytes, output;

	(void)state;
	buf_init(&bytes);
	buf_init(&output);
	for (u32 i = 0; i < COUNT_OF(subjects); i++) {
		open_shop(&shops[i], &subjects[i], NULL, 0);
		machines[i] = make(&shops[i], i % 2, &output);
		put(&shops[i], machines[i]);
		run_to(machines[i], 20);
	}
	for (u32 i = 0; i < COUNT_OF(subjects); i++) {
		take(machines[i], &bytes);
		for (u32 k = 0; k < COUNT_OF(subjects); k++)
			if (strcmp(shops[i].isa->name, shops[k].isa->name) != 0)
				refused(machines[k], &bytes, shops[i].isa->name, shops[k].isa->name);
	}
	for (u32 i = 0; i < COUNT_OF(subjects); i++) {
		machine_destroy(machines[i]);
		isa_destroy(shops[i].isa);
	}
	buf_fini(&bytes);
	buf_fini(&output);
}

static void other_version(Machine *machine, Buf *bytes, u32 version)
{
	char word[32], here[32];
	u64 hash;

	for (u32 i = 0; i < 4; i++)
		bytes->data[8 + i] = (u8)(version >> (8 * i));
	hash = hash_bytes(HASH_START, bytes->data, bytes->len - 8);
	for (u32 i = 0; i < 8; i++)
		bytes->data[bytes->len - 8 + i] = (u8)(hash >> (8 * i));
	snprintf(word, sizeof word, "version %u,", version);
	snprintf(here, sizeof here, "version %u", MACHINE_SNAPSHOT_VERSION);
	refused(machine, bytes, word, here);
}

/* The same machine, but in the version, in an option, in what is built in, or in its text. */
static void test_not_quite(void **state)
{
	static const Subject lc3 = {.guest = "lc3", .path = "examples/lc3/primes.asm"};
	static const Subject alone = {.isa = "src/guests/lc3/lc3.isa", .path = "examples/lc3/primes.asm"};
	static const Subject tiny8 = {.isa = "examples/isa/tiny8.isa", .path = "examples/isa/tiny8/hello.asm"};
	static const char changed[] = "isa Tiny8 \"another\"\nspace P : 8, size program\ncode P\nreg pc : 16\ninsn NOP \"00000000\" { pc = pc }\n";
	static const IsaChoice choices[] = {{"privilege", "off"}, {"jsrr", "original"}};
	const Subject *const kinds[] = {&lc3, &lc3, &alone, &tiny8, &tiny8};
	enum { KINDS = COUNT_OF(kinds) };
	Machine *machines[KINDS];
	Shop shops[KINDS];
	Buf bytes, output;
	DiagList diags;

	(void)state;
	buf_init(&bytes);
	buf_init(&output);
	diag_init(&diags);
	for (u32 i = 0; i < KINDS; i++) {
		open_shop(&shops[i], kinds[i], choices, i == 1 ? COUNT_OF(choices) : 0);
		if (i == 4) {
			isa_destroy(shops[i].isa);
			shops[i].isa = isa_load("tiny8.isa", changed, strlen(changed), NULL, 0, &diags);
			if (!shops[i].isa)
				museum_fail(&diags, "tiny8.isa");
		}
		machines[i] = make(&shops[i], i % 2, &output);
		if (i != 4)
			put(&shops[i], machines[i]);
		run_to(machines[i], 20);
	}
	take(machines[0], &bytes);
	refused(machines[1], &bytes, "with privilege=on,", "with privilege=off");
	refused(machines[2], &bytes, "with lc3,", "with nothing built in");
	for (u32 version = 0; version < 10; version++)
		if (version != MACHINE_SNAPSHOT_VERSION)
			other_version(machines[0], &bytes, version);
	other_version(machines[3], &bytes, 0xFFFFFFFF);
	take(machines[3], &bytes);
	refused(machines[4], &bytes, "Tiny8", "another description");
	for (u32 i = 0; i < KINDS; i++) {
		machine_destroy(machines[i]);
		isa_destroy(shops[i].isa);
	}
	diag_fini(&diags);
	buf_fini(&bytes);
	buf_fini(&output);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_other_machines), cmocka_unit_test(test_not_quite),
					   cmocka_unit_test(test_long_enough), cmocka_unit_test(test_every_instruction)};

	every = getenv("EVERY") != NULL;
	if (argc > 1)
		only = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
