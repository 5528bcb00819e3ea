/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The operations that the bench of metrics counts by the hundred million, as a node would write them. Compiled into the
 * program (metrics.c) or into a shared library that it loads: a row lies in the thread-local storage of either.
 */
#include "metrics.h"

#include <lifeboat.h>

#include <math.h>
#include <stdlib.h>

#define VALUES 32768

static lifeboat_counter messages = LIFEBOAT_COUNTER("bench", "messages", "Messages.", NULL);
static lifeboat_counter of_topic = LIFEBOAT_COUNTER("bench", "topics", "Messages of a topic.", NULL);
static lifeboat_counter late = LIFEBOAT_COUNTER("bench", "late", "Messages of a late topic.", NULL);
static lifeboat_gauge peers = LIFEBOAT_GAUGE("bench", "peers", "Peers.", NULL);
static lifeboat_histogram delay = LIFEBOAT_HISTOGRAM("bench", "delay", "Delay.", "seconds");
static const lifeboat_metric_label labels[] = {{LIFEBOAT_STR("topic"), LIFEBOAT_STR("/waku/2/rs/1/4")},
                                               {LIFEBOAT_STR("kind"), LIFEBOAT_STR("relay")}};
/* From 50 us to 100 s, every order of magnitude alike: one value alone would be foreseen. */
static double values[VALUES];

int begin(unsigned series) {
    unsigned seed = 7;
    for (int i = 0; i < VALUES; i++) {
        values[i] = exp(log(50e-6) + (log(100.0) - log(50e-6)) * rand_r(&seed) / RAND_MAX);
    }
    int status = (int)lifeboat_start(NULL);
    lifeboat_counter_bind(&of_topic, "bench", "topics", "Messages of a topic.", NULL, labels, 2);
    for (unsigned i = 0; i < series; i++) {
        char number[16];
        int length = snprintf(number, sizeof number, "%u", i);
        lifeboat_counter_add_with(&late,
                                  (lifeboat_metric_label[]){{LIFEBOAT_STR("topic"), {number, (uint64_t)length}}}, 1, i);
    }
    return status;
}

/* The compiler must not make one addition of many, nor keep in registers what another call could change. */
#define REPEAT(call)                            \
    for (uint64_t i = 0; i < rounds; i++) {     \
        call;                                   \
        __asm__ volatile("" ::: "memory");      \
    }                                           \
    return

static void repeat_nothing(uint64_t rounds) { REPEAT((void)0); }
static void repeat_counter(uint64_t rounds) { REPEAT(lifeboat_counter_add(&messages, 1)); }
static void repeat_labelled(uint64_t rounds) { REPEAT(lifeboat_counter_add(&of_topic, 1)); }
static void repeat_late(uint64_t rounds) { REPEAT(lifeboat_counter_add_with(&late, labels, 2, 1)); }
static void repeat_gauge_set(uint64_t rounds) { REPEAT(lifeboat_gauge_set(&peers, 48)); }
static void repeat_gauge_add(uint64_t rounds) { REPEAT(lifeboat_gauge_add(&peers, 1)); }
static void repeat_histogram(uint64_t rounds) { REPEAT(lifeboat_histogram_observe(&delay, values[i % VALUES])); }

const struct operation operations[] = {
    {"nothing", repeat_nothing},     {"counter", repeat_counter},     {"labelled", repeat_labelled},
    {"late", repeat_late},           {"gauge_set", repeat_gauge_set}, {"gauge_add", repeat_gauge_add},
    {"histogram", repeat_histogram}, {0, 0},
};
