/* Makes the built gateway panic in the middle of sending a credential, without a line in it for that:
 * loaded before libc (LD_PRELOAD), it does send what it is given, and then once claims to have sent
 * far more. Whoever counts what is left of the buffer has to give up. */

#define _GNU_SOURCE
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define TOO_MANY 1000000
#define CREDENTIAL "authorization: Bearer "

static atomic_flag done = ATOMIC_FLAG_INIT;

static ssize_t told(ssize_t sent, const void *bytes, size_t length)
{
    if (sent > 0 && memmem(bytes, length, CREDENTIAL, strlen(CREDENTIAL)) && !atomic_flag_test_and_set(&done))
        return sent + TOO_MANY;
    return sent;
}

ssize_t send(int socket, const void *bytes, size_t length, int flags)
{
    return told(syscall(SYS_sendto, socket, bytes, length, flags, NULL, 0), bytes, length);
}

ssize_t write(int file, const void *bytes, size_t length)
{
    return told(syscall(SYS_write, file, bytes, length), bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    ssize_t sent = syscall(SYS_writev, file, parts, count);
    return count > 0 ? told(sent, parts[0].iov_base, parts[0].iov_len) : sent;
}
