/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The operations that the bench of metrics repeats, as a node would write them. Compiled into the program (metrics.c) or
 * into a shared library that it loads: a row's address lies in the thread-local storage of either.
 */
#include "metrics.h"

#include <lifeboat.h>

#include <stdlib.h>
#include <string.h>

#define VALUES 32768

static lifeboat_counter messages = LIFEBOAT_COUNTER("bench", "messages", "Messages.", NULL);
static lifeboat_counter of_topic;
static lifeboat_counter late = LIFEBOAT_COUNTER("bench", "late", "Messages of a late topic.", NULL);
static lifeboat_gauge peers = LIFEBOAT_GAUGE("bench", "peers", "Peers.", NULL);
static lifeboat_histogram delay = LIFEBOAT_HISTOGRAM("bench", "delay", "Delay.", "seconds");
static const lifeboat_metric_label labels[] = {{LIFEBOAT_STR("topic"), LIFEBOAT_STR("/waku/2/rs/1/4")},
                                               {LIFEBOAT_STR("kind"), LIFEBOAT_STR("relay")}};
/* From 50 us to 100 s, every order of magnitude alike, and too many to be foreseen. */
static double values[VALUES];
static lifeboat_counter *all_series;
static unsigned all_series_count;

int begin(unsigned series) {
    unsigned seed = 7;
    int status = (int)lifeboat_start(NULL);
    for (int i = 0; i < VALUES; i++) {
        values[i] = 50e-6 * (1 + (double)rand_r(&seed) / RAND_MAX);
        for (int doublings = rand_r(&seed) % 20; doublings > 0; doublings--) {
            values[i] *= 2;
        }
    }
    lifeboat_counter_bind(&of_topic, "bench", "topics", "Messages of a topic.", NULL, labels, 2);
    all_series = malloc((series + 1) * sizeof *all_series);
    for (; all_series_count < series; all_series_count++) {
        char number[32];
        lifeboat_metric_label label[] = {{LIFEBOAT_STR("topic"), {number, 0}}, {LIFEBOAT_STR("kind"), LIFEBOAT_STR("relay")}};
        label[0].value.length = (uint64_t)snprintf(number, sizeof number, "/waku/2/rs/1/%u", all_series_count);
        all_series[all_series_count] = lifeboat_counter_get(&late, label, 2);
    }
    (void)labels;
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
static void repeat_gauge_set(uint64_t rounds) { REPEAT(lifeboat_gauge_set(&peers, (double)i)); }
static void repeat_gauge_add(uint64_t rounds) { REPEAT(lifeboat_gauge_add(&peers, 1)); }
static void repeat_histogram(uint64_t rounds) { REPEAT(lifeboat_histogram_observe(&delay, values[i % VALUES])); }

/* One count in each series. */
static void repeat_every(uint64_t rounds) {
    for (unsigned i = 0; i < all_series_count && rounds > 0; i++) {
        lifeboat_counter_add(&all_series[i], 1);
    }
}

const struct operation operations[] = {
    {"nothing", repeat_nothing},     {"counter", repeat_counter},     {"labelled", repeat_labelled},
    {"late", repeat_late},           {"gauge_set", repeat_gauge_set}, {"gauge_add", repeat_gauge_add},
    {"histogram", repeat_histogram}, {"every", repeat_every},         {0, 0},
};
