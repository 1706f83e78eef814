/* SPDX-License-Identifier: MIT
 *
 * Pseudo-terminals: lines, echo, erasing, raw bytes, signals of the keyboard, sessions, sizes, ends.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"

/* What the master reads is this. */
static int shows(int master, const char *text)
{
	char bytes[200] = "";
	ssize_t got = read(master, bytes, sizeof(bytes) - 1);

	if (got == (ssize_t)strlen(text) && !memcmp(bytes, text, got))
		return 1;
	printf("shows:");
	for (ssize_t i = 0; i < got; i++)
		printf(" %02x", (unsigned char)bytes[i]);
	printf("\n");
	return 0;
}

int main(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, status, pending;
	struct winsize size = { 30, 100, 0, 0 };
	struct termios mode;
	struct stat stats[2];
	char bytes[100] = "", name[64];
	pid_t child;

	CHECK(master >= 0 && ptsname_r(master, name, sizeof(name)) == 0 && !strncmp(name, "/dev/pts/", 9));
	FAILS(EIO, open(name, O_RDWR | O_NOCTTY)); /* locked */
	CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	CHECK(slave >= 0 && isatty(slave) && isatty(master) && !strcmp(ttyname(slave), name));
	CHECK(stat(name, &stats[0]) == 0 && fstat(slave, &stats[1]) == 0 && stats[0].st_rdev == stats[1].st_rdev);
	CHECK(stats[0].st_ino == stats[1].st_ino && S_ISCHR(stats[0].st_mode));
	/* lines */
	CHECK(write(master, "hel", 3) == 3);
	FAILS(EAGAIN, read(slave, bytes, 100));
	CHECK(write(master, "x\177lo\rnext\n", 10) == 10);
	CHECK(ioctl(slave, FIONREAD, &pending) == 0 && pending == 11);
	CHECK(read(slave, bytes, 100) == 6 && !memcmp(bytes, "hello\n", 6));
	CHECK(read(slave, bytes, 2) == 2 && read(slave, bytes, 100) == 3 && !memcmp(bytes, "xt\n", 3));
	CHECK(shows(master, "helx\b \blo\r\nnext\r\n"));
	CHECK(write(master, "gone\025\004", 6) == 6 && read(slave, bytes, 100) == 0); /* ^U ^D */
	CHECK(read(master, bytes, 100) > 0);
	CHECK(write(slave, "a\nb", 3) == 3 && shows(master, "a\r\nb"));
	/* raw */
	CHECK(tcgetattr(slave, &mode) == 0 && (mode.c_lflag & ICANON));
	cfmakeraw(&mode);
	CHECK(tcsetattr(slave, TCSANOW, &mode) == 0);
	CHECK(write(master, "r\003\r", 3) == 3 && read(slave, bytes, 100) == 3 && !memcmp(bytes, "r\003\r", 3));
	CHECK(write(slave, "\n", 1) == 1 && shows(master, "\n"));
	mode.c_lflag |= ICANON | ISIG | ECHO;
	CHECK(tcsetattr(slave, TCSAFLUSH, &mode) == 0);
	CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
	size.ws_row = 0;
	CHECK(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 30 && size.ws_col == 100);
	/* a session of its own, with the keyboard's signals */
	child = fork();
	if (!child) {
		int own;

		setsid();
		own = open(name, O_RDWR);
		if (tcgetpgrp(own) != getpid() || open("/dev/tty", O_RDWR) < 0)
			_exit(1);
		write(own, "ready", 5);
		read(own, bytes, 100);
		_exit(2);
	}
	close(slave);
	CHECK(read(master, bytes, 5) == 5 && !memcmp(bytes, "ready", 5));
	CHECK(write(master, "\003", 1) == 1);
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	/* the other end's going */
	struct pollfd one = { master, POLLIN, 0 };
	CHECK(poll(&one, 1, -1) == 1 && one.revents & POLLHUP);
	while (read(master, bytes, 100) > 0)
		;
	FAILS(EIO, read(master, bytes, 100));
	slave = open(name, O_RDWR | O_NOCTTY);
	close(master);
	CHECK(read(slave, bytes, 100) == 0);
	FAILS(EIO, write(slave, "x", 1));
	close(slave);
	FAILS(ENOENT, open(name, O_RDWR));
	return check_end("terminals");
}

/* expect 0
 * terminals: all right
 */
