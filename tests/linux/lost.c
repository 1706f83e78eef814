/* A server and a client in one: a snapshot is taken while the client waits; afterwards all its connections are reset, and others can be
 * made. It prints:
 *
/// poll 1 err hup
/// read -1 Connection reset by peer
/// again 0
/// so_error 0 Connection reset by peer
/// so_error 0 Success
/// send -1 Broken pipe
/// peer -1 Transport endpoint is not connected
/// name 0 2 0
/// accept -1 Connection reset by peer
/// accept -1 Invalid argument
/// anew
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, name;
	socklen_t len = sizeof at;
	int s = socket(AF_INET, SOCK_STREAM, 0), c, d, error = 1;
	char b[8];
	if (bind(s, (void *)&at, sizeof at) || listen(s, 5) || getsockname(s, (void *)&at, &len)) return 1;
	c = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c, (void *)&at, sizeof at)) return 2;
	d = accept(s, 0, 0);
	if (write(d, "hello", 5) != 5 || read(c, b, 5) != 5) return 3;
	puts("connected"); fflush(stdout);
	int child = fork(); /* somebody must use up the instructions while this one waits */
	if (!child) for (;;) ;
	struct pollfd p = {c, POLLIN, 0};
	long n = poll(&p, 1, -1); /* nothing ever comes */
	printf("poll %ld %s%s\n", n, p.revents & POLLERR ? "err " : "", p.revents & POLLHUP ? "hup" : "");
	n = read(c, b, 5);
	printf("read %ld %s\n", n, strerror(errno));
	n = read(c, b, 5);
	printf("again %ld\n", n);
	len = sizeof error;
	for (int i = 0; i < 2; i++) {
		int result = getsockopt(d, SOL_SOCKET, SO_ERROR, &error, &len);

		printf("so_error %d %s\n", result, strerror(error));
	}
	n = send(d, "x", 1, MSG_NOSIGNAL);
	printf("send %ld %s\n", n, strerror(errno));
	len = sizeof name;
	printf("peer %d %s\n", getpeername(c, (void *)&name, &len), strerror(errno));
	len = sizeof name;
	printf("name %d %d %d\n", getsockname(c, (void *)&name, &len), name.sin_family, name.sin_port);
	n = accept(s, 0, 0);
	printf("accept %ld %s\n", n, strerror(errno));
	n = accept(s, 0, 0);
	printf("accept %ld %s\n", n, strerror(errno));
	close(s); close(c); close(d);
	s = socket(AF_INET, SOCK_STREAM, 0);
	at.sin_port = 0;
	len = sizeof at;
	if (s < 0) { printf("socket %s\n", strerror(errno)); kill(child, SIGKILL); return 0; }
	if (bind(s, (void *)&at, sizeof at) || listen(s, 5) || getsockname(s, (void *)&at, &len)) return 4;
	c = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(c, (void *)&at, sizeof at) || write(c, "anew", 5) != 5 || read(accept(s, 0, 0), b, 5) != 5) return 5;
	puts(b);
	kill(child, SIGKILL);
	return 0;
}
