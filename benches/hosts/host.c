/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the benches run: a program with a number of idle threads and some resident memory that starts a lifeboat, says
 * how long that took, rests, says the time and then dies by a fault. Without LIFEBOAT_REPORTER it does the same alone.
 *
 *     host THREADS RESIDENT_MIB REST_MS die|rest
 */
#define _GNU_SOURCE
#include <lifeboat.h>

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void rest(unsigned milliseconds) {
    struct timespec time = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* What the machine takes for a child that ends at once: the measure for a start, which makes two. */
static uint64_t bare_child_ns(void) {
    uint64_t before = now_ns();
    pid_t child = vfork();
    if (child == 0) {
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return now_ns() - before;
}

static void *idle(void *unused) {
    (void)unused;
    for (;;) {
        pause();
    }
    return NULL;
}

static void make_resident(size_t mebibytes) {
    if (mebibytes == 0) {
        return;
    }
    void *memory =
        mmap(NULL, mebibytes << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    rest(200); /* The kernel's own work after so large a mapping is not the lifeboat's. */
}

static __attribute__((noinline)) void die(volatile int *nowhere) { *nowhere = 1; }

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: host THREADS RESIDENT_MIB REST_MS die|rest\n");
        return 2;
    }
    make_resident((size_t)atol(argv[2]));
    for (int left = atoi(argv[1]); left > 0; left--) {
        pthread_t thread;
        pthread_create(&thread, NULL, idle, NULL);
    }
    dprintf(STDOUT_FILENO, "child %llu\n", (unsigned long long)bare_child_ns());
    uint64_t before = now_ns();
    int status = lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .app = "host", .version = "1"});
    uint64_t after = now_ns();
    dprintf(STDOUT_FILENO, "start %d %llu\n", status, (unsigned long long)(after - before));
    rest((unsigned)atoi(argv[3]));
    if (strcmp(argv[4], "rest") == 0) {
        pause();
    }
    dprintf(STDOUT_FILENO, "die %llu\n", (unsigned long long)now_ns());
    die(NULL);
    return 0;
}
