/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What every host has in common: the clock, threads that wait for ever, and a null write twenty frames deep. The fault
 * is the same machine code in every host, so that the reporters differ and nothing else.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static atomic_uint waiting;

uint64_t peers_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One write to the pipe that the parent reads after the death: it wakes nobody. */
void peers_say(const char *word, uint64_t figure) {
    dprintf(STDOUT_FILENO, "%s %llu\n", word, (unsigned long long)figure);
}

static void *idle(void *unused) {
    (void)unused;
    atomic_fetch_add(&waiting, 1);
    for (;;) {
        pause();
    }
    return NULL;
}

/* Starts `count` threads and returns when all of them have come as far as their wait; how many did not start. */
unsigned peers_idle_threads(unsigned count) {
    unsigned started = 0;
    for (unsigned left = count; left > 0; left--) {
        pthread_t thread;
        started += pthread_create(&thread, NULL, idle, NULL) == 0;
    }
    while (atomic_load(&waiting) < started) {
        usleep(1000);
    }
    return count - started;
}

static __attribute__((noinline, noclone)) int descend(int frames_left, volatile int *nowhere) {
    if (frames_left == 0) {
        *nowhere = 1;
        return 0;
    }
    /* The addition keeps this from becoming a jump. */
    return descend(frames_left - 1, nowhere) + 1;
}

int peers_die(void) {
    peers_say("fault", peers_now_ns());
    return descend(19, NULL);
}
