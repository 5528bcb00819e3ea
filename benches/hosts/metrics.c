/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the bench of metrics runs: starts a lifeboat where one is named, makes series, and says what each operation takes.
 *
 *     metrics SERIES THREADS ROUNDS OPERATION...    nanoseconds, one line for each: least, median over the threads' turns
 *     metrics SERIES THREADS 0                      rests with so many threads that have counted, until its input ends
 */
#define _GNU_SOURCE
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TURNS 21
#define THREADS_MAX 256

struct worker {
    const struct operation *operation;
    uint64_t rounds;
    pthread_barrier_t *barrier;
    uint64_t took_ns[TURNS];
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    worker->operation->repeat(1000);
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_barrier_wait(worker->barrier);
        uint64_t before = now_ns();
        worker->operation->repeat(worker->rounds);
        worker->took_ns[turn] = now_ns() - before;
    }
    return NULL;
}

static int by_size(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void measure(const struct operation *operation, int threads, uint64_t rounds) {
    static struct worker workers[THREADS_MAX];
    pthread_t ids[THREADS_MAX];
    pthread_barrier_t barrier;
    static uint64_t all[THREADS_MAX * TURNS];
    int count = 0;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){.operation = operation, .rounds = rounds, .barrier = &barrier};
        pthread_create(&ids[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        for (int turn = 0; turn < TURNS; turn++) {
            all[count++] = workers[i].took_ns[turn];
        }
    }
    qsort(all, (size_t)count, sizeof all[0], by_size);
    printf("%s %.3f %.3f\n", operation->name, (double)all[0] / (double)rounds, (double)all[count / 2] / (double)rounds);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: metrics SERIES THREADS ROUNDS OPERATION...\n");
        return 2;
    }
    printf("start %d\n", begin((unsigned)atoi(argv[1])));
    for (int i = 4; i < argc; i++) {
        for (const struct operation *operation = operations; operation->name; operation++) {
            if (strcmp(operation->name, argv[i]) == 0) {
                measure(operation, atoi(argv[2]), strtoull(argv[3], NULL, 10));
            }
        }
    }
    return 0;
}
