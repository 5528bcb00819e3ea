/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the bench of metrics and its operations share. */
#ifndef LIFEBOAT_BENCH_METRICS_H
#define LIFEBOAT_BENCH_METRICS_H

#include <stdint.h>
#include <stdio.h>

/* One operation: does it so often. */
struct operation {
    const char *name;
    void (*repeat)(uint64_t rounds);
};

/* All of them; the last one has no name. */
extern const struct operation operations[];

/* Starts the lifeboat, where there is one, and makes so many series; answers the start's status. */
int begin(unsigned series);

#endif
