/* SPDX-License-Identifier: MIT
 *
 * poll, select, epoll (level, edge, once; with threads), eventfd, timerfd, signalfd. qemu: the same
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void polls(void)
{
	struct pollfd fds[4] = { { -1, POLLIN, 9 }, { 999, POLLIN, 0 } };
	int pipe_fds[2];
	long start = now_ms();
	char byte;

	CHECK(poll(fds, 1, 0) == 0 && fds[0].revents == 0);
	CHECK(poll(fds, 2, -1) == 1 && fds[1].revents == POLLNVAL);
	CHECK(poll(NULL, 0, 20) == 0 && now_ms() - start >= 20);
	CHECK(pipe(pipe_fds) == 0);
	fds[0] = (struct pollfd){ pipe_fds[0], POLLIN, 0 };
	fds[1] = (struct pollfd){ pipe_fds[1], POLLOUT, 0 };
	CHECK(poll(fds, 2, -1) == 1 && fds[0].revents == 0 && fds[1].revents == POLLOUT);
	if (fork() == 0) {
		usleep(10000);
		write(pipe_fds[1], "x", 1);
		_exit(0);
	}
	CHECK(poll(fds, 1, -1) == 1 && fds[0].revents == POLLIN);
	CHECK(read(pipe_fds[0], &byte, 1) == 1);
	wait(NULL);
	start = now_ms();
	CHECK(poll(fds, 1, 15) == 0 && now_ms() - start >= 15);
	FAILS(EFAULT, poll((void *)8, 1, 0));
	FAILS(EINVAL, poll(fds, 1 << 28, 0));
	close(pipe_fds[0]);
	CHECK(poll(fds + 1, 1, 0) == 1 && fds[1].revents == (POLLOUT | POLLERR));
	close(pipe_fds[1]);
}

static void selects(void)
{
	struct timeval time = { 0, 5000 };
	fd_set in, out;
	int fds[2];

	CHECK(pipe(fds) == 0);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(fds[0], &in);
	FD_SET(fds[1], &out);
	CHECK(select(fds[1] + 1, &in, &out, NULL, &time) == 1 && FD_ISSET(fds[1], &out) && !FD_ISSET(fds[0], &in));
	FD_SET(fds[0], &in);
	time = (struct timeval){ 0, 5000 };
	CHECK(select(fds[1] + 1, &in, NULL, NULL, &time) == 0 && !FD_ISSET(fds[0], &in));
	CHECK(write(fds[1], "a", 1) == 1);
	FD_SET(fds[0], &in);
	CHECK(select(fds[0] + 1, &in, NULL, NULL, NULL) == 1);
	close(fds[0]);
	close(fds[1]);
	FD_SET(fds[0], &in);
	FAILS(EBADF, select(fds[0] + 1, &in, NULL, NULL, &time));
	FAILS(EINVAL, select(-1, NULL, NULL, NULL, NULL));
	CHECK(select(0, NULL, NULL, NULL, &time) == 0);
}

static volatile int hits;

static void on_signal(int number)
{
	(void)number;
	hits++;
}

static void masks(void)
{
	struct timespec time = { 5, 0 };
	sigset_t blocked, none;

	signal(SIGUSR1, on_signal);
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGUSR1);
	CHECK(hits == 0);
	FAILS(EINTR, ppoll(NULL, 0, &time, &none));
	CHECK(hits == 1);
	sigprocmask(SIG_BLOCK, NULL, &none);
	CHECK(sigismember(&none, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

static void *waker(void *argument)
{
	usleep(5000);
	write(*(int *)argument, "thread", 6);
	return NULL;
}

static int epoll_add(int set, int fd, uint32_t events)
{
	struct epoll_event event = { events, { .u64 = 0x1234567800000000u + (unsigned)fd } };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static void epolls(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC), fds[2], nested = epoll_create1(0), copy;
	struct epoll_event events[8], event = { EPOLLIN | EPOLLONESHOT, { .u32 = 7 } };
	pthread_t thread;
	char bytes[100];

	CHECK(set >= 0 && pipe2(fds, O_NONBLOCK) == 0);
	CHECK(epoll_add(set, fds[0], EPOLLIN) == 0);
	FAILS(EEXIST, epoll_add(set, fds[0], EPOLLIN));
	FAILS(EBADF, epoll_add(set, 999, EPOLLIN));
	FAILS(EINVAL, epoll_add(set, set, EPOLLIN));
	FAILS(EINVAL, epoll_wait(set, events, 0, 0));
	FAILS(EINVAL, epoll_wait(fds[0], events, 1, 0));
	CHECK(epoll_wait(set, events, 8, 0) == 0);
	/* level: as long as it holds */
	write(fds[1], "ab", 2);
	CHECK(epoll_wait(set, events, 8, -1) == 1 && events[0].events == EPOLLIN);
	CHECK(events[0].data.u64 == 0x1234567800000000u + (unsigned)fds[0]);
	CHECK(epoll_wait(set, events, 8, 0) == 1);
	read(fds[0], bytes, 1);
	CHECK(epoll_wait(set, events, 8, 0) == 1);
	read(fds[0], bytes, 1);
	CHECK(epoll_wait(set, events, 8, 5) == 0);
	/* edge: once for each time something comes */
	event.events = EPOLLIN | EPOLLET;
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event) == 0);
	write(fds[1], "ab", 2);
	CHECK(epoll_wait(set, events, 8, 0) == 1 && epoll_wait(set, events, 8, 0) == 0);
	write(fds[1], "c", 1);
	CHECK(epoll_wait(set, events, 8, 0) == 1 && epoll_wait(set, events, 8, 5) == 0);
	read(fds[0], bytes, 100);
	/* once, until it is set anew */
	event.events = EPOLLIN | EPOLLONESHOT;
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event) == 0);
	write(fds[1], "d", 1);
	CHECK(epoll_wait(set, events, 8, 0) == 1 && epoll_wait(set, events, 8, 0) == 0);
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event) == 0);
	CHECK(epoll_wait(set, events, 8, 0) == 1 && events[0].data.u32 == 7);
	read(fds[0], bytes, 100);
	event.events = EPOLLIN;
	CHECK(epoll_ctl(set, EPOLL_CTL_MOD, fds[0], &event) == 0);
	/* another thread */
	pthread_create(&thread, NULL, waker, &fds[1]);
	CHECK(epoll_wait(set, events, 8, -1) == 1 && read(fds[0], bytes, 100) == 6);
	pthread_join(thread, NULL);
	/* a set in a set */
	CHECK(epoll_add(nested, set, EPOLLIN) == 0);
	FAILS(ELOOP, epoll_add(set, nested, EPOLLIN));
	CHECK(epoll_wait(nested, events, 8, 0) == 0);
	pthread_create(&thread, NULL, waker, &fds[1]);
	CHECK(epoll_wait(nested, events, 8, -1) == 1);
	pthread_join(thread, NULL);
	read(fds[0], bytes, 100);
	/* what is closed has left; a copy keeps it there */
	write(fds[1], "e", 1);
	copy = dup(fds[0]);
	close(fds[0]);
	CHECK(epoll_wait(set, events, 8, 0) == 1);
	close(copy);
	CHECK(epoll_wait(set, events, 8, 0) == 0);
	FAILS(EPERM, epoll_add(set, memfd_create("regular", 0), EPOLLIN));
	FAILS(ENOENT, epoll_ctl(set, EPOLL_CTL_DEL, fds[1], NULL));
	/* the end of the other side comes unasked */
	CHECK(pipe(fds) == 0 && epoll_add(set, fds[1], 0) == 0);
	CHECK(epoll_wait(set, events, 8, 0) == 0);
	close(fds[0]);
	CHECK(epoll_wait(set, events, 8, 0) == 1 && events[0].events == EPOLLERR);
}

static void *server(void *argument)
{
	struct epoll_event event;
	long sum = 0;

	while (epoll_wait(*(int *)argument, &event, 1, -1) == 1) {
		uint64_t value;

		if (read(event.data.fd, &value, 8) == 8) {
			if (value >= 1000)
				break;
			sum += value;
		}
	}
	return (void *)sum;
}

/* Four threads wait on one set; every count arrives once. */
static void crowd(void)
{
	int set = epoll_create1(0), fds[8];
	pthread_t threads[4];
	long sum = 0;

	for (int i = 0; i < 8; i++) {
		struct epoll_event event = { EPOLLIN, { .fd = fds[i] = eventfd(0, EFD_NONBLOCK) } };

		CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &event) == 0);
	}
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, server, &set);
	for (int i = 0; i < 400; i++)
		eventfd_write(fds[i % 8], 1);
	usleep(20000);
	for (int i = 0; i < 4; i++) {
		void *part;

		eventfd_write(fds[i], 1000);
		usleep(5000);
		(void)part;
	}
	for (int i = 0; i < 4; i++) {
		void *part;

		pthread_join(threads[i], &part);
		sum += (long)part;
	}
	CHECK(sum == 400);
}

static void eventfds(void)
{
	int fd = eventfd(3, EFD_NONBLOCK), counter = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
	struct pollfd one = { fd, POLLIN | POLLOUT, 0 };
	uint64_t value = 0;

	CHECK(poll(&one, 1, 0) == 1 && one.revents == (POLLIN | POLLOUT));
	CHECK(read(fd, &value, 8) == 8 && value == 3);
	FAILS(EAGAIN, read(fd, &value, 8));
	FAILS(EINVAL, read(fd, &value, 7));
	value = (uint64_t)-2;
	CHECK(write(fd, &value, 8) == 8);
	CHECK(poll(&one, 1, 0) == 1 && one.revents == POLLIN);
	value = 1;
	FAILS(EAGAIN, write(fd, &value, 8));
	value = (uint64_t)-1;
	FAILS(EINVAL, write(fd, &value, 8));
	CHECK(read(counter, &value, 8) == 8 && value == 1 && read(counter, &value, 8) == 8);
	FAILS(EAGAIN, read(counter, &value, 8));
	FAILS(EINVAL, eventfd(0, 0x100));
}

static void timerfds(void)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), set = epoll_create1(0);
	struct itimerspec time = { { 0, 5000000 }, { 0, 5000000 } }, left;
	struct epoll_event event;
	struct timespec now;
	uint64_t count = 0;

	FAILS(EAGAIN, read(fd, &count, 8));
	CHECK(timerfd_settime(fd, 0, &time, NULL) == 0 && timerfd_gettime(fd, &left) == 0);
	CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 5000000 && left.it_interval.tv_nsec == 5000000);
	CHECK(epoll_add(set, fd, EPOLLIN) == 0 && epoll_wait(set, &event, 1, -1) == 1);
	usleep(12000);
	CHECK(read(fd, &count, 8) == 8 && count >= 2);
	time = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	CHECK(timerfd_settime(fd, 0, &time, &left) == 0 && left.it_interval.tv_nsec == 5000000);
	CHECK(epoll_wait(set, &event, 1, 10) == 0);
	clock_gettime(CLOCK_MONOTONIC, &now);
	time.it_value = now;
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &time, NULL) == 0); /* it has come already */
	CHECK(epoll_wait(set, &event, 1, -1) == 1 && read(fd, &count, 8) == 8 && count == 1);
	fcntl(fd, F_SETFL, 0);
	time.it_value = (struct timespec){ 0, 3000000 };
	CHECK(timerfd_settime(fd, 0, &time, NULL) == 0 && read(fd, &count, 8) == 8 && count == 1);
	time.it_value.tv_nsec = 1000000000;
	FAILS(EINVAL, timerfd_settime(fd, 0, &time, NULL));
	FAILS(EINVAL, timerfd_create(77, 0));
	FAILS(EINVAL, timerfd_settime(set, 0, &left, NULL));
}

static void signalfds(void)
{
	struct signalfd_siginfo info;
	struct pollfd one;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	CHECK(fd >= 0);
	FAILS(EAGAIN, read(fd, &info, sizeof(info)));
	if (fork() == 0) {
		usleep(5000);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	one = (struct pollfd){ fd, POLLIN, 0 };
	CHECK(poll(&one, 1, -1) == 1 && read(fd, &info, sizeof(info)) == 128);
	CHECK(info.ssi_signo == SIGUSR2 && info.ssi_code == SI_USER && info.ssi_pid > 1);
	wait(NULL);
	FAILS(EINVAL, read(fd, &info, 100));
	close(fd);
}

int main(void)
{
	polls();
	selects();
	masks();
	epolls();
	eventfds();
	timerfds();
	signalfds();
	crowd();
	return check_end("polling");
}

/* expect 0
 * polling: all right
 */
