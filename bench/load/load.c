// A load generator for one core: keeps a number of requests in flight on each of many connections and measures how
// many are answered and how long each takes.
//
//   load --port N [--connections 64] [--pipeline 1] [--seconds 5 | --requests N] [--warmup 1]
//        [--path /status | --paths FILE] [--post FILE] [--idle N] [--capture FILE]
//
// --paths    one of the paths in FILE for each request, in random order
// --post     POST with the content of FILE, which is JSON, instead of GET
// --idle     so many more connections, which make one request at the start and then stay silent
// --capture  append each answer's `location` to FILE
//
// Prints one line of JSON. Any answer but 2xx is counted as an error and shown once.
#include "common.h"
#include <getopt.h>

enum { BUFFER = 1 << 16 };

struct connection {
    int fd;
    bool idle;
    size_t len;
    uint64_t sent_at;
    struct framing framing;
    char buffer[BUFFER];
};

// Latencies in buckets that double, each divided by 32, so that each is known to 3 %.
static uint64_t histogram[64][64];

static void record(uint64_t ns, uint64_t count) {
    int shift = ns < 64 ? 0 : 63 - __builtin_clzll(ns) - 5;
    histogram[shift][ns >> shift] += count;
}

static double percentile_us(double fraction) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < 64 * 64; i++) total += histogram[i / 64][i % 64];
    for (int i = 0; i < 64 * 64 && total; i++) {
        seen += histogram[i / 64][i % 64];
        if ((double)seen >= fraction * (double)total) return (double)((uint64_t)(i % 64) << (i / 64)) / 1000;
    }
    return 0;
}

static int port, connections = 64, pipeline = 1, idle;
static double seconds = 5, warmup = 1;
static uint64_t requests_max, requests_sent, answers, errors;
static const char *path = "/status";
static char *paths, *body = "", *before, *after;
static size_t paths_len, path_stride;
static FILE *capture;
static bool measuring;

static char *read_file(const char *name, size_t *len) {
    FILE *file = fopen(name, "r");
    if (!file) { perror(name); exit(1); }
    fseek(file, 0, SEEK_END);
    *len = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(1, *len + 1);
    if (fread(text, 1, *len, file) != *len) { perror(name); exit(1); }
    fclose(file);
    return text;
}

// Requests are what stands before the path, the path, and what stands after it.
static void prepare(bool post, size_t body_len) {
    if (asprintf(&before, "%s ", post ? "POST" : "GET") < 0) exit(1);
    int made = post ? asprintf(&after, " HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", body_len, body)
                    : asprintf(&after, " HTTP/1.1\r\nhost: localhost\r\n\r\n");
    if (made < 0) exit(1);
}

static uint64_t random_next(void) {
    static uint64_t state = 88172645463325252ull;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static size_t put(char *to, const char *text, size_t len) {
    memcpy(to, text, len);
    return len;
}

static void send_requests(struct connection *c, int count) {
    static char out[BUFFER];
    static size_t before_len, after_len, path_len;
    if (!before_len) before_len = strlen(before), after_len = strlen(after), path_len = strlen(path);
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        if (requests_max && measuring && requests_sent == requests_max) break;
        if (len + before_len + after_len + path_len + path_stride > sizeof out) break;
        len += put(out + len, before, before_len);
        if (paths) {
            const char *line = paths + path_stride * (random_next() % (paths_len / path_stride));
            len += put(out + len, line, path_stride - 1);
        } else {
            len += put(out + len, path, path_len);
        }
        len += put(out + len, after, after_len);
        requests_sent++;
    }
    c->sent_at = now_ns();
    // Little enough to fit the socket's buffer: what does not is an error of the set-up.
    if (len && send(c->fd, out, len, 0) != (ssize_t)len) { perror("send"); exit(1); }
}

static void take_answer(const char *bytes, size_t len) {
    if (bytes[9] != '2' && !errors++) fprintf(stderr, "load: an answer that is no success: %.*s\n", (int)(len < 300 ? len : 300), bytes);
    if (!capture) return;
    const char *line = memmem(bytes, len, "\nlocation: ", 11);
    if (line) {
        line += 11;
        fwrite(line, 1, (size_t)((const char *)memchr(line, '\r', 256) - line), capture);
        fputc('\n', capture);
    }
}

static void receive(struct connection *c) {
    for (;;) {
        ssize_t n = recv(c->fd, c->buffer + c->len, sizeof c->buffer - c->len, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { fprintf(stderr, "load: a connection was closed\n"); exit(1); }
        bool more = (size_t)n == sizeof c->buffer - c->len;
        c->len += (size_t)n;
        uint64_t took = now_ns() - c->sent_at;
        size_t at = 0, whole;
        int count = 0;
        while (at < c->len && (whole = message_len(&c->framing, c->buffer + at, c->len - at))) {
            take_answer(c->buffer + at, whole);
            at += whole;
            count++;
        }
        memmove(c->buffer, c->buffer + at, c->len -= at);
        if (measuring && !c->idle) answers += (uint64_t)count, record(took, (uint64_t)count);
        if (count && !c->idle) send_requests(c, count);
        if (!more) return;
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"port", 1, 0, 'p'},   {"connections", 1, 0, 'c'}, {"pipeline", 1, 0, 'd'}, {"seconds", 1, 0, 's'},
        {"requests", 1, 0, 'n'}, {"warmup", 1, 0, 'w'},    {"path", 1, 0, 'u'},     {"paths", 1, 0, 'U'},
        {"post", 1, 0, 'b'},   {"idle", 1, 0, 'i'},        {"capture", 1, 0, 'C'},  {0}};
    bool post = false;
    size_t body_len = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, 0)) != -1;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'c': connections = atoi(optarg); break;
        case 'd': pipeline = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'n': requests_max = strtoull(optarg, 0, 10); break;
        case 'w': warmup = atof(optarg); break;
        case 'u': path = optarg; break;
        case 'U': paths = read_file(optarg, &paths_len); path_stride = strcspn(paths, "\n") + 1; break;
        case 'b': body = read_file(optarg, &body_len); post = true; break;
        case 'i': idle = atoi(optarg); break;
        case 'C': capture = fopen(optarg, "w"); break;
        default: return 2;
    }
    raise_limits();
    prepare(post, body_len);
    int epoll = check(epoll_create1(0)), all = connections + idle;
    struct connection **table = calloc((size_t)all, sizeof *table);
    measuring = requests_max != 0;
    for (int i = 0; i < all; i++) {
        struct connection *c = table[i] = calloc(1, sizeof **table);
        c->fd = connect_to(port);
        set_nonblocking(c->fd);
        watch(epoll, c->fd, c);
        c->idle = i < idle;
        // The idle ones make their request and get its answer before the others begin.
        if (c->idle) {
            send_requests(c, 1);
            struct epoll_event event;
            while (!c->framing.total)
                if (epoll_wait(epoll, &event, 1, -1) == 1) receive(event.data.ptr);
        }
    }
    requests_sent = 0;
    for (int i = idle; i < all; i++) send_requests(table[i], pipeline);
    uint64_t start = now_ns(), begin = start + (requests_max ? 0 : (uint64_t)(warmup * 1e9)), end = begin + (uint64_t)(seconds * 1e9);
    struct epoll_event events[256];
    for (;;) {
        int n = epoll_wait(epoll, events, 256, 1000);
        for (int i = 0; i < n; i++) receive(events[i].data.ptr);
        uint64_t now = now_ns();
        if (!measuring && now >= begin) measuring = true, begin = now, end = now + (uint64_t)(seconds * 1e9);
        if (requests_max ? answers == requests_max : measuring && now >= end) { end = now; break; }
    }
    double took = (double)(end - begin) / 1e9;
    printf("{\"answers\": %lu, \"seconds\": %.4f, \"rate\": %.1f, \"errors\": %lu, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f}\n",
           answers, took, (double)answers / took, errors, percentile_us(.5), percentile_us(.99), percentile_us(.999));
    if (capture) fclose(capture);
    fflush(stdout);
    if (idle && getenv("LOAD_HOLD")) pause();
    return errors != 0;
}
