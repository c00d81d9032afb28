/* Datagrams of the control protocol with the descriptors beside them: bytes to words and back. Knows no types. */
#include "local.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The protocol is little-endian, as is every machine that libxenvchan runs on. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are sent as they lie in memory");

struct datagram {
    uint16_t type, status;
    uint32_t sequence;
    uint32_t word[MAX_WORDS];
};
_Static_assert(sizeof(struct datagram) == CONDUIT_CONTROL_MAX_BYTES, "no padding");

union ancillary {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
};

int message_send(int socket, const struct message *message)
{
    struct datagram datagram = {.type = message->type, .status = 0, .sequence = message->sequence};
    memcpy(datagram.word, message->word, message->words * sizeof(uint32_t));
    struct iovec part = {&datagram, CONDUIT_CONTROL_HEADER_BYTES + message->words * sizeof(uint32_t)};
    union ancillary control;
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (message->fds > 0) {
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(message->fds * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(message->fds * sizeof(int));
        memcpy(CMSG_DATA(rights), message->fd, message->fds * sizeof(int));
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static void collect_fds(struct msghdr *header, struct message *message)
{
    message->fds = 0;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(header); each; each = CMSG_NXTHDR(header, each)) {
        if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(message->fd + message->fds, CMSG_DATA(each), count * sizeof(int));
        message->fds += count;
    }
}

int message_receive(int socket, struct message *message)
{
    struct datagram datagram;
    struct iovec part = {&datagram, sizeof datagram};
    union ancillary control;
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    collect_fds(&header, message);
    message->fds_lost = (header.msg_flags & MSG_CTRUNC) != 0;
    const bool whole = bytes >= CONDUIT_CONTROL_HEADER_BYTES && bytes % 4 == 0 && !(header.msg_flags & MSG_TRUNC);
    if (!whole || message->fds_lost) {
        message_close_fds(message);
        message->fds = 0;
    }
    if (!whole)
        return -1;
    message->type = datagram.type;
    message->status = datagram.status;
    message->sequence = datagram.sequence;
    message->words = ((size_t)bytes - CONDUIT_CONTROL_HEADER_BYTES) / sizeof(uint32_t);
    memcpy(message->word, datagram.word, message->words * sizeof(uint32_t));
    return 1;
}

void message_close_fds(const struct message *message)
{
    for (size_t i = 0; i < message->fds; i++)
        close(message->fd[i]);
}
