/* SPDX-License-Identifier: MIT
 *
 * Rules for Internet sockets (inet.h).
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/inet.h"

typedef enum Kind { KIND_BAD, KIND_NONE, KIND_ANY, KIND_LOOPBACK, KIND_OTHER } Kind;

static Kind kind_of_4(u32 address) /* host order */
{
	return !address ? KIND_ANY : address >> 24 == 127 ? KIND_LOOPBACK : KIND_OTHER;
}

static Kind kind_of_6(const u8 *address)
{
	static const u8 zero[15], mapped[12] = { [10] = 0xFF, [11] = 0xFF };

	if (!memcmp(address, mapped, sizeof(mapped)))
		return kind_of_4((u32)address[12] << 24 | (u32)address[13] << 16 | (u32)address[14] << 8 | address[15]);
	if (memcmp(address, zero, sizeof(zero)))
		return KIND_OTHER;
	return address[15] == 0 ? KIND_ANY : address[15] == 1 ? KIND_LOOPBACK : KIND_OTHER;
}

static Kind kind_of(i32 family, const u8 *name, u32 len)
{
	u16 said;

	if (len < sizeof(said))
		return KIND_BAD;
	memcpy(&said, name, sizeof(said));
	if (said == AF_UNSPEC)
		return KIND_NONE;
	if (said == AF_INET && len >= sizeof(struct sockaddr_in)) { /* an IPv6 socket takes none, says the host */
		struct sockaddr_in address;

		memcpy(&address, name, sizeof(address));
		return kind_of_4(ntohl(address.sin_addr.s_addr));
	}
	if (said == AF_INET6 && family == AF_INET6 && len >= sizeof(struct sockaddr_in6) - 4) {
		struct sockaddr_in6 address;

		memcpy(&address, name, sizeof(address));
		return kind_of_6(address.sin6_addr.s6_addr);
	}
	return KIND_BAD;
}

u32 inet_loopback(i32 family, u8 *name)
{
	struct sockaddr_in six_not = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (family == AF_INET6) {
		memcpy(name, &six, sizeof(six));
		return sizeof(six);
	}
	memcpy(name, &six_not, sizeof(six_not));
	return sizeof(six_not);
}

/* Any -> loopback, in the same form (also ::ffff:0.0.0.0); the port stays. */
static void to_loopback(u8 *name)
{
	u16 said;

	memcpy(&said, name, sizeof(said));
	if (said == AF_INET) {
		struct sockaddr_in address;

		memcpy(&address, name, sizeof(address));
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		memcpy(name, &address, sizeof(address));
	} else {
		struct sockaddr_in6 address;
		u8 *bytes = address.sin6_addr.s6_addr;

		memcpy(&address, name, sizeof(address));
		if (bytes[10])
			bytes[12] = 127;
		bytes[15] = 1;
		memcpy(name, &address, sizeof(address));
	}
}

i64 inet_may_bind(Kernel *kernel, i32 family, u8 *name, u32 len)
{
	Kind kind = kind_of(family, name, len);

	if (kind == KIND_BAD || kind == KIND_NONE)
		return kind == KIND_BAD ? -EINVAL : -EAFNOSUPPORT;
	if (!kernel->net_loopback || kind == KIND_LOOPBACK)
		return 0;
	if (kind == KIND_OTHER)
		return -EADDRNOTAVAIL;
	to_loopback(name);
	return 0;
}

i64 inet_may_reach(Kernel *kernel, i32 family, const u8 *name, u32 len)
{
	Kind kind = kind_of(family, name, len);

	if (kind == KIND_BAD)
		return -EINVAL;
	return kernel->net_loopback && kind == KIND_OTHER ? -ENETUNREACH : 0;
}

/* Those that are about this socket alone and whose values are numbers. */
bool inet_knows_option(i32 level, i32 name, bool set)
{
	switch (level) {
	case SOL_SOCKET:
		switch (name) {
		case SO_REUSEADDR:
		case SO_REUSEPORT:
		case SO_KEEPALIVE:
		case SO_BROADCAST:
		case SO_SNDBUF:
		case SO_RCVBUF:
		case SO_OOBINLINE:
		case SO_RCVLOWAT:
			return true;
		case SO_ERROR:
		case SO_ACCEPTCONN:
			return !set;
		default:
			return false;
		}
	case IPPROTO_TCP:
		switch (name) {
		case TCP_NODELAY:
		case TCP_MAXSEG:
		case TCP_CORK:
		case TCP_KEEPIDLE:
		case TCP_KEEPINTVL:
		case TCP_KEEPCNT:
		case TCP_SYNCNT:
		case TCP_DEFER_ACCEPT:
		case TCP_QUICKACK:
		case TCP_USER_TIMEOUT:
		case TCP_NOTSENT_LOWAT:
			return true;
		case TCP_INFO:
			return !set;
		default:
			return false;
		}
	case IPPROTO_IP:
		return name == IP_TOS || name == IP_TTL || name == IP_MTU_DISCOVER || name == IP_RECVERR ||
		       name == IP_MULTICAST_TTL || name == IP_MULTICAST_LOOP || name == IP_BIND_ADDRESS_NO_PORT ||
		       (name == IP_MTU && !set);
	case IPPROTO_IPV6:
		return name == IPV6_V6ONLY || name == IPV6_UNICAST_HOPS || name == IPV6_RECVERR ||
		       name == IPV6_MTU_DISCOVER || name == IPV6_TCLASS || name == IPV6_MULTICAST_HOPS ||
		       name == IPV6_MULTICAST_LOOP || (name == IPV6_MTU && !set);
	default:
		return false;
	}
}
