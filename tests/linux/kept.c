/* SPDX-License-Identifier: MIT
 *
 * Has one of each thing that the kernel keeps, all at once, and looks at the end whether each is as it was: what snapshots in
 * between must not change.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAY(...) (printf(__VA_ARGS__), fflush(stdout))

static volatile int fired;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void on_timer(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	fired += info->si_value.sival_int;
}

static void *in_turn(void *own)
{
	for (int round = 0; round < 20; round++) {
		pthread_mutex_lock(&lock);
		while (turn % 3 != (int)(long)own)
			pthread_cond_wait(&changed, &lock);
		turn++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void send_file(int socket, int fd)
{
	char byte = 'f', room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec piece = {&byte, 1};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof fd);
	sendmsg(socket, &message, 0);
}

static int receive_file(int socket)
{
	char byte, room[CMSG_SPACE(sizeof(int))];
	struct iovec piece = {&byte, 1};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	int fd = -1;

	if (recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	return fd;
}

static void child(int *shared, int listener)
{
	struct sockaddr_un name = {AF_UNIX, "/tmp/kept/socket"};
	int client = socket(AF_UNIX, SOCK_STREAM, 0), fifo;
	char text[20] = "";

	(void)listener;
	connect(client, (struct sockaddr *)&name, sizeof name);
	write(client, "hello", 5);
	fifo = open("/tmp/kept/fifo", O_RDONLY); /* until the parent opens it */
	read(fifo, text, 19);
	for (int i = 0; i < 3000; i++)
		shared[i % 1000] += i;
	SAY("child: %s\n", text);
	_exit(shared[0] & 127);
}

int main(void)
{
	struct sockaddr_un name = {AF_UNIX, "/tmp/kept/socket"};
	struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 1};
	struct itimerspec often = {{0, 2000000}, {0, 2000000}}, once = {{0, 0}, {0, 30000000}}, never = {{0}};
	struct epoll_event watch = {.events = EPOLLIN, .data.u64 = 7}, inner = {.events = EPOLLIN | EPOLLET, .data.u64 = 9}, got[4];
	struct flock record = {.l_type = F_WRLCK, .l_start = 10, .l_len = 20};
	int *shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), file, memory, pair[2], names = 0;
	int count, event_fd, timer_fd, signal_fd, sets[2], listener, accepted, fifo, passed, status, locked, old;
	pthread_t threads[3];
	char text[100], *mapped, *private;
	struct dirent *entry;
	unsigned long sum = 0;
	struct statvfs space;
	struct stat info;
	sigset_t set;
	timer_t timer;
	u_int64_t value;
	pid_t pid;
	DIR *dir;

	mkdir("/tmp/kept", 0700);
	chdir("/tmp/kept");
	mkdir("gone", 0700);
	mkfifo("fifo", 0600);
	for (int i = 0; i < 12; i++) {
		sprintf(text, "name%d", i);
		close(open(text, O_CREAT | O_WRONLY, 0640));
	}
	link("name3", "also");
	symlink("name4", "points");
	/* A file: mapped in both ways, locked, and its name is gone. */
	file = open("mapped", O_RDWR | O_CREAT, 0600);
	ftruncate(file, 3 * 4096);
	pwrite(file, "begin", 5, 4096);
	mapped = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	private = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	strcpy(mapped + 5000, "shared");
	private[4096] = 'B';
	fcntl(file, F_SETLK, &record);
	locked = open("name1", O_RDONLY);
	flock(locked, LOCK_EX);
	unlink("mapped");
	memory = memfd_create("kept", 0);
	write(memory, "in memory", 9);
	/* Numbers, sets of files, sockets. */
	event_fd = eventfd(3, EFD_NONBLOCK);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	timerfd_settime(timer_fd, 0, &once, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_NONBLOCK);
	kill(getpid(), SIGUSR2);
	sets[0] = epoll_create1(0);
	sets[1] = epoll_create1(0);
	epoll_ctl(sets[1], EPOLL_CTL_ADD, event_fd, &inner);
	epoll_ctl(sets[0], EPOLL_CTL_ADD, sets[1], &watch);
	watch.data.u64 = 8;
	epoll_ctl(sets[0], EPOLL_CTL_ADD, timer_fd, &watch);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
	write(pair[0], "one", 3);
	write(pair[0], "three", 5);
	send_file(pair[0], memory);
	close(memory);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(listener, (struct sockaddr *)&name, sizeof name);
	listen(listener, 5);
	/* A timer, a child, threads that wait for each other; and in the midst of a folder. */
	sigaction(SIGRTMIN + 1, &action, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	pid = fork();
	if (!pid)
		child(shared, listener);
	for (long i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, in_turn, (void *)i);
	chdir("gone");
	rmdir("/tmp/kept/gone");
	dir = opendir("/tmp/kept");
	for (int i = 0; i < 5; i++)
		readdir(dir);
	old = umask(027);
	for (int i = 0; i < 30000; i++)
		sum = sum * 31 + i;
	/* And now all of it. */
	fifo = open("/tmp/kept/fifo", O_WRONLY);
	write(fifo, "through the fifo", 16);
	waitpid(pid, &status, 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	while ((entry = readdir(dir)))
		names++;
	SAY("%d turns, %d names more, sum %lu\n", turn, names, sum);
	SAY("shared %d, %d; child %d; mapped %s %.5s %c\n", shared[0], shared[999], WEXITSTATUS(status), mapped + 5000, mapped + 4096,
	    private[4096]);
	fstat(file, &info);
	SAY("its file has %ld bytes and %ld names\n", (long)info.st_size, (long)info.st_nlink);
	pid = fork();
	if (!pid) {
		record.l_type = F_WRLCK;
		fcntl(file, F_GETLK, &record);
		SAY("locked %ld %ld, %s\n", (long)record.l_start, (long)record.l_len,
		    flock(open("/tmp/kept/name1", O_RDONLY), LOCK_EX | LOCK_NB) ? "and the other, too" : "not the other");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	accepted = accept(listener, NULL, NULL);
	text[read(accepted, text, 99)] = 0;
	SAY("accepted: %s\n", text);
	text[read(pair[1], text, 99)] = 0;
	SAY("messages: %s", text);
	text[read(pair[1], text, 99)] = 0;
	passed = receive_file(pair[1]);
	SAY(" %s", text);
	text[pread(passed, text, 99, 0)] = 0;
	SAY(", a file: %s at %ld\n", text, (long)lseek(passed, 0, SEEK_CUR));
	usleep(40000);
	count = epoll_wait(sets[0], got, 4, 0);
	SAY("%d watched: %d\n", count, (int)(got[0].data.u64 + got[1].data.u64));
	read(event_fd, &value, 8);
	SAY("event %d, ", (int)value);
	read(timer_fd, &value, 8);
	SAY("timer %d, ", (int)value);
	SAY("signal %s\n", read(signal_fd, text, 100) < 0 && read(signal_fd, (char[128]){0}, 128) == 128 ? "USR2" : "none");
	timer_settime(timer, 0, &never, NULL);
	SAY("the timer %s; umask %o; %s\n", fired > 3 ? "fired" : "did not fire", umask(old),
	    getcwd(text, sizeof text) ? text : "the folder is gone");
	text[readlink("/tmp/kept/points", text, 99)] = 0;
	stat("/tmp/kept/also", &info);
	statvfs("/tmp", &space);
	SAY("%lu blocks are free\n", (unsigned long)space.f_bfree);
	SAY("%s, %d links, mode %o\n", text, (int)info.st_nlink, info.st_mode & 0777);
	return 4;
}
