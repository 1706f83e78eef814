/* SPDX-License-Identifier: MIT
 *
 * Signals: handlers and their arguments, masks, restarts, alternate stacks, queues, waiting for them, faults.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int seen, last_code, last_value, depth, deepest;
static volatile siginfo_t last;
static sigjmp_buf back;

static void simple(int number)
{
	seen += number;
}

static void full(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	seen = number;
	last_code = info->si_code;
	last_value = info->si_value.sival_int;
	last = *info;
	if (!uc->uc_mcontext.__gregs[2])
		puts("no stack pointer?");
}

static void nested(int number)
{
	if (++depth > deepest)
		deepest = depth;
	if (depth < 4)
		raise(number);
	depth--;
}

static void jumps(int number, siginfo_t *info, void *context)
{
	(void)context;
	last = *info;
	siglongjmp(back, number);
}

static void set(int number, void *handler, int flags)
{
	struct sigaction action = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		action.sa_sigaction = handler;
	else
		action.sa_handler = handler;
	if (sigaction(number, &action, NULL))
		perror("sigaction");
}

static void faults(const char *name, int number, void (*provoke)(void))
{
	int got;

	set(number, jumps, SA_SIGINFO);
	got = sigsetjmp(back, 1);
	if (!got) {
		provoke();
		printf("%s: nothing\n", name);
		return;
	}
	printf("%s: signal %d code %d address %s\n", name, got, last.si_code,
	       last.si_addr == (void *)0x10 ? "0x10" : last.si_addr ? "some" : "0");
	signal(number, SIG_DFL);
}

static void wild_load(void)
{
	*(volatile int *)0x10;
}

static void wild_store(void)
{
	*(volatile int *)0x10 = 1;
}

static void wild_jump(void)
{
	((void (*)(void))0x10)();
}

static void read_only(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	page[1] = 1;
}

static void illegal(void)
{
	asm volatile(".word 0");
}

static void breakpoint(void)
{
	asm volatile("ebreak");
}

static void *interrupts(void *arg)
{
	usleep(5000);
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

static void restart(int flags, int write_too)
{
	pthread_t self = pthread_self(), other;
	int fds[2];
	char byte;
	long got;

	set(SIGUSR1, simple, flags);
	if (pipe(fds))
		return;
	seen = 0;
	if (!fork()) { /* the writer comes later */
		usleep(60000);
		got = write_too ? write(fds[1], "x", 1) : 0;
		_exit(0);
	}
	close(fds[1]);
	pthread_create(&other, NULL, interrupts, &self);
	got = read(fds[0], &byte, 1);
	printf("read with flags %x: %ld %s seen %d\n", flags, got, got < 0 ? strerror(errno) : "", seen);
	pthread_join(other, NULL);
	close(fds[0]);
	wait(NULL);
}

static char stack[65536];
static volatile int on_stack;

static void checks_stack(int number)
{
	char here;

	(void)number;
	on_stack = &here > stack && &here < stack + sizeof(stack);
}

static __attribute__((noinline)) int overflow(int n)
{
	volatile char big[4096];

	big[0] = (char)n;
	return n > 100000000 ? 0 : overflow(n + 1) + big[0];
}

static void overflows(void)
{
	printf("%d", overflow(0));
}

int main(void)
{
	struct sigaction action;
	sigset_t wanted, before, pending;
	siginfo_t info;
	struct timespec half = { 0, 20000000 }, left;
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) }, old;
	union sigval value = { .sival_int = 41 };
	struct itimerval timer = { .it_value = { 0, 10000 } };

	/* handlers and masks */
	set(SIGUSR1, simple, 0);
	raise(SIGUSR1);
	printf("raised: %d\n", seen == SIGUSR1);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	seen = 0;
	raise(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&pending);
	printf("blocked: seen %d pending %d\n", seen, sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_SETMASK, &before, NULL);
	printf("unblocked: %d\n", seen == SIGUSR1);
	set(SIGUSR1, nested, SA_NODEFER);
	raise(SIGUSR1);
	printf("nested %d\n", deepest);
	set(SIGUSR1, simple, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &action);
	printf("reset: %d\n", action.sa_handler == SIG_DFL);
	printf("no handler for KILL: %s\n", sigaction(SIGKILL, &action, NULL) ? strerror(errno) : "?");

	/* queues */
	set(SIGRTMIN, full, SA_SIGINFO);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGRTMIN);
	sigaddset(&wanted, SIGUSR2);
	sigprocmask(SIG_BLOCK, &wanted, NULL);
	for (int i = 0; i < 3; i++) {
		value.sival_int = 41 + i;
		sigqueue(getpid(), SIGRTMIN, value);
	}
	for (int i = 0; i < 3; i++) {
		int number = sigwaitinfo(&wanted, &info);

		printf("sigwaitinfo: %d code %d value %d pid %d\n", number == SIGRTMIN, info.si_code,
		       info.si_value.sival_int, info.si_pid == getpid());
	}
	printf("sigtimedwait: %d %s\n", sigtimedwait(&wanted, &info, &half), strerror(errno));
	value.sival_int = 50;
	sigqueue(getpid(), SIGRTMIN, value);
	sigprocmask(SIG_UNBLOCK, &wanted, NULL);
	printf("queued: %d code %d value %d\n", seen == SIGRTMIN, last_code, last_value);

	/* calls that wait */
	restart(0, 1);
	restart(SA_RESTART, 1);
	set(SIGALRM, simple, SA_RESTART);
	seen = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	half.tv_sec = 5;
	printf("nanosleep: %d %s left %s seen %d\n", nanosleep(&half, &left), strerror(errno),
	       left.tv_sec == 5 || left.tv_sec == 4 ? "most" : "little", seen);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGALRM);
	sigprocmask(SIG_BLOCK, &wanted, &before);
	setitimer(ITIMER_REAL, &timer, NULL);
	sigemptyset(&wanted);
	seen = 0;
	printf("sigsuspend: %d %s seen %d\n", sigsuspend(&wanted), strerror(errno), seen);
	sigprocmask(SIG_SETMASK, NULL, &pending);
	printf("mask is back: %d\n", sigismember(&pending, SIGALRM));
	sigprocmask(SIG_SETMASK, &before, NULL);

	/* faults */
	faults("load", SIGSEGV, wild_load);
	faults("store", SIGSEGV, wild_store);
	faults("jump", SIGSEGV, wild_jump);
	faults("read-only", SIGSEGV, read_only);
	faults("illegal", SIGILL, illegal);
	faults("breakpoint", SIGTRAP, breakpoint);

	/* alternate stacks */
	printf("small stack: %s\n", sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = 100 }, NULL) ? strerror(errno) : "?");
	sigaltstack(&alternate, NULL);
	sigaltstack(NULL, &old);
	printf("alternate: %d %d %zu\n", old.ss_sp == stack, old.ss_flags, old.ss_size);
	set(SIGUSR1, checks_stack, SA_ONSTACK);
	raise(SIGUSR1);
	printf("on it: %d\n", on_stack);
	set(SIGUSR1, checks_stack, 0);
	raise(SIGUSR1);
	printf("not on it: %d\n", on_stack);
	set(SIGSEGV, jumps, SA_SIGINFO | SA_ONSTACK);
	if (!sigsetjmp(back, 1))
		overflows();
	else
		printf("stack overflow: code %d\n", last.si_code);

	/* ends */
	for (int i = 0; i < 4; i++) {
		static const int numbers[] = { SIGTERM, SIGKILL, SIGABRT, SIGSEGV };
		int status;
		pid_t child = fork();

		if (!child) {
			signal(SIGSEGV, SIG_DFL);
			if (numbers[i] == SIGABRT)
				abort();
			if (numbers[i] == SIGSEGV)
				wild_store();
			kill(getpid(), numbers[i]);
			for (;;)
				pause();
		}
		waitpid(child, &status, 0);
		printf("end by %d: %d\n", numbers[i], WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	}
	{	/* a blocked fault kills, and so does a stack where no frame can be */
		int status;
		pid_t child = fork();

		if (!child) {
			sigemptyset(&wanted);
			sigaddset(&wanted, SIGSEGV);
			sigprocmask(SIG_BLOCK, &wanted, NULL);
			wild_load();
			_exit(1);
		}
		waitpid(child, &status, 0);
		printf("blocked fault: %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
		child = fork();
		if (!child) {
			set(SIGUSR1, simple, 0);
			asm volatile("li sp, 0x1000; mv a0, %0; li a1, %1; li a7, 129; ecall; 1: j 1b" : : "r"((long)getpid()), "i"(SIGUSR1) : "a0", "a1", "a7");
		}
		waitpid(child, &status, 0);
		printf("no stack: %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	}
	fflush(stdout);
	raise(SIGUSR2);
	return 0;
}

/* expect 140
 * raised: 1
 * blocked: seen 0 pending 1
 * unblocked: 1
 * nested 4
 * reset: 1
 * no handler for KILL: Invalid argument
 * sigwaitinfo: 1 code -1 value 41 pid 1
 * sigwaitinfo: 1 code -1 value 42 pid 1
 * sigwaitinfo: 1 code -1 value 43 pid 1
 * sigtimedwait: -1 Resource temporarily unavailable
 * queued: 1 code -1 value 50
 * read with flags 0: -1 Interrupted system call seen 10
 * read with flags 10000000: 1  seen 10
 * nanosleep: -1 Interrupted system call left most seen 14
 * sigsuspend: -1 Interrupted system call seen 14
 * mask is back: 1
 * load: signal 11 code 1 address 0x10
 * store: signal 11 code 1 address 0x10
 * jump: signal 11 code 1 address 0x10
 * read-only: signal 11 code 2 address some
 * illegal: signal 4 code 1 address some
 * breakpoint: signal 5 code 1 address some
 * small stack: Cannot allocate memory
 * alternate: 1 0 65536
 * on it: 1
 * not on it: 0
 * stack overflow: code 1
 * end by 15: 15
 * end by 9: 9
 * end by 6: 6
 * end by 11: 11
 * blocked fault: 11
 * no stack: 11
 */
