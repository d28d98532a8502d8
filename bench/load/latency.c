// How long things take on an idle machine.
//
//   latency echo PORT                           sends back what it gets
//   latency tcp PAUSE_US PORT COUNT             round trips of 64 bytes to an echo
//   latency job PAUSE_US PORT HOOK_PORT COUNT   from the call that ends a job (it is called off) to the arrival of the webhook
//                                               that says so
//   latency sync PAUSE_US DIRECTORY COUNT       one append of 200 bytes with fdatasync
//
// Each comes after a pause, in which what was before it can settle. Prints one line of JSON with the median and the 99th
// percentile, in microseconds.
#include "common.h"
#include <poll.h>

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(uint64_t *ns, size_t count) {
    qsort(ns, count, sizeof *ns, compare);
    printf("{\"count\": %zu, \"p50_us\": %.2f, \"p99_us\": %.2f}\n", count, (double)ns[count / 2] / 1000, (double)ns[count * 99 / 100] / 1000);
}

// Before each thing that is measured, in microseconds.
static useconds_t pause_length;

static void pause_us(void) {
    if (pause_length) usleep(pause_length);
}

static int accept_one(int listener) {
    int fd = check(accept(listener, 0, 0));
    set_nodelay(fd);
    return fd;
}

static int blocking_listener(int port) {
    int fd = listen_on(port);
    check(fcntl(fd, F_SETFL, 0));
    return fd;
}

static void echo(int port) {
    int listener = blocking_listener(port);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int fd = accept_one(listener);
        char bytes[4096];
        for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;) check(send(fd, bytes, (size_t)n, 0));
        close(fd);
    }
}

static void tcp(int port, size_t count, uint64_t *ns) {
    int fd = connect_to(port);
    char bytes[64] = {0};
    for (size_t i = 0; i < count; i++) {
        pause_us();
        uint64_t start = now_ns();
        check(send(fd, bytes, sizeof bytes, 0));
        check(recv(fd, bytes, sizeof bytes, MSG_WAITALL));
        ns[i] = now_ns() - start;
    }
}

static void sync_file(const char *directory, size_t count, uint64_t *ns) {
    char name[4096], record[200] = {0};
    snprintf(name, sizeof name, "%s/sync-XXXXXX", directory);
    int fd = check(mkstemp(name));
    for (size_t i = 0; i < count; i++) {
        pause_us();
        uint64_t start = now_ns();
        check(write(fd, record, sizeof record));
        check(fdatasync(fd));
        ns[i] = now_ns() - start;
    }
    unlink(name);
}

// Reads one whole HTTP message and returns its length.
static size_t read_message(int fd, char *bytes, size_t room) {
    struct framing framing = {0};
    size_t len = 0;
    for (size_t whole;;) {
        ssize_t n = recv(fd, bytes + len, room - len - 1, 0);
        if (n <= 0) { fprintf(stderr, "latency: a connection was closed\n"); exit(1); }
        bytes[len += (size_t)n] = 0;
        if ((whole = message_len(&framing, bytes, len))) return whole;
    }
}

static void call(int fd, const char *path, const char *body) {
    char request[1024];
    int len = snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", path, strlen(body), body);
    check(send(fd, request, (size_t)len, 0));
}

// Waits for the next webhook on the only connection that the server makes, and answers it.
static void take_webhook(int listener, int *hook, const char *type, uint64_t *at) {
    static char bytes[1 << 14];
    if (*hook < 0) *hook = accept_one(listener);
    read_message(*hook, bytes, sizeof bytes);
    *at = now_ns();
    if (!strstr(bytes, type)) { fprintf(stderr, "latency: not %s: %s\n", type, bytes); exit(1); }
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    check(send(*hook, answer, sizeof answer - 1, 0));
}

static void job(int port, int hook_port, size_t count, uint64_t *ns) {
    static char bytes[1 << 14];
    char text[256];
    int listener = blocking_listener(hook_port), api = connect_to(port), hook = -1;
    snprintf(text, sizeof text, "{\"url\":\"http://127.0.0.1:%d/hook\",\"events\":[\"translation.pending\",\"translation.canceled\"]}", hook_port);
    call(api, "/v1/webhooks", text);
    read_message(api, bytes, sizeof bytes);
    for (size_t i = 0; i < count; i++) {
        uint64_t at;
        call(api, "/v1/translations", "{\"video_url\":\"https://videos.example.test/v.mp4\",\"target_language\":\"es\"}");
        read_message(api, bytes, sizeof bytes);
        char *location = strcasestr(bytes, "location: ");
        if (!location) { fprintf(stderr, "latency: no job: %s\n", bytes); exit(1); }
        snprintf(text, sizeof text, "%.*s/cancel", (int)strcspn(location + 10, "\r"), location + 10);
        take_webhook(listener, &hook, "translation.pending", &at);
        pause_us();
        uint64_t start = now_ns();
        call(api, text, "");
        take_webhook(listener, &hook, "translation.canceled", &at);
        ns[i] = at - start;
        read_message(api, bytes, sizeof bytes);
    }
}

int main(int argc, char **argv) {
    raise_limits();
    if (argc == 3 && !strcmp(argv[1], "echo")) echo(atoi(argv[2]));
    if (argc < 5) return 2;
    pause_length = (useconds_t)strtoul(argv[2], 0, 10);
    size_t count = strtoul(argv[argc - 1], 0, 10);
    uint64_t *ns = calloc(count, sizeof *ns);
    if (!strcmp(argv[1], "tcp")) tcp(atoi(argv[3]), count, ns);
    else if (!strcmp(argv[1], "sync")) sync_file(argv[3], count, ns);
    else if (!strcmp(argv[1], "job") && argc == 6) job(atoi(argv[3]), atoi(argv[4]), count, ns);
    else return 2;
    report(ns, count);
}
