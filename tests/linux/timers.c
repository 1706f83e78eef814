/* SPDX-License-Identifier: MIT
 *
 * Clocks and timers.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int alarms, virtual_alarms, profiles, exceeded;
static volatile int timer_value, overrun;

static void count(int number)
{
	if (number == SIGALRM)
		alarms++;
	else if (number == SIGVTALRM)
		virtual_alarms++;
	else if (number == SIGPROF)
		profiles++;
	else
		exceeded++;
}

static void on_timer(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	timer_value = info->si_value.sival_int;
	overrun += info->si_overrun + 1;
}

static void on_thread(union sigval value)
{
	timer_value = value.sival_int;
}

static double now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void spin(double seconds)
{
	double end = now(CLOCK_PROCESS_CPUTIME_ID) + seconds;

	while (now(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 10000; i++)
			;
}

int main(void)
{
	struct timespec time, left = { 0 };
	struct itimerval timer = { .it_value = { 0, 20000 } }, old;
	struct sigaction action = { .sa_sigaction = on_timer, .sa_flags = SA_SIGINFO };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 33 };
	struct itimerspec spec = { { 0, 5000000 }, { 0, 5000000 } };
	struct rlimit limit = { 1, 2 };
	struct tms ticks;
	timer_t id;
	double start;
	int status;
	pid_t child;

	printf("no such clock: %s\n", clock_gettime(77, &time) ? strerror(errno) : "?");
	printf("resolution %d\n", clock_getres(CLOCK_MONOTONIC, &time) == 0 && time.tv_nsec == 1);
	start = now(CLOCK_MONOTONIC);
	time = (struct timespec){ 0, 30000000 };
	printf("nanosleep %d\n", nanosleep(&time, NULL));
	printf("long enough %d\n", now(CLOCK_MONOTONIC) - start >= 0.03);
	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += 10000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	printf("until %d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL));
	time = (struct timespec){ 0, 1000000000 };
	printf("wrong %s\n", nanosleep(&time, &left) ? strerror(errno) : "?");
	
	printf("times %d\n", times(&ticks) != (clock_t)-1);
	printf("set: %s\n", clock_settime(CLOCK_MONOTONIC, &time) ? strerror(errno) : "?");

	signal(SIGALRM, count);
	signal(SIGVTALRM, count);
	signal(SIGPROF, count);
	signal(SIGXCPU, count);
	setitimer(ITIMER_REAL, &timer, NULL);
	pause();
	printf("ITIMER_REAL %d\n", alarms);
	timer.it_interval = (struct timeval){ 0, 3000 };
	setitimer(ITIMER_REAL, &timer, NULL);
	while (alarms < 4)
		pause();
	getitimer(ITIMER_REAL, &old);
	printf("interval %ld\n", (long)old.it_interval.tv_usec);
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, &old);
	alarm(100);
	printf("alarm %u\n", alarm(0));

	timer.it_value = (struct timeval){ 0, 30000 };
	setitimer(ITIMER_VIRTUAL, &timer, NULL);
	setitimer(ITIMER_PROF, &timer, NULL);
	spin(0.1);
	printf("virtual %d prof %d\n", virtual_alarms, profiles);

	sigaction(SIGUSR1, &action, NULL);
	printf("timer_create %d\n", timer_create(CLOCK_MONOTONIC, &event, &id));
	timer_settime(id, 0, &spec, NULL);
	while (overrun < 5)
		pause();
	timer_gettime(id, &spec);
	printf("value %d interval %ld\n", timer_value, spec.it_interval.tv_nsec);
	printf("timer_delete %d %d\n", timer_delete(id), timer_delete(id));
	event = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread,
				   .sigev_value.sival_int = 44 };
	timer_create(CLOCK_REALTIME, &event, &id);
	spec = (struct itimerspec){ { 0, 0 }, { 0, 5000000 } };
	timer_settime(id, 0, &spec, NULL);
	for (int i = 0; i < 1000 && timer_value != 44; i++)
		usleep(1000);
	printf("thread %d\n", timer_value);
	timer_delete(id);
	fflush(stdout);

	child = fork();
	if (!child) {
		setrlimit(RLIMIT_CPU, &limit);
		spin(1.2);
		printf("limit of CPU time: told %d\n", exceeded);
		fflush(stdout);
		spin(100);
	}
	waitpid(child, &status, 0);
	printf("ended by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
	return 0;
}

/* expect 0
 * no such clock: Invalid argument
 * resolution 1
 * nanosleep 0
 * long enough 1
 * until 0
 * wrong Invalid argument
 * times 1
 * set: Invalid argument
 * ITIMER_REAL 1
 * interval 3000
 * alarm 100
 * virtual 1 prof 1
 * timer_create 0
 * value 33 interval 5000000
 * timer_delete 0 -1
 * thread 44
 * limit of CPU time: told 1
 * ended by 9
 */
