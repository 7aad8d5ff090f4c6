/* The floor of a race: a server that counts requests, answers each with +OK and knows nothing else.
 * What it costs is what sockets cost; how far a server is above it is that server's own work.
 * A request is counted by the '*' that opens it, so values must not hold one. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_MAX = 1 << 16, EVENTS = 512 };

static char input[READ_MAX], output[READ_MAX * 5];

static int open_listener(int port) {
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {0};
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("floor");
        exit(1);
    }
    return listener;
}

static void watch(int queue, int socket) {
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = socket};
    epoll_ctl(queue, EPOLL_CTL_ADD, socket, &interest);
}

static void answer(int socket) {
    ssize_t length = read(socket, input, sizeof input);
    char *end = output;
    if (length <= 0) {
        close(socket);
        return;
    }
    for (ssize_t at = 0; at < length; at++) {
        if (input[at] == '*') {
            memcpy(end, "+OK\r\n", 5);
            end += 5;
        }
    }
    if (end != output && write(socket, output, (size_t)(end - output)) < 0) close(socket);
}

int main(int count, char **words) {
    struct epoll_event ready[EVENTS];
    int on = 1, queue = epoll_create1(0), listener = open_listener(count > 1 ? atoi(words[1]) : 0);
    watch(queue, listener);
    for (;;) {
        int found = epoll_wait(queue, ready, EVENTS, -1);
        for (int at = 0; at < found; at++) {
            if (ready[at].data.fd != listener) {
                answer(ready[at].data.fd);
                continue;
            }
            int socket = accept(listener, NULL, NULL);
            setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            watch(queue, socket);
        }
    }
}
