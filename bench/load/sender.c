// `sender PORT IN_FLIGHT COUNT`: the least that a sender of signed webhooks on one core can do with epoll. Each event has
// an id, a body and a signature of its own; the keyed state of the HMAC is made once.
#include "common.h"
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

struct connection {
    int fd;
    size_t len;
    char buffer[1024];
};

static SHA256_CTX inner, outer;
static uint64_t left, in_flight, sequence;

static void make_key(void) {
    unsigned char pad[64];
    for (int i = 0; i < 64; i++) pad[i] = (i < 32 ? 9 : 0) ^ 0x36;
    SHA256_Init(&inner);
    SHA256_Update(&inner, pad, 64);
    for (int i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
    SHA256_Init(&outer);
    SHA256_Update(&outer, pad, 64);
}

static void base64(const unsigned char *from, char *to) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[33] = {0};
    memcpy(bytes, from, 32);
    for (int i = 0; i < 33; i += 3, to += 4) {
        unsigned bits = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
        to[0] = letters[bits >> 18], to[1] = letters[bits >> 12 & 63], to[2] = letters[bits >> 6 & 63], to[3] = letters[bits & 63];
    }
    to[-1] = '=';
}

// The event's number, in ten digits.
static void number(char *to, uint64_t value) {
    for (int i = 9; i >= 0; i--, value /= 10) to[i] = (char)('0' + value % 10);
}

static const char BODY[] = "{\"type\":\"translation.completed\",\"timestamp\":\"2026-11-24T09:00:00.123Z\",\"data\":{\"id\":\"job_01kas4ve3qes2rvb0000000000\","
    "\"sequence\":3,\"status\":\"completed\",\"progress\":100,\"video_url\":\"https://videos.example.test/library/2026/november/the-long-way-home-part-1.mp4\","
    "\"source_language\":\"en\",\"target_language\":\"es\",\"output_url\":\"https://videos.example.test/library/2026/november/the-long-way-home-es.mp4\","
    "\"error\":null,\"reference\":\"order-17\",\"created_at\":\"2026-11-24T08:59:00.000Z\",\"updated_at\":\"2026-11-24T09:00:00.123Z\"}}";
static char request[2048], *id, *timestamp, *signature, *body, *body_number;
static size_t request_len;

// Lays a request out once; what changes is filled in for each event.
static void make_request(int port) {
    int head = sprintf(request, "POST /hook HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nuser-agent: peers/0\r\ncontent-type: application/json\r\n"
        "webhook-id: evt_01kas4ve3qes2rvb0000000000\r\nwebhook-timestamp: 0000000000\r\nwebhook-signature: v1,%44s\r\ncontent-length: %zu\r\n\r\n",
        port, "", sizeof BODY - 1);
    memcpy(request + head, BODY, sizeof BODY - 1);
    request_len = (size_t)head + sizeof BODY - 1;
    id = strstr(request, "evt_");
    timestamp = strstr(request, "webhook-timestamp: ") + 19;
    signature = strstr(request, "v1,") + 3;
    body = request + head;
    body_number = strstr(body, "0000000000");
}

static void deliver(struct connection *c) {
    if (!left) return;
    left--, in_flight++;
    number(id + 20, ++sequence);
    number(body_number, sequence);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    number(timestamp, (uint64_t)now.tv_sec);
    SHA256_CTX hash = inner;
    unsigned char digest[32];
    SHA256_Update(&hash, id, 30);
    SHA256_Update(&hash, ".", 1);
    SHA256_Update(&hash, timestamp, 10);
    SHA256_Update(&hash, ".", 1);
    SHA256_Update(&hash, body, sizeof BODY - 1);
    SHA256_Final(digest, &hash);
    hash = outer;
    SHA256_Update(&hash, digest, 32);
    SHA256_Final(digest, &hash);
    base64(digest, signature);
    if (send(c->fd, request, request_len, 0) != (ssize_t)request_len) { perror("send"); exit(1); }
}

static void take(struct connection *c) {
    ssize_t n = recv(c->fd, c->buffer + c->len, sizeof c->buffer - c->len, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { fprintf(stderr, "sender: the receiver closed a connection\n"); exit(1); }
    c->len += (size_t)n;
    if (c->len < 13 || !memmem(c->buffer, c->len, "\r\n\r\n", 4)) return;
    if (c->buffer[9] != '2') { fprintf(stderr, "sender: refused\n"); exit(1); }
    c->len = 0;
    in_flight--;
    deliver(c);
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    int port = atoi(argv[1]), count = atoi(argv[2]);
    left = strtoull(argv[3], 0, 10);
    raise_limits();
    make_key();
    make_request(port);
    int epoll = check(epoll_create1(0));
    for (int i = 0; i < count; i++) {
        struct connection *c = calloc(1, sizeof *c);
        c->fd = connect_to(port);
        set_nonblocking(c->fd);
        watch(epoll, c->fd, c);
        deliver(c);
    }
    struct epoll_event events[256];
    while (in_flight) {
        int n = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < n; i++) take(events[i].data.ptr);
    }
}
