/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small peer-to-peer node in C that carries a lifeboat. Its workers take gossip from simulated peers, look the sender up
 * in the peer table, score it and store the message. Asked to, the node dies as nodes die.
 *
 *     make -C examples/c-node                      fleet and public build, in examples/c-node/build
 *     gcc -O2 -g -DLIFEBOAT_LOAD -Iinclude examples/c-node/node.c -o c-node -lpthread
 *     LIFEBOAT_REPORTER=/opt/lifeboat/lib/liblifeboat_reporter.so ./c-node --die null
 *
 *     c-node [--die null|exit|abort|none] [--threads N] [--after-ms N]
 *
 * Without -DLIFEBOAT_LOAD (or -DLIFEBOAT_LINK) it is the public build: the same node, and no trace of Lifeboat in it.
 */
#define _GNU_SOURCE
#include <lifeboat.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Keeps a function's own frame in a stack trace: the demo shows one as it was written. */
#define OWN_FRAME __attribute__((__noinline__, __noclone__))
#ifdef __clang__
#undef OWN_FRAME
#define OWN_FRAME __attribute__((__noinline__))
#endif

enum { PEERS_MAX = 16, THREADS_MAX = 64, SHARDS = 8, PAYLOAD_BYTES = 24 };
enum { ROUND_MS = 50, STOP_SCORE = -100 };

typedef enum { DIE_NONE, DIE_NULL, DIE_EXIT, DIE_ABORT } death;

typedef struct {
    char name[16];
    int32_t score;
    uint32_t messages;
} peer;

typedef struct {
    uint32_t sender;
    uint32_t shard;
    uint32_t height;
    char payload[PAYLOAD_BYTES];
} message;

typedef struct {
    peer *slots[PEERS_MAX];
    pthread_mutex_t lock;
} peer_table;

typedef struct {
    uint32_t number;
    uint32_t seed;
} worker;

static peer peers[PEERS_MAX];
static peer_table table = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_uint height = 1204800;
static atomic_bool stopping;

static uint32_t random_next(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void sleep_ms(long ms) {
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

/* ---- the peer table ---- */

static void peers_connect(void) {
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        snprintf(peers[i].name, sizeof peers[i].name, "peer-%02u", (unsigned)i);
        table.slots[i] = &peers[i];
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "peer", peers[i].name);
    }
    printf("%d peers connected\n", PEERS_MAX);
}

/* Small enough for the compiler to inline: a good report shows it all the same. */
static inline int32_t score_after(peer *sender, int32_t change) {
    sender->messages++;
    sender->score += change;
    return sender->score;
}

OWN_FRAME static int32_t table_lookup(uint32_t sender, int32_t change) {
    peer *found = table.slots[sender % PEERS_MAX];
    return score_after(found, change); /* The node's mistake: nobody asks whether the peer is still there. */
}

static void peers_prune(void) {
    pthread_mutex_lock(&table.lock);
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        table.slots[i] = NULL;
    }
    pthread_mutex_unlock(&table.lock);
    lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "peer", "16 peers pruned: no heartbeat for 90 s");
}

OWN_FRAME static int32_t peer_score(const message *received) {
    int32_t change = received->payload[0] == '!' ? -1 : 1;
    pthread_mutex_lock(&table.lock);
    int32_t score = table_lookup(received->sender, change);
    pthread_mutex_unlock(&table.lock);
    return score;
}

/* ---- gossip ---- */

OWN_FRAME static int message_decode(const unsigned char *wire, size_t size) {
    message received;
    if (size < sizeof received) {
        return 0;
    }
    memcpy(&received, wire, sizeof received);
    int32_t score = peer_score(&received);
    if (score < STOP_SCORE) {
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "peer", "score too low");
        return 0;
    }
    return 1;
}

/* Only a breadcrumb asks for it: the public build, which evaluates no argument, has no such function. */
static __attribute__((__unused__)) const char *message_text(const message *sent) {
    static _Thread_local char text[64];
    unsigned from = sent->sender % PEERS_MAX;
    snprintf(text, sizeof text, "%s from peer-%02u on shard %u", sent->payload, from, (unsigned)sent->shard);
    return text;
}

OWN_FRAME static unsigned gossip_receive(uint32_t *seed) {
    unsigned char wire[sizeof(message)];
    message sent = {.sender = random_next(seed), .shard = random_next(seed) % SHARDS};
    sent.height = atomic_fetch_add(&height, 1);
    snprintf(sent.payload, sizeof sent.payload, "block %u", (unsigned)sent.height);
    memcpy(wire, &sent, sizeof sent);
    int stored = message_decode(wire, sizeof wire);
    lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "gossip", message_text(&sent));
    return stored != 0;
}

static void *worker_run(void *argument) {
    worker *self = argument;
    unsigned stored = 0;
    char name[16];
    snprintf(name, sizeof name, "gossip-%u", (unsigned)self->number);
    pthread_setname_np(pthread_self(), name);
    lifeboat_thread_attach(name);
    while (!atomic_load(&stopping)) {
        stored += gossip_receive(&self->seed);
        sleep_ms(ROUND_MS);
    }
    printf("%s stored %u messages\n", name, stored);
    return NULL;
}

/* ---- the node ---- */

static void die(death how) {
    uint32_t seed = 7;
    switch (how) {
    case DIE_NONE:
        return;
    case DIE_NULL:
        /* Whichever thread gossips next falls: this one, if no worker is faster. */
        peers_prune();
        for (;;) {
            gossip_receive(&seed);
        }
    case DIE_EXIT:
        lifeboat_fatal("DatabaseError", "cannot open the message store: disk image is malformed", NULL, 0);
        fprintf(stderr, "fatal: cannot open the message store\n");
        exit(1);
    case DIE_ABORT:
        fprintf(stderr, "assertion failed: height never falls\n");
        abort();
    }
}

static void node_describe(unsigned threads) {
    char number[16];
    lifeboat_tag("role", "store");
    lifeboat_tag("shard", "2");
    snprintf(number, sizeof number, "%d", PEERS_MAX);
    lifeboat_context("node", "peers", number);
    snprintf(number, sizeof number, "%u", (unsigned)atomic_load(&height));
    lifeboat_context("node", "height", number);
    lifeboat_context("node", "database_version", "7");
    printf("node with %u workers at height %s\n", threads, number);
}

static void node_run(unsigned threads, long after_ms, death how) {
    static worker workers[THREADS_MAX];
    pthread_t handles[THREADS_MAX];
    unsigned started = 0;
    peers_connect();
    node_describe(threads);
    for (; started < threads; started++) {
        workers[started] = (worker){.number = started, .seed = started + 1};
        if (pthread_create(&handles[started], NULL, worker_run, &workers[started]) != 0) {
            break;
        }
    }
    printf("ready\n");
    fflush(stdout);
    sleep_ms(after_ms);
    die(how);
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(handles[i], NULL);
    }
}

static death death_named(const char *name) {
    static const char *const names[] = {"none", "null", "exit", "abort"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (death)i;
        }
    }
    fprintf(stderr, "--die takes null, exit, abort or none, not %s\n", name);
    exit(2);
}

int main(int argc, char **argv) {
    death how = DIE_NONE;
    unsigned threads = 4;
    long after_ms = 100;
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--die") == 0) {
            how = death_named(value);
        } else if (strcmp(argv[i], "--threads") == 0 && strtoul(value, NULL, 10) <= THREADS_MAX) {
            threads = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(argv[i], "--after-ms") == 0) {
            after_ms = strtol(value, NULL, 10);
        } else {
            fprintf(stderr, "usage: c-node [--die null|exit|abort|none] [--threads 0 to 64] [--after-ms N]\n");
            return 2;
        }
    }
    lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .app = "demo-node", .version = "1.4.2"});
    node_run(threads, after_ms, how);
    lifeboat_stop();
    return 0;
}
