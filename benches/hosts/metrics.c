/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the bench of metrics runs: starts a lifeboat where one is named, makes series, says what each operation takes, and
 * rests until its input ends.
 *
 *     metrics SERIES THREADS ROUNDS OPERATION...
 *
 * Says for each operation the least and the median of all turns of all threads: nanoseconds of the thread's own processor
 * time, since others run on this machine too; for "pause" the longest time and the 99.99 % of those between two counts.
 */
#define _GNU_SOURCE
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TURNS 21
#define THREADS_MAX 256
/* Pauses in steps of 64 ns, up to 16 ms. */
#define PAUSES (1 << 18)
#define PAUSE_STEP 64

struct worker {
    const struct operation *operation;
    uint64_t rounds;
    pthread_barrier_t *barrier;
    double took_ns[TURNS];
};

static struct worker workers[THREADS_MAX];
static double all[THREADS_MAX * TURNS];

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *work(void *argument) {
    struct worker *worker = argument;
    worker->operation->repeat(worker->rounds / 16 + 1);
    for (int turn = 0; turn < TURNS; turn++) {
        pthread_barrier_wait(worker->barrier);
        uint64_t before = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        worker->operation->repeat(worker->rounds);
        worker->took_ns[turn] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - before) / (double)worker->rounds;
    }
    pthread_barrier_wait(worker->barrier);
    return NULL;
}

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void measure(const struct operation *operation, int threads, uint64_t rounds) {
    pthread_t ids[THREADS_MAX];
    pthread_barrier_t barrier;
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
    printf("%s %.3f %.3f\n", operation->name, all[0], all[count / 2]);
}

/* The time between two counts, each of them with a look at the clock. */
static void measure_pauses(const struct operation *counter, uint64_t rounds) {
    static uint64_t seen[PAUSES];
    uint64_t last = clock_ns(CLOCK_MONOTONIC), longest = 0, below = 0;
    uint64_t most = rounds - rounds / 10000, at = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        counter->repeat(1);
        uint64_t now = clock_ns(CLOCK_MONOTONIC), pause = now - last;
        last = now;
        longest = pause > longest ? pause : longest;
        at = pause / PAUSE_STEP;
        seen[at < PAUSES ? at : PAUSES - 1]++;
    }
    for (at = 0; at < PAUSES && below + seen[at] < most; at++) {
        below += seen[at];
    }
    printf("pause %llu %llu\n", (unsigned long long)longest, (unsigned long long)((at + 1) * PAUSE_STEP));
}

int main(int argc, char **argv) {
    if (argc < 4 || atoi(argv[2]) < 1 || atoi(argv[2]) > THREADS_MAX) {
        fprintf(stderr, "usage: metrics SERIES THREADS ROUNDS OPERATION...\n");
        return 2;
    }
    uint64_t rounds = strtoull(argv[3], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    printf("start %d %d\n", begin((unsigned)atoi(argv[1])), 0);
    for (int i = 4; i < argc; i++) {
        for (const struct operation *operation = operations; operation->name; operation++) {
            if (strcmp(operation->name, argv[i]) == 0) {
                measure(operation, atoi(argv[2]), rounds);
            }
        }
        if (strcmp("pause", argv[i]) == 0) {
            measure_pauses(&operations[1], rounds);
        }
    }
    puts("rest 0 0");
    while (getchar() != EOF) {
    }
    return 0;
}
