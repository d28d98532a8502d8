// `server PORT`: the least that a server of `GET /status` on one core can do with epoll: one read and one write for
// what has come, a constant answer whose date changes each second. It checks nothing but where a request ends.
#include "common.h"

struct connection {
    int fd;
    size_t len;
    char buffer[1 << 14];
};

static char answer[256];
static size_t answer_len;

static void make_answer(void) {
    static time_t made;
    time_t now = time(0);
    if (now == made) return;
    made = now;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    answer_len = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\ndate: %s\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
                                         "content-length: 20\r\n\r\n{\"status\":\"pending\"}", date);
}

static void serve(struct connection *c) {
    static char out[1 << 16];
    for (;;) {
        ssize_t n = recv(c->fd, c->buffer + c->len, sizeof c->buffer - c->len, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { close(c->fd); free(c); return; }
        bool more = (size_t)n == sizeof c->buffer - c->len;
        c->len += (size_t)n;
        size_t at = 0, len = 0;
        for (const char *end; (end = memmem(c->buffer + at, c->len - at, "\r\n\r\n", 4));) {
            if (memcmp(c->buffer + at, "GET /status ", 12)) { close(c->fd); free(c); return; }
            memcpy(out + len, answer, answer_len);
            len += answer_len;
            at = (size_t)(end - c->buffer) + 4;
        }
        memmove(c->buffer, c->buffer + at, c->len -= at);
        if (len && send(c->fd, out, len, 0) != (ssize_t)len) { close(c->fd); free(c); return; }
        if (!more) return;
    }
}

int main(int argc, char **argv) {
    raise_limits();
    int epoll = check(epoll_create1(0)), listener = listen_on(argc > 1 ? atoi(argv[1]) : 8000);
    watch(epoll, listener, 0);
    puts("ready");
    fflush(stdout);
    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        make_answer();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) { serve(events[i].data.ptr); continue; }
            for (int fd; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
                struct connection *c = calloc(1, sizeof *c);
                c->fd = fd;
                set_nodelay(fd);
                watch(epoll, fd, c);
            }
        }
    }
}
