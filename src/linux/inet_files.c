/* SPDX-License-Identifier: MIT
 *
 * Files about the network that a program with sockets looks for: /etc/hosts, /etc/resolv.conf. The root's own are used;
 * what it lacks is made, as container engines do: the computer's own names, and the host's name servers.
 */
#include <stdio.h>
#include <string.h>

#include "linux/inet.h"
#include "linux/vfs.h"

enum { RESOLV_MAX = 16 * 1024 };

static bool is_missing(Kernel *kernel, const char *path)
{
	File *file;

	if (vfs_open_kernel(kernel, path, &file) < 0)
		return true;
	file_put(file);
	return false;
}

static Status add(Kernel *kernel, const char *path, const Buf *text)
{
	const GuestFile file = {.data = text->data, .len = text->len};

	return text->failed ? STATUS_NOMEM : vfs_add_file(kernel, path, &file, 0644);
}

static Status add_hosts(Kernel *kernel)
{
	Status status;
	Buf text;

	buf_init(&text);
	buf_str(&text, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
	buf_printf(&text, "127.0.1.1 %s\n", kernel->host_name);
	status = add(kernel, "/etc/hosts", &text);
	buf_fini(&text);
	return status;
}

static Status add_resolv(Kernel *kernel)
{
	FILE *file = fopen("/etc/resolv.conf", "re");
	Status status = STATUS_OK;
	char line[512];
	Buf text;

	if (!file)
		return STATUS_OK; /* then there are no name servers */
	buf_init(&text);
	while (text.len < RESOLV_MAX && fgets(line, sizeof(line), file))
		buf_str(&text, line);
	fclose(file);
	if (text.len)
		status = add(kernel, "/etc/resolv.conf", &text);
	buf_fini(&text);
	return status;
}

Status inet_add_files(Kernel *kernel)
{
	Status status = STATUS_OK;

	if (!kernel->net)
		return STATUS_OK;
	if (is_missing(kernel, "/etc/hosts"))
		status = add_hosts(kernel);
	if (!status && !kernel->net_loopback && is_missing(kernel, "/etc/resolv.conf"))
		status = add_resolv(kernel);
	return status;
}
