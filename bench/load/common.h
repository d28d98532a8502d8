// What the measuring programs share: sockets, time, and the framing of HTTP messages.
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define check(call) ({ __auto_type result_ = (call); if (result_ < 0) { perror(#call); exit(1); } result_; })

static inline uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// As many descriptors as may be had.
static inline void raise_limits(void) {
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit));
    signal(SIGPIPE, SIG_IGN);
}

static inline struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline void set_nodelay(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static inline int listen_on(int port) {
    int fd = check(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = loopback(port);
    check(bind(fd, (struct sockaddr *)&address, sizeof address));
    check(listen(fd, 4096));
    return fd;
}

// A connection that is made before this returns, and does not block afterwards.
static inline int connect_to(int port) {
    int fd = check(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in address = loopback(port);
    check(connect(fd, (struct sockaddr *)&address, sizeof address));
    set_nodelay(fd);
    return fd;
}

static inline void set_nonblocking(int fd) { check(fcntl(fd, F_SETFL, O_NONBLOCK)); }

static inline void watch(int epoll, int fd, void *with) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLRDHUP, .data.ptr = with};
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

// How an HTTP message is laid out. A second message whose `content-length` line stands in the same place and says the
// same is framed like the first, which saves looking for it.
struct framing {
    size_t head, total, line_at, line_len;
    char line[64];
};

// The length of the whole message at the start of `bytes`, or 0 if it is not all there.
static inline size_t message_len(struct framing *last, const char *bytes, size_t len) {
    if (last->total && len >= last->total && !memcmp(bytes + last->head - 4, "\r\n\r\n", 4) &&
        !memcmp(bytes + last->line_at, last->line, last->line_len))
        return last->total;
    const char *end = memmem(bytes, len, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - bytes) + 4, body = 0, line_at = 0, line_len = 0;
    for (const char *line = memchr(bytes, '\n', head); line && line + 1 < end; line = memchr(line, '\n', head - (size_t)(line - bytes))) {
        line++;
        if ((*line | 32) != 'c' || strncasecmp(line, "content-length:", 15)) continue;
        body = strtoul(line + 15, NULL, 10);
        line_at = (size_t)(line - bytes);
        line_len = (size_t)((const char *)memchr(line, '\n', head - line_at) - line);
    }
    if (line_len && line_len <= sizeof last->line) {
        *last = (struct framing){.head = head, .total = head + body, .line_at = line_at, .line_len = line_len};
        memcpy(last->line, bytes + line_at, line_len);
    }
    return len >= head + body ? head + body : 0;
}
