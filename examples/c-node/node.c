/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small peer-to-peer node in C that carries a lifeboat. It gossips with other nodes over TCP, in lines: `hello NAME`
 * first, then `gossip ID TEXT`; what it has not seen yet it sends on to all its other peers. Asked to, it dies as nodes
 * die. The nodes in the other languages speak the same.
 *
 *     make -C examples/c-node                      fleet and public build, in examples/c-node/build
 *     gcc -O2 -g -DLIFEBOAT_LOAD -Iinclude examples/c-node/node.c -o c-node -lpthread -ldl
 *     ./c-node --name amsterdam --listen 127.0.0.1:7001
 *     LIFEBOAT_REPORTER=/opt/lifeboat/lib/liblifeboat_reporter.so ./c-node --peer 127.0.0.1:7001 --die null
 *
 * Without -DLIFEBOAT_LOAD (or -DLIFEBOAT_LINK) it is the public build: the same node, and no trace of Lifeboat in it.
 */
#define _GNU_SOURCE
#include <lifeboat.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static lifeboat_counter messages = LIFEBOAT_COUNTER("gossip", "messages", "Messages that came for the first time.", NULL);
static lifeboat_gauge connected = LIFEBOAT_GAUGE("gossip", "peers", "Peers that are connected.", NULL);
static lifeboat_histogram message_size =
    LIFEBOAT_HISTOGRAM_BOUNDS("gossip", "message_size", "Size of a message.", "bytes", 64, 256, 1024);

/* Keeps a function's own frame in a stack trace: the demo shows one as it was written. */
#define OWN_FRAME __attribute__((__noinline__, __noclone__))
#ifdef __clang__
#undef OWN_FRAME
#define OWN_FRAME __attribute__((__noinline__))
#endif

enum { LINE_BYTES_MAX = 1024, NAME_BYTES_MAX = 32, ID_BYTES_MAX = 64, ADDRESS_BYTES_MAX = 128 };
enum { PEERS_MAX = 32, SEEN_MAX = 1024, WAITING_MAX = 64 };
enum { TICK_MS = 20, REDIAL_MS = 1000, DIE_AFTER_MS = 1000, HEARTBEAT_MS = 2000 };

typedef enum { DIE_NOT, DIE_NULL, DIE_MAIN, DIE_EXIT, DIE_ABORT, DIE_HANG } death;

/* Another node: one that we dial has an address, and keeps its place while it is lost. */
typedef struct {
    int socket; /* -1: not connected */
    bool is_connecting;
    bool has_said_hello;
    long dial_at_ms;
    size_t length;
    char address[ADDRESS_BYTES_MAX];
    char name[NAME_BYTES_MAX + 1];
    char line[LINE_BYTES_MAX + 1];
} peer;

/* A line from a peer, or of our own, that is to be delivered. */
typedef struct {
    char from[NAME_BYTES_MAX + 1];
    char line[LINE_BYTES_MAX + 1];
    bool is_compacted; /* its text was dropped: the mistake that --die asks for */
} letter;

typedef struct {
    char id[ID_BYTES_MAX + 1];
    const char *text;
    uint32_t sum;
} message;

/* The lock is over everything from peers on; only the main thread opens and closes sockets. */
static struct {
    char name[NAME_BYTES_MAX + 1];
    int listener;
    long every_ms, after_ms;
    death dies;
    pthread_mutex_t lock;
    pthread_cond_t more;
    peer peers[PEERS_MAX];
    char seen[SEEN_MAX][ID_BYTES_MAX + 1];
    unsigned seen_count, made, messages, digest;
    letter waiting[WAITING_MAX];
    unsigned first, waiting_count;
    bool is_ending;
} node = {.name = "c-node", .listener = -1, .every_ms = 500, .after_ms = -1,
          .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static volatile sig_atomic_t stop_wanted;

static void want_stop(int number) {
    (void)number;
    stop_wanted = 1;
}

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- telemetry: the public build, which evaluates no argument, has none of these functions ---- */

static __attribute__((__unused__)) const char *text_of(const char *first, const char *second) {
    static _Thread_local char text[2 * LINE_BYTES_MAX];
    snprintf(text, sizeof text, "%s %s", first, second);
    return text;
}

static __attribute__((__unused__)) const char *number_text(unsigned number) {
    static _Thread_local char text[16];
    snprintf(text, sizeof text, "%u", number);
    return text;
}

static __attribute__((__unused__)) unsigned peers_count(void) {
    unsigned count = 0;
    for (int i = 0; i < PEERS_MAX; i++) {
        count += node.peers[i].socket >= 0 && node.peers[i].has_said_hello;
    }
    return count;
}

/* ---- what has been seen, and who is told ---- */

static bool is_new(const char *id) {
    for (unsigned i = 0; i < SEEN_MAX && i < node.seen_count; i++) {
        if (strcmp(node.seen[i], id) == 0) {
            return false;
        }
    }
    snprintf(node.seen[node.seen_count++ % SEEN_MAX], ID_BYTES_MAX + 1, "%s", id);
    return true;
}

/* A peer that does not take what it is sent is hung up on: the main thread sees that and closes it. */
static void peer_send(const peer *to, const char *line) {
    char wire[LINE_BYTES_MAX + 2];
    int length = snprintf(wire, sizeof wire, "%s\n", line);
    if (send(to->socket, wire, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) != length) {
        shutdown(to->socket, SHUT_RDWR);
    }
}

static void send_on(const char *line, const char *from) {
    for (int i = 0; i < PEERS_MAX; i++) {
        const peer *to = &node.peers[i];
        if (to->socket >= 0 && to->has_said_hello && strcmp(to->name, from) != 0) {
            peer_send(to, line);
        }
    }
}

/* ---- the way of a message ---- */

/* Small enough for the compiler to inline: a good report shows it all the same. */
static inline uint32_t fold(uint32_t sum, const char *byte) {
    return (sum ^ (unsigned char)*byte) * 16777619u;
}

OWN_FRAME static uint32_t checksum(const char *text) {
    uint32_t sum = fold(2166136261u, text); /* The node's mistake: nobody asks whether there is a text. */
    while (*text) {
        sum = fold(sum, text++);
    }
    return sum;
}

/* Where the id of a gossip ends; NULL where the line is no gossip. */
static const char *id_end(const char *line) {
    const char *id = line + strlen("gossip ");
    const char *end = strncmp(line, "gossip ", strlen("gossip ")) == 0 ? strchr(id, ' ') : NULL;
    return end && end > id && end - id <= ID_BYTES_MAX ? end : NULL;
}

OWN_FRAME static message decode_message(const letter *received) {
    const char *id = received->line + strlen("gossip "), *end = id_end(received->line);
    message decoded = {.text = received->is_compacted ? NULL : end + 1};
    snprintf(decoded.id, sizeof decoded.id, "%.*s", (int)(end - id), id);
    decoded.sum = checksum(decoded.text);
    return decoded;
}

OWN_FRAME static void deliver(const letter *received) {
    message decoded = decode_message(received);
    pthread_mutex_lock(&node.lock);
    bool is_first = is_new(decoded.id);
    if (is_first) {
        node.messages++;
        lifeboat_counter_add(&messages, 1);
        lifeboat_histogram_observe(&message_size, (double)strlen(received->line));
        node.digest += decoded.sum; /* Nodes that have the same messages have the same digest. */
        send_on(received->line, received->from);
        lifeboat_context("node", "messages", number_text(node.messages));
        lifeboat_context("node", "digest", number_text(node.digest));
    }
    pthread_mutex_unlock(&node.lock);
    if (is_first && strcmp(received->from, node.name) != 0) {
        printf("%s got %s from %s\n", node.name, decoded.id, received->from);
        fflush(stdout);
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "gossip", text_of(decoded.id, decoded.text));
    }
}

static void *worker_run(void *unused) {
    letter received;
    lifeboat_thread_attach("worker");
    for (;;) {
        pthread_mutex_lock(&node.lock);
        while (node.waiting_count == 0 && !node.is_ending) {
            pthread_cond_wait(&node.more, &node.lock);
        }
        if (node.waiting_count == 0) {
            pthread_mutex_unlock(&node.lock);
            return unused;
        }
        received = node.waiting[node.first];
        node.first = (node.first + 1) % WAITING_MAX;
        node.waiting_count--;
        pthread_mutex_unlock(&node.lock);
        deliver(&received);
    }
}

/* With the lock held. What the worker cannot keep up with is dropped: another peer will send it, too. */
static void hand_over(const letter *received) {
    if (node.waiting_count < WAITING_MAX) {
        node.waiting[(node.first + node.waiting_count++) % WAITING_MAX] = *received;
        pthread_cond_signal(&node.more);
    }
}

/* ---- peers, on the main thread, with the lock held ---- */

static void peer_close(peer *lost) {
    close(lost->socket);
    lost->socket = -1;
    lost->dial_at_ms = now_ms() + REDIAL_MS;
    if (lost->has_said_hello) {
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "peer", text_of("lost", lost->name));
        lifeboat_context("node", "peers", number_text(peers_count()));
        lifeboat_gauge_set(&connected, peers_count());
    }
}

static void peer_greet(peer *new) {
    char line[LINE_BYTES_MAX];
    new->is_connecting = false;
    snprintf(line, sizeof line, "hello %s", node.name);
    peer_send(new, line);
}

static void peer_open(peer *new, int socket, bool is_connecting) {
    new->socket = socket;
    new->is_connecting = is_connecting;
    new->has_said_hello = false;
    new->length = 0;
    if (!is_connecting) {
        peer_greet(new);
    }
}

/* False for a line that a peer does not say. */
static bool peer_said(peer *by, const char *line) {
    letter received = {.is_compacted = false};
    if (!by->has_said_hello) {
        size_t length = strlen(line);
        if (strncmp(line, "hello ", 6) != 0 || length <= 6 || length > 6 + NAME_BYTES_MAX || strchr(line + 6, ' ')) {
            return false;
        }
        snprintf(by->name, sizeof by->name, "%s", line + 6);
        by->has_said_hello = true;
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "peer", text_of("connected", by->name));
        lifeboat_context("node", "peers", number_text(peers_count()));
        lifeboat_gauge_set(&connected, peers_count());
        return true;
    }
    if (!id_end(line)) {
        return false;
    }
    snprintf(received.from, sizeof received.from, "%s", by->name);
    snprintf(received.line, sizeof received.line, "%s", line);
    hand_over(&received);
    return true;
}

static void peer_read(peer *from) {
    ssize_t count = recv(from->socket, from->line + from->length, LINE_BYTES_MAX - from->length, MSG_DONTWAIT);
    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            peer_close(from);
        }
        return;
    }
    from->length += (size_t)count;
    for (char *end; (end = memchr(from->line, '\n', from->length)) != NULL;) {
        *end = '\0';
        if (strlen(from->line) != (size_t)(end - from->line) || !peer_said(from, from->line)) {
            peer_close(from);
            return;
        }
        from->length -= (size_t)(end + 1 - from->line);
        memmove(from->line, end + 1, from->length);
    }
    if (from->length == LINE_BYTES_MAX) {
        peer_close(from);
    }
}

/* `HOST:PORT` as an address, or nothing. */
static struct addrinfo *resolve(const char *address) {
    char host[ADDRESS_BYTES_MAX];
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    const char *colon = strrchr(address, ':');
    if (!colon) {
        return NULL;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    return getaddrinfo(host, colon + 1, &hints, &found) == 0 ? found : NULL;
}

static void peer_dial(peer *wanted) {
    struct addrinfo *found = resolve(wanted->address);
    int dialed = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    wanted->dial_at_ms = now_ms() + REDIAL_MS;
    if (!found || dialed < 0) {
        close(dialed);
    } else if (connect(dialed, found->ai_addr, found->ai_addrlen) == 0) {
        peer_open(wanted, dialed, false);
    } else if (errno == EINPROGRESS) {
        peer_open(wanted, dialed, true);
    } else {
        close(dialed);
    }
    if (found) {
        freeaddrinfo(found);
    }
}

static void peer_connected(peer *dialed) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(dialed->socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        peer_close(dialed);
    } else {
        peer_greet(dialed);
    }
}

static void peer_accept(void) {
    int taken = accept4(node.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (int i = 0; taken >= 0 && i < PEERS_MAX; i++) {
        if (node.peers[i].socket < 0 && !node.peers[i].address[0]) {
            peer_open(&node.peers[i], taken, false);
            return;
        }
    }
    if (taken >= 0) {
        close(taken);
    }
}

/* ---- the main loop ---- */

/* Waits for one tick at most, and does what there is to do. */
static void peers_serve(void) {
    struct pollfd events[PEERS_MAX + 1];
    for (int i = 0; i < PEERS_MAX; i++) {
        short wanted = node.peers[i].is_connecting ? POLLOUT : POLLIN;
        events[i] = (struct pollfd){.fd = node.peers[i].socket, .events = wanted};
    }
    events[PEERS_MAX] = (struct pollfd){.fd = node.listener, .events = POLLIN};
    if (poll(events, PEERS_MAX + 1, TICK_MS) < 0) {
        return;
    }
    pthread_mutex_lock(&node.lock);
    for (int i = 0; i < PEERS_MAX; i++) {
        peer *each = &node.peers[i];
        if (each->socket < 0 && each->address[0] && now_ms() >= each->dial_at_ms) {
            peer_dial(each);
        } else if (events[i].revents && each->is_connecting) {
            peer_connected(each);
        } else if (events[i].revents) {
            peer_read(each);
        }
    }
    if (events[PEERS_MAX].revents) {
        peer_accept();
    }
    pthread_mutex_unlock(&node.lock);
}

static letter letter_of_our_own(bool is_compacted) {
    letter own = {.is_compacted = is_compacted};
    node.made++;
    snprintf(own.from, sizeof own.from, "%s", node.name);
    snprintf(own.line, sizeof own.line, "gossip %s-%u height %u", node.name, node.made, 1204800 + node.made);
    return own;
}

/* A message of our own, to all peers. */
OWN_FRAME static void gossip(bool is_compacted) {
    letter own = letter_of_our_own(is_compacted);
    deliver(&own);
}

/* Waits until there is room in the store: the node's mistake is that nobody ever makes any. */
OWN_FRAME static void wait_for_room(void) {
    static volatile unsigned room;
    while (room == 0) {
    }
}

static void die(void) {
    letter last;
    switch (node.dies) {
    case DIE_NOT:
        stop_wanted = 1;
        return;
    case DIE_NULL:
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "store", "compacted: texts of old messages dropped");
        last = letter_of_our_own(true);
        pthread_mutex_lock(&node.lock);
        hand_over(&last); /* The worker falls. */
        pthread_mutex_unlock(&node.lock);
        return;
    case DIE_MAIN:
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "store", "compacted: texts of old messages dropped");
        gossip(true); /* This thread falls. */
        return;
    case DIE_EXIT:
        lifeboat_fatal("DatabaseError", "cannot open the message store: disk image is malformed", NULL, 0);
        fprintf(stderr, "fatal: cannot open the message store\n");
        exit(1);
    case DIE_ABORT:
        fprintf(stderr, "assertion failed: height never falls\n");
        abort();
    case DIE_HANG:
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "store", "full: waiting for room");
        wait_for_room(); /* The process lives, and does nothing more. */
        return;
    }
}

static void node_run(void) {
    long begin_ms = now_ms(), gossip_at_ms = begin_ms + node.every_ms;
    while (!stop_wanted) {
        lifeboat_heartbeat("gossip", HEARTBEAT_MS); /* While this loop goes round the node works. */
        peers_serve();
        if (node.every_ms > 0 && now_ms() >= gossip_at_ms) {
            gossip_at_ms = now_ms() + node.every_ms;
            gossip(false);
        }
        if (node.after_ms >= 0 && now_ms() >= begin_ms + node.after_ms) {
            node.after_ms = -1;
            die();
        }
    }
}

/* ---- start and end ---- */

static bool node_listen(const char *address) {
    struct addrinfo *found = resolve(address);
    struct sockaddr_in bound;
    socklen_t size = sizeof bound;
    int one = 1;
    node.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_good = found && setsockopt(node.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
                   bind(node.listener, found->ai_addr, found->ai_addrlen) == 0 && listen(node.listener, 16) == 0 &&
                   getsockname(node.listener, (struct sockaddr *)&bound, &size) == 0;
    if (is_good) {
        printf("listening on %.*s:%u\n", (int)(strrchr(address, ':') - address), address, ntohs(bound.sin_port));
        fflush(stdout);
    }
    if (found) {
        freeaddrinfo(found);
    }
    return is_good;
}

static bool peer_add(const char *address) {
    for (int i = 0; i < PEERS_MAX; i++) {
        if (!node.peers[i].address[0]) {
            snprintf(node.peers[i].address, ADDRESS_BYTES_MAX, "%s", address);
            return strlen(address) < ADDRESS_BYTES_MAX && strrchr(address, ':');
        }
    }
    return false;
}

static bool death_named(const char *name) {
    static const char *const names[] = {"none", "null", "main", "exit", "abort", "hang"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            node.dies = (death)i;
            return true;
        }
    }
    return false;
}

static bool option(const char *name, const char *value, const char **out_listen) {
    size_t length = strlen(value);
    if (strcmp(name, "--listen") == 0) {
        *out_listen = value;
        return strrchr(value, ':') != NULL;
    }
    if (strcmp(name, "--name") == 0) {
        snprintf(node.name, sizeof node.name, "%s", value);
        return length > 0 && length <= NAME_BYTES_MAX && !strpbrk(value, " \n");
    }
    if (strcmp(name, "--every-ms") == 0 || strcmp(name, "--after-ms") == 0) {
        *(name[2] == 'e' ? &node.every_ms : &node.after_ms) = strtol(value, NULL, 10);
        return length > 0;
    }
    return strcmp(name, "--peer") == 0 ? peer_add(value) : strcmp(name, "--die") == 0 && death_named(value);
}

static void node_start(void) {
    struct sigaction stop = {.sa_handler = want_stop};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    lifeboat_status status =
        lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .app = "demo-node", .version = "1.4.2"});
    /* Disabled and off are what was asked for; a reporter that cannot be loaded is not. */
    if (status > LIFEBOAT_OFF) {
        fprintf(stderr, "c-node: %s\n", lifeboat_status_text(status));
    }
    lifeboat_tag("role", "relay");
    lifeboat_context("node", "peers", "0");
    lifeboat_context("node", "messages", "0");
}

int main(int argc, char **argv) {
    const char *address = NULL;
    pthread_t worker;
    for (int i = 0; i < PEERS_MAX; i++) {
        node.peers[i].socket = -1;
    }
    for (int i = 1; i < argc; i += 2) {
        if (!option(argv[i], i + 1 < argc ? argv[i + 1] : "", &address)) {
            fprintf(stderr, "usage: c-node [--listen HOST:PORT] [--peer HOST:PORT]... [--name NAME] [--every-ms N]\n"
                            "              [--after-ms N] [--die none|null|main|exit|abort|hang]\n");
            return 2;
        }
    }
    node.after_ms = node.after_ms < 0 && node.dies != DIE_NOT ? DIE_AFTER_MS : node.after_ms;
    if (address && !node_listen(address)) {
        fprintf(stderr, "cannot listen on %s: %s\n", address, strerror(errno));
        return 1;
    }
    node_start();
    if (pthread_create(&worker, NULL, worker_run, NULL) != 0) {
        return 1;
    }
    node_run();
    lifeboat_heartbeat("gossip", 0); /* It has ended properly: no more are due. */
    pthread_mutex_lock(&node.lock);
    node.is_ending = true;
    pthread_cond_signal(&node.more);
    pthread_mutex_unlock(&node.lock);
    pthread_join(worker, NULL);
    lifeboat_stop();
    return 0;
}
