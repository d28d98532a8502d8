// `receiver PORT [PORTS] [--dead N] [--hold] [--expect N]`: takes webhooks on PORTS ports from PORT on and answers each
// with 204, on connections that are kept.
//
// --dead    of the ports, the last N accept connections and never answer
// --hold    answers nothing until SIGUSR1, so that what is to be sent can pile up
// --expect  after so many webhooks on live ports, prints how long they took, counted from the first one or from SIGUSR1,
//           and ends
#include "common.h"

struct connection {
    int fd, number; // a listener has the number of its port, a connection that of its listener
    bool listens, dead;
    unsigned owed;
    size_t len;
    struct framing framing;
    struct connection *next_held;
    char *buffer;
};

enum { BUFFER = 1 << 14 };
static const char ANSWER[] = "HTTP/1.1 204 No Content\r\n\r\n";
static volatile sig_atomic_t released;
static struct connection *held;
static uint64_t taken, expect, start;

static void on_release(int signal) { (void)signal; released = 1; }

static void answer(struct connection *c) {
    static char out[64 * sizeof ANSWER];
    size_t len = 0;
    for (; c->owed && len + sizeof ANSWER <= sizeof out; c->owed--) memcpy(out + len, ANSWER, sizeof ANSWER - 1), len += sizeof ANSWER - 1;
    if (len) (void)!send(c->fd, out, len, 0);
}

static void finish(void) {
    double took = (double)(now_ns() - start) / 1e9;
    printf("{\"deliveries\": %lu, \"seconds\": %.4f, \"rate\": %.1f}\n", taken, took, (double)taken / took);
    exit(0);
}

static void take(struct connection *c) {
    for (;;) {
        ssize_t n = recv(c->fd, c->buffer + c->len, BUFFER - c->len, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { close(c->fd); return; } // its memory stays: it may be held
        bool more = (size_t)n == BUFFER - c->len;
        c->len += (size_t)n;
        size_t at = 0, whole;
        while (at < c->len && (whole = message_len(&c->framing, c->buffer + at, c->len - at))) {
            at += whole;
            if (c->dead) continue;
            if (!start) start = now_ns();
            taken++;
            if (c->owed++ == 0 && !released) c->next_held = held, held = c;
        }
        memmove(c->buffer, c->buffer + at, c->len -= at);
        if (released) answer(c);
        if (expect && taken >= expect) finish();
        if (!more) return;
    }
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 3120, ports = 1, dead = 0;
    released = 1;
    for (int i = 2; i < argc; i++) {
        if (!strcmp(argv[i], "--dead")) dead = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--expect")) expect = strtoull(argv[++i], 0, 10);
        else if (!strcmp(argv[i], "--hold")) released = 0;
        else ports = atoi(argv[i]);
    }
    raise_limits();
    struct sigaction release = {.sa_handler = on_release};
    sigaction(SIGUSR1, &release, 0);
    int epoll = check(epoll_create1(0));
    for (int i = 0; i < ports; i++) {
        struct connection *c = calloc(1, sizeof *c);
        *c = (struct connection){.fd = listen_on(port + i), .number = i, .listens = true, .dead = i >= ports - dead};
        watch(epoll, c->fd, c);
    }
    puts("ready");
    fflush(stdout);
    struct epoll_event events[256];
    for (bool was_released = released;;) {
        int n = epoll_wait(epoll, events, 256, -1);
        if (released && !was_released) {
            was_released = true;
            start = now_ns();
            for (; held; held = held->next_held) answer(held);
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c->listens) { take(c); continue; }
            for (int fd; (fd = accept4(c->fd, 0, 0, SOCK_NONBLOCK)) >= 0;) {
                struct connection *new = calloc(1, sizeof *new);
                *new = (struct connection){.fd = fd, .number = c->number, .dead = c->dead, .buffer = malloc(BUFFER)};
                set_nodelay(fd);
                watch(epoll, fd, new);
            }
        }
    }
}
