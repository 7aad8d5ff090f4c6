/* A load that keeps its pace: usage: pace PORT RATE SECONDS KEYS SET_PERCENT
 * Requests of 50 connections fall due at an even rate whatever the server does, and the time of each counts from when it fell due:
 * a server that stands still is charged for everything that had to wait. GET and SET of random keys (key:000000000000, as
 * redis-benchmark names them), values of 3 bytes. Prints one line: requests a second that were answered, and the
 * percentiles 50, 99, 99.9 and the maximum of their times in microseconds. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 50, QUEUE = 1 << 14, BUFFER = 1 << 16, BUCKETS = 1 << 12 };

struct connection {
    int socket;
    /* when each request that is not answered yet fell due, oldest first */
    uint64_t due[QUEUE];
    unsigned first, count;
    /* a reply is one line, or two when it is a bulk string: lines still to come */
    int lines;
    char start;
};

static struct connection connections[CONNECTIONS];
/* times below 4096 us by the microsecond, those above by the millisecond */
static uint64_t micros[BUCKETS], millis[BUCKETS], answered, longest;

static uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000ull + (uint64_t)at.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void note(struct connection *c, uint64_t at) {
    uint64_t taken = (at - c->due[c->first]) / 1000;
    c->first = (c->first + 1) % QUEUE;
    c->count--;
    answered++;
    if (taken > longest) longest = taken;
    if (taken < BUCKETS) micros[taken]++;
    else millis[taken / 1000 < BUCKETS ? taken / 1000 : BUCKETS - 1]++;
}

static void receive(struct connection *c) {
    static char buffer[BUFFER];
    ssize_t size = recv(c->socket, buffer, sizeof buffer, 0);
    if (size <= 0) {
        if (size < 0 && errno == EAGAIN) return;
        fail("pace: the server has closed a connection");
    }
    uint64_t at = now();
    for (ssize_t i = 0; i < size; i++) {
        if (!c->start) c->start = buffer[i];
        else if (c->start == '$' && buffer[i] == '-') c->lines = -1;
        else if (buffer[i] == '\n') {
            c->lines++;
            if (c->start != '$' || c->lines == 0 || c->lines == 2) {
                if (c->start == '-') { fprintf(stderr, "pace: the server answers with an error\n"); exit(1); }
                note(c, at);
                c->start = 0;
                c->lines = 0;
            }
        }
    }
}

static uint64_t percentile(double share) {
    uint64_t wanted = (uint64_t)((double)answered * share), seen = 0;
    for (uint64_t i = 0; i < BUCKETS; i++)
        if ((seen += micros[i]) > wanted) return i;
    for (uint64_t i = 0; i < BUCKETS; i++)
        if ((seen += millis[i]) > wanted) return i * 1000;
    return longest;
}

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "usage: pace PORT RATE SECONDS KEYS SET_PERCENT\n"); return 2; }
    int port = atoi(argv[1]), percent = atoi(argv[5]);
    double rate = atof(argv[2]), seconds = atof(argv[3]);
    unsigned long keys = strtoul(argv[4], NULL, 10);
    int poll = epoll_create1(0), on = 1;
    struct sockaddr_in address = {0};
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct connection *c = &connections[i];
        c->socket = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c->socket, (struct sockaddr *)&address, sizeof address)) fail("pace: connect");
        setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(c->socket, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->socket, &event);
    }
    srandom(1);
    double gap = 1e9 / rate;
    uint64_t started = now(), sent = 0, total = (uint64_t)(rate * seconds);
    while (answered < total) {
        uint64_t at = now();
        while (sent < total && (double)(at - started) >= (double)sent * gap) {
            struct connection *c = &connections[sent % CONNECTIONS];
            char request[128];
            if (c->count == QUEUE) break;
            unsigned long key = (unsigned long)random() % keys;
            int size = random() % 100 < percent
                ? snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$16\r\nkey:%012lu\r\n$3\r\nxxx\r\n", key)
                : snprintf(request, sizeof request, "*2\r\n$3\r\nGET\r\n$16\r\nkey:%012lu\r\n", key);
            if (send(c->socket, request, (size_t)size, 0) != size) break; /* its buffer is full: it is due and stays due */
            c->due[(c->first + c->count++) % QUEUE] = started + (uint64_t)((double)sent * gap);
            sent++;
        }
        struct epoll_event events[CONNECTIONS];
        int ready = epoll_wait(poll, events, CONNECTIONS, 0);
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    }
    printf("%.0f %lu %lu %lu %lu\n", (double)answered * 1e9 / (double)(now() - started), percentile(.5), percentile(.99), percentile(.999), longest);
    return 0;
}
