/* SPDX-License-Identifier: MIT
 *
 * The numbers of Linux (UAPI, asm-generic) in words.
 */
#include <stdio.h>

#include "linux/strace.h"

#define END {0, NULL}

static const char *const errnos[] = {
	NULL, "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD", "EAGAIN", "ENOMEM",
	"EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV", "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE",
	"ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC", "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK",
	"ENAMETOOLONG", "ENOLCK", "ENOSYS", "ENOTEMPTY", "ELOOP", NULL, "ENOMSG", "EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT",
	"EL3RST", "ELNRNG", "EUNATCH", "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO", "EBADRQC", "EBADSLT", NULL,
	"EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET", "ENOPKG", "EREMOTE", "ENOLINK", "EADV", "ESRMNT", "ECOMM",
	"EPROTO", "EMULTIHOP", "EDOTDOT", "EBADMSG", "EOVERFLOW", "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD",
	"ELIBSCN", "ELIBMAX", "ELIBEXEC", "EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK", "EDESTADDRREQ", "EMSGSIZE",
	"EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "EOPNOTSUPP", "EPFNOSUPPORT", "EAFNOSUPPORT",
	"EADDRINUSE", "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH", "ENETRESET", "ECONNABORTED", "ECONNRESET", "ENOBUFS",
	"EISCONN", "ENOTCONN", "ESHUTDOWN", "ETOOMANYREFS", "ETIMEDOUT", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH",
	"EALREADY", "EINPROGRESS", "ESTALE", "EUCLEAN", "ENOTNAM", "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT", "ENOMEDIUM",
	"EMEDIUMTYPE", "ECANCELED", "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED", "EKEYREJECTED", "EOWNERDEAD", "ENOTRECOVERABLE",
	"ERFKILL", "EHWPOISON",
};

static const char *const signals[] = {
	NULL, "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR",
	"SYS",
};

const char *strace_errno(u64 number)
{
	return number < COUNT_OF(errnos) ? errnos[number] : NULL;
}

void strace_signal_name(i64 number, Buf *out)
{
	if (number > 0 && (u64)number < COUNT_OF(signals))
		buf_printf(out, "SIG%s", signals[number]);
	else if (number >= 32 && number <= 64)
		buf_printf(out, "SIGRT_%d", (int)number - 32);
	else
		buf_printf(out, "%lld", (long long)number);
}

void strace_signal_set(u64 set, Buf *out)
{
	unsigned count = (unsigned)__builtin_popcountll(set);
	bool first = true;

	if (count > 32) { /* what is missing is shorter */
		buf_byte(out, '~');
		set = ~set;
	}
	buf_byte(out, '[');
	for (unsigned i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		if (!first)
			buf_byte(out, ' ');
		first = false;
		if (i + 1 < COUNT_OF(signals))
			buf_str(out, signals[i + 1]);
		else
			buf_printf(out, "RT_%u", i - 31);
	}
	buf_byte(out, ']');
}

/* ---- Codes of signals ---- */

static const StraceFlag codes_all[] = {
	{0, "SI_USER"}, {0x80, "SI_KERNEL"}, {(u64)-1, "SI_QUEUE"}, {(u64)-2, "SI_TIMER"}, {(u64)-3, "SI_MESGQ"},
	{(u64)-4, "SI_ASYNCIO"}, {(u64)-6, "SI_TKILL"}, END};
static const StraceFlag codes_ill[] = {{1, "ILL_ILLOPC"}, {2, "ILL_ILLOPN"}, {3, "ILL_ILLADR"}, {4, "ILL_ILLTRP"},
				       {5, "ILL_PRVOPC"}, {6, "ILL_PRVREG"}, END};
static const StraceFlag codes_fpe[] = {{1, "FPE_INTDIV"}, {2, "FPE_INTOVF"}, {3, "FPE_FLTDIV"}, END};
static const StraceFlag codes_segv[] = {{1, "SEGV_MAPERR"}, {2, "SEGV_ACCERR"}, END};
static const StraceFlag codes_bus[] = {{1, "BUS_ADRALN"}, {2, "BUS_ADRERR"}, {3, "BUS_OBJERR"}, END};
static const StraceFlag codes_trap[] = {{1, "TRAP_BRKPT"}, {2, "TRAP_TRACE"}, END};
static const StraceFlag codes_chld[] = {{1, "CLD_EXITED"}, {2, "CLD_KILLED"}, {3, "CLD_DUMPED"}, {4, "CLD_TRAPPED"},
					{5, "CLD_STOPPED"}, {6, "CLD_CONTINUED"}, END};

static const char *name_of(const StraceFlag *flags, u64 value)
{
	for (; flags && flags->name; flags++)
		if (flags->value == value)
			return flags->name;
	return NULL;
}

void strace_signal_code(i32 number, i32 code, Buf *out)
{
	static const StraceFlag *const own[32] = {
		[4] = codes_ill, [5] = codes_trap, [7] = codes_bus, [8] = codes_fpe, [11] = codes_segv, [17] = codes_chld};
	const char *name = number > 0 && number < 32 ? name_of(own[number], (u64)(i64)code) : NULL;

	if (!name)
		name = name_of(codes_all, (u64)(i64)code);
	if (name)
		buf_str(out, name);
	else
		buf_printf(out, "%d", code);
}

/* ---- Choices: one of these ---- */

static const StraceFlag whence[] = {{0, "SEEK_SET"}, {1, "SEEK_CUR"}, {2, "SEEK_END"}, {3, "SEEK_DATA"}, {4, "SEEK_HOLE"},
				    END};
static const StraceFlag how[] = {{0, "SIG_BLOCK"}, {1, "SIG_UNBLOCK"}, {2, "SIG_SETMASK"}, END};
static const StraceFlag clocks[] = {
	{0, "CLOCK_REALTIME"}, {1, "CLOCK_MONOTONIC"}, {2, "CLOCK_PROCESS_CPUTIME_ID"}, {3, "CLOCK_THREAD_CPUTIME_ID"},
	{4, "CLOCK_MONOTONIC_RAW"}, {5, "CLOCK_REALTIME_COARSE"}, {6, "CLOCK_MONOTONIC_COARSE"}, {7, "CLOCK_BOOTTIME"},
	{8, "CLOCK_REALTIME_ALARM"}, {9, "CLOCK_BOOTTIME_ALARM"}, {11, "CLOCK_TAI"}, END};
static const StraceFlag commands[] = {
	{0, "F_DUPFD"}, {1, "F_GETFD"}, {2, "F_SETFD"}, {3, "F_GETFL"}, {4, "F_SETFL"}, {5, "F_GETLK"}, {6, "F_SETLK"},
	{7, "F_SETLKW"}, {8, "F_SETOWN"}, {9, "F_GETOWN"}, {10, "F_SETSIG"}, {11, "F_GETSIG"}, {15, "F_SETOWN_EX"},
	{16, "F_GETOWN_EX"}, {36, "F_OFD_GETLK"}, {37, "F_OFD_SETLK"}, {38, "F_OFD_SETLKW"}, {1024, "F_SETLEASE"},
	{1025, "F_GETLEASE"}, {1026, "F_NOTIFY"}, {1030, "F_DUPFD_CLOEXEC"}, {1031, "F_SETPIPE_SZ"}, {1032, "F_GETPIPE_SZ"},
	{1033, "F_ADD_SEALS"}, {1034, "F_GET_SEALS"}, END};
static const StraceFlag requests[] = {
	{0x5401, "TCGETS"}, {0x5402, "TCSETS"}, {0x5403, "TCSETSW"}, {0x5404, "TCSETSF"}, {0x5409, "TCSBRK"},
	{0x540A, "TCXONC"}, {0x540B, "TCFLSH"}, {0x540E, "TIOCSCTTY"}, {0x540F, "TIOCGPGRP"}, {0x5410, "TIOCSPGRP"},
	{0x5411, "TIOCOUTQ"}, {0x5413, "TIOCGWINSZ"}, {0x5414, "TIOCSWINSZ"}, {0x541B, "FIONREAD"}, {0x5421, "FIONBIO"},
	{0x5422, "TIOCNOTTY"}, {0x5429, "TIOCGSID"}, {0x5450, "FIONCLEX"}, {0x5451, "FIOCLEX"}, {0x5452, "FIOASYNC"},
	{0x80045430, "TIOCGPTN"}, {0x40045431, "TIOCSPTLCK"}, {0x40049409, "FICLONE"}, END};
static const StraceFlag resources[] = {
	{0, "RLIMIT_CPU"}, {1, "RLIMIT_FSIZE"}, {2, "RLIMIT_DATA"}, {3, "RLIMIT_STACK"}, {4, "RLIMIT_CORE"}, {5, "RLIMIT_RSS"},
	{6, "RLIMIT_NPROC"}, {7, "RLIMIT_NOFILE"}, {8, "RLIMIT_MEMLOCK"}, {9, "RLIMIT_AS"}, {10, "RLIMIT_LOCKS"},
	{11, "RLIMIT_SIGPENDING"}, {12, "RLIMIT_MSGQUEUE"}, {13, "RLIMIT_NICE"}, {14, "RLIMIT_RTPRIO"}, {15, "RLIMIT_RTTIME"},
	END};
static const StraceFlag epoll_ops[] = {{1, "EPOLL_CTL_ADD"}, {2, "EPOLL_CTL_DEL"}, {3, "EPOLL_CTL_MOD"}, END};
static const StraceFlag families[] = {{0, "AF_UNSPEC"}, {1, "AF_UNIX"}, {2, "AF_INET"}, {10, "AF_INET6"}, {16, "AF_NETLINK"},
				      {17, "AF_PACKET"}, END};
static const StraceFlag advices[] = {
	{0, "MADV_NORMAL"}, {1, "MADV_RANDOM"}, {2, "MADV_SEQUENTIAL"}, {3, "MADV_WILLNEED"}, {4, "MADV_DONTNEED"},
	{8, "MADV_FREE"}, {9, "MADV_REMOVE"}, {10, "MADV_DONTFORK"}, {11, "MADV_DOFORK"}, {14, "MADV_HUGEPAGE"},
	{15, "MADV_NOHUGEPAGE"}, {16, "MADV_DONTDUMP"}, {17, "MADV_DODUMP"}, {18, "MADV_WIPEONFORK"}, {20, "MADV_COLD"},
	{21, "MADV_PAGEOUT"}, {22, "MADV_POPULATE_READ"}, {23, "MADV_POPULATE_WRITE"}, END};
static const StraceFlag prctls[] = {
	{1, "PR_SET_PDEATHSIG"}, {2, "PR_GET_PDEATHSIG"}, {3, "PR_GET_DUMPABLE"}, {4, "PR_SET_DUMPABLE"}, {15, "PR_SET_NAME"},
	{16, "PR_GET_NAME"}, {22, "PR_SET_SECCOMP"}, {23, "PR_CAPBSET_READ"}, {36, "PR_SET_CHILD_SUBREAPER"},
	{38, "PR_SET_NO_NEW_PRIVS"}, {39, "PR_GET_NO_NEW_PRIVS"}, {0x53564d41, "PR_SET_VMA"}, END};
static const StraceFlag futex_ops[] = {
	{0, "FUTEX_WAIT"}, {1, "FUTEX_WAKE"}, {3, "FUTEX_REQUEUE"}, {4, "FUTEX_CMP_REQUEUE"}, {5, "FUTEX_WAKE_OP"},
	{6, "FUTEX_LOCK_PI"}, {7, "FUTEX_UNLOCK_PI"}, {8, "FUTEX_TRYLOCK_PI"}, {9, "FUTEX_WAIT_BITSET"},
	{10, "FUTEX_WAKE_BITSET"}, {11, "FUTEX_WAIT_REQUEUE_PI"}, {12, "FUTEX_CMP_REQUEUE_PI"}, END};

static const StraceFlag *choice(char letter)
{
	switch (letter) {
	case 'L': return whence;
	case 'h': return how;
	case 'y': return clocks;
	case 'D': return commands;
	case 'r': return requests;
	case 'R': return resources;
	case 'E': return epoll_ops;
	case 'K': return families;
	case 'B': return advices;
	case 'V': return prctls;
	default: return NULL;
	}
}

static void futex_op(u64 value, Buf *out)
{
	enum { PRIVATE = 128, REALTIME = 256 };
	const char *name = name_of(futex_ops, value & ~(u64)(PRIVATE | REALTIME));

	if (!name) {
		buf_printf(out, "%#llx", (unsigned long long)value);
		return;
	}
	buf_printf(out, "%s%s%s", name, value & PRIVATE ? "_PRIVATE" : "", value & REALTIME ? "|FUTEX_CLOCK_REALTIME" : "");
}

bool strace_choice(char letter, u64 value, Buf *out)
{
	const StraceFlag *names = choice(letter);
	const char *name;

	if (letter == 'F') {
		futex_op(value, out);
		return true;
	}
	if (!names)
		return false;
	name = name_of(names, value);
	if (name)
		buf_str(out, name);
	else
		buf_printf(out, letter == 'r' ? "%#llx" : "%lld", (unsigned long long)value);
	return true;
}

/* ---- Sets of flags. Names of several bits come before those of their parts ---- */

static const StraceFlag open_flags[] = {
	{0100, "O_CREAT"}, {0200, "O_EXCL"}, {0400, "O_NOCTTY"}, {01000, "O_TRUNC"}, {02000, "O_APPEND"}, {04000, "O_NONBLOCK"},
	{04010000, "O_SYNC"}, {010000, "O_DSYNC"}, {020000, "O_ASYNC"}, {040000, "O_DIRECT"}, {0100000, "O_LARGEFILE"},
	{020200000, "O_TMPFILE"}, {0200000, "O_DIRECTORY"}, {0400000, "O_NOFOLLOW"}, {01000000, "O_NOATIME"},
	{02000000, "O_CLOEXEC"}, {010000000, "O_PATH"}, END};
static const StraceFlag prot_flags[] = {{1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}, {0x01000000, "PROT_GROWSDOWN"},
					END};
static const StraceFlag map_flags[] = {
	{3, "MAP_SHARED_VALIDATE"}, {1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {0x10, "MAP_FIXED"}, {0x20, "MAP_ANONYMOUS"},
	{0x100, "MAP_GROWSDOWN"}, {0x800, "MAP_DENYWRITE"}, {0x2000, "MAP_LOCKED"}, {0x4000, "MAP_NORESERVE"},
	{0x8000, "MAP_POPULATE"}, {0x10000, "MAP_NONBLOCK"}, {0x20000, "MAP_STACK"}, {0x40000, "MAP_HUGETLB"},
	{0x100000, "MAP_FIXED_NOREPLACE"}, END};
static const StraceFlag at_flags[] = {
	{0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_REMOVEDIR"}, {0x400, "AT_SYMLINK_FOLLOW"}, {0x800, "AT_NO_AUTOMOUNT"},
	{0x1000, "AT_EMPTY_PATH"}, END};
static const StraceFlag clone_flags[] = {
	{0x100, "CLONE_VM"}, {0x200, "CLONE_FS"}, {0x400, "CLONE_FILES"}, {0x800, "CLONE_SIGHAND"}, {0x2000, "CLONE_PTRACE"},
	{0x4000, "CLONE_VFORK"}, {0x8000, "CLONE_PARENT"}, {0x10000, "CLONE_THREAD"}, {0x20000, "CLONE_NEWNS"},
	{0x40000, "CLONE_SYSVSEM"}, {0x80000, "CLONE_SETTLS"}, {0x100000, "CLONE_PARENT_SETTID"},
	{0x200000, "CLONE_CHILD_CLEARTID"}, {0x400000, "CLONE_DETACHED"}, {0x800000, "CLONE_UNTRACED"},
	{0x1000000, "CLONE_CHILD_SETTID"}, END};
static const StraceFlag wait_flags[] = {{1, "WNOHANG"}, {2, "WUNTRACED"}, {4, "WEXITED"}, {8, "WCONTINUED"},
					{0x01000000, "WNOWAIT"}, {0x20000000, "__WNOTHREAD"}, {0x40000000, "__WALL"},
					{0x80000000, "__WCLONE"}, END};
static const StraceFlag poll_flags[] = {{1, "POLLIN"}, {2, "POLLPRI"}, {4, "POLLOUT"}, {8, "POLLERR"}, {16, "POLLHUP"},
					{32, "POLLNVAL"}, {0x40, "POLLRDNORM"}, {0x80, "POLLRDBAND"}, {0x100, "POLLWRNORM"},
					{0x2000, "POLLRDHUP"}, END};
static const StraceFlag epoll_flags[] = {{1, "EPOLLIN"}, {2, "EPOLLPRI"}, {4, "EPOLLOUT"}, {8, "EPOLLERR"}, {16, "EPOLLHUP"},
					 {0x40, "EPOLLRDNORM"}, {0x2000, "EPOLLRDHUP"}, {0x10000000, "EPOLLEXCLUSIVE"},
					 {0x40000000, "EPOLLONESHOT"}, {0x80000000, "EPOLLET"}, END};
static const StraceFlag sa_flags[] = {{1, "SA_NOCLDSTOP"}, {2, "SA_NOCLDWAIT"}, {4, "SA_SIGINFO"}, {0x04000000, "SA_RESTORER"},
				      {0x08000000, "SA_ONSTACK"}, {0x10000000, "SA_RESTART"}, {0x40000000, "SA_NODEFER"},
				      {0x80000000, "SA_RESETHAND"}, END};
static const StraceFlag random_flags[] = {{1, "GRND_NONBLOCK"}, {2, "GRND_RANDOM"}, {4, "GRND_INSECURE"}, END};
static const StraceFlag access_flags[] = {{4, "R_OK"}, {2, "W_OK"}, {1, "X_OK"}, END};

static const StraceFlag *flags_of(char letter, const char **none)
{
	*none = "0";
	switch (letter) {
	case 'P': *none = "PROT_NONE"; return prot_flags;
	case 'M': return map_flags;
	case 'n': return at_flags;
	case 'c': return clone_flags;
	case 'W': return wait_flags;
	case '1': return poll_flags;
	case '2': return epoll_flags;
	case '3': return sa_flags;
	case 'G': return random_flags;
	case 'X': *none = "F_OK"; return access_flags;
	default: return NULL;
	}
}

static void add_flags(const StraceFlag *flags, u64 value, const char *none, Buf *out)
{
	bool first = true;

	for (; flags->name; flags++) {
		if ((value & flags->value) != flags->value)
			continue;
		buf_printf(out, "%s%s", first ? "" : "|", flags->name);
		value &= ~flags->value;
		first = false;
	}
	if (value)
		buf_printf(out, "%s%#llx", first ? "" : "|", (unsigned long long)value);
	else if (first)
		buf_str(out, none);
}

bool strace_flags(char letter, u64 value, Buf *out)
{
	static const char *const access[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
	const char *none;
	const StraceFlag *flags = flags_of(letter, &none);

	if (letter == 'O') {
		buf_str(out, access[value & 3]);
		if (value & ~(u64)3)
			buf_byte(out, '|');
		if (value & ~(u64)3)
			add_flags(open_flags, value & ~(u64)3, "0", out);
		return true;
	}
	if (letter == 'Y') { /* type of a socket: a choice and flags */
		static const char *const types[] = {NULL, "SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", NULL, "SOCK_SEQPACKET"};
		const u64 type = value & 15;

		if (type < COUNT_OF(types) && types[type])
			buf_str(out, types[type]);
		else
			buf_printf(out, "%llu", (unsigned long long)type);
		buf_printf(out, "%s%s", value & 02000000 ? "|SOCK_CLOEXEC" : "", value & 04000 ? "|SOCK_NONBLOCK" : "");
		return true;
	}
	if (letter == 'c') { /* clone: the signal stands in the low byte */
		add_flags(flags, value & ~(u64)255, "", out);
		if (value & 255) {
			if (value & ~(u64)255)
				buf_byte(out, '|');
			strace_signal_name((i64)(value & 255), out);
		} else if (!(value & ~(u64)255)) {
			buf_byte(out, '0');
		}
		return true;
	}
	if (!flags)
		return false;
	add_flags(flags, value, none, out);
	return true;
}

/* ---- Texts ---- */

void strace_text(const u8 *bytes, size_t len, size_t limit, Buf *out)
{
	size_t shown = len < limit ? len : limit;

	buf_byte(out, '"');
	for (size_t i = 0; i < shown; i++) {
		const u8 byte = bytes[i];
		static const char escapes[] = "\a\b\t\n\v\f\r", letters[] = "abtnvfr";

		if (byte == '"' || byte == '\\')
			buf_printf(out, "\\%c", byte);
		else if (byte >= 7 && byte <= 13)
			buf_printf(out, "\\%c", letters[byte - (u8)escapes[0]]);
		else if (byte >= 32 && byte < 127)
			buf_byte(out, byte);
		else if (i + 1 < shown && bytes[i + 1] >= '0' && bytes[i + 1] <= '9')
			buf_printf(out, "\\%03o", byte);
		else
			buf_printf(out, "\\%o", byte);
	}
	buf_str(out, len > shown ? "\"..." : "\"");
}
