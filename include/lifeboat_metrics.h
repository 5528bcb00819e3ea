/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counting, inlined in the caller: a plain store into a row that only this thread writes. Included by lifeboat_on.h alone.
 */
#ifndef LIFEBOAT_METRICS_H
#define LIFEBOAT_METRICS_H

/* The calling thread's row; null until its first use after start, in a fork's child, and where there is none left. */
LIFEBOAT_SHARED_ __thread uint64_t *lifeboat_row_ = 0;

/* The row of all threads, for gauges; null until the first use of one after start. */
LIFEBOAT_SHARED_ uint64_t *lifeboat_gauges_ = 0;

/* A slot that a handle may have: neither unresolved nor refused. */
#define LIFEBOAT_IS_SLOT_(slot) ((uint32_t)((slot)-1u) < 0xfffffffeu)

/* By their symbols' names: headers that declare them, with other attributes, may come before or after this one. */
#ifdef __GLIBC__
extern int lifeboat_register_atfork_(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
    __asm__("__register_atfork") __attribute__((__weak__));
extern char lifeboat_dso_ __asm__("__dso_handle") __attribute__((__weak__, __visibility__("hidden")));
#elif defined(__linux__)
extern int lifeboat_register_atfork_(void (*prepare)(void), void (*parent)(void), void (*child)(void))
    __asm__("pthread_atfork");
#endif

/* The row is the parent's: two writers would lose counts. */
LIFEBOAT_SHARED_ void lifeboat_in_child_(void) {
    lifeboat_row_ = 0;
    lifeboat_gauges_ = 0;
}

/* Once in a program or shared library, at its first start. */
static inline void lifeboat_watch_forks_(void) {
    static int is_watching = 0;
    if (__atomic_exchange_n(&is_watching, 1, __ATOMIC_RELAXED)) {
        return;
    }
#ifdef __GLIBC__
    if (lifeboat_register_atfork_) {
        (void)lifeboat_register_atfork_(0, 0, lifeboat_in_child_, &lifeboat_dso_);
    }
#elif defined(__linux__)
    (void)lifeboat_register_atfork_(0, 0, lifeboat_in_child_);
#endif
}

/* The row and the handle's slot, got where they were missing. Null where there is no row or no slot. */
LIFEBOAT_SHARED_ uint64_t *lifeboat_slot_(lifeboat_metric *metric) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (!table || !LIFEBOAT_HAS_(table, metric_resolve) || !LIFEBOAT_HAS_(table, metric_row)) {
        return 0;
    }
    if (table->metric_resolve(metric) != LIFEBOAT_OK) {
        return 0;
    }
    if (!lifeboat_row_) {
        lifeboat_row_ = table->metric_row();
    }
    return lifeboat_row_ ? lifeboat_row_ + __atomic_load_n(&metric->slot, __ATOMIC_ACQUIRE) : 0;
}

/* Only this thread writes here; a reader loads the number whole. */
static inline void lifeboat_store_(uint64_t *slot, uint64_t value) { __atomic_store_n(slot, value, __ATOMIC_RELAXED); }

LIFEBOAT_SHARED_ void lifeboat_count_first_(lifeboat_metric *metric, uint64_t value) {
    uint64_t *slot = lifeboat_slot_(metric);
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (slot) {
        lifeboat_store_(slot, *slot + value);
    } else if (table && LIFEBOAT_HAS_(table, counter_add)) {
        (void)table->counter_add(metric, value);
    }
}

static inline void lifeboat_counter_add(lifeboat_counter *counter, uint64_t value) {
    uint64_t *row = lifeboat_row_;
    uint32_t slot = __atomic_load_n(&counter->metric.slot, __ATOMIC_RELAXED);
    if (__builtin_expect(row != 0 && LIFEBOAT_IS_SLOT_(slot), 1)) {
        lifeboat_store_(row + slot, row[slot] + value);
    } else if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_count_first_(&counter->metric, value);
    }
}

/* A gauge's slot, got where it was missing; null where there is none. */
LIFEBOAT_SHARED_ uint64_t *lifeboat_gauge_first_(lifeboat_metric *metric) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    uint64_t *row;
    if (!table || !LIFEBOAT_HAS_(table, metric_resolve) || !LIFEBOAT_HAS_(table, metric_shared)) {
        return 0;
    }
    if (table->metric_resolve(metric) != LIFEBOAT_OK || !(row = table->metric_shared())) {
        return 0;
    }
    __atomic_store_n(&lifeboat_gauges_, row, __ATOMIC_RELAXED);
    return row + __atomic_load_n(&metric->slot, __ATOMIC_ACQUIRE);
}

static inline uint64_t *lifeboat_gauge_(lifeboat_metric *metric) {
    uint64_t *row = __atomic_load_n(&lifeboat_gauges_, __ATOMIC_RELAXED);
    uint32_t slot = __atomic_load_n(&metric->slot, __ATOMIC_RELAXED);
    if (__builtin_expect(row != 0 && LIFEBOAT_IS_SLOT_(slot), 1)) {
        return row + slot;
    }
    return LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0) ? lifeboat_gauge_first_(metric) : 0;
}

static inline void lifeboat_gauge_set(lifeboat_gauge *gauge, double value) {
    uint64_t *slot = lifeboat_gauge_(&gauge->metric);
    uint64_t bits;
    if (slot) {
        memcpy(&bits, &value, sizeof bits);
        lifeboat_store_(slot, bits);
    }
}

static inline void lifeboat_gauge_add(lifeboat_gauge *gauge, double value) {
    uint64_t *slot = lifeboat_gauge_(&gauge->metric);
    if (slot) {
        uint64_t before = __atomic_load_n(slot, __ATOMIC_RELAXED);
        uint64_t after;
        double sum;
        do {
            memcpy(&sum, &before, sizeof sum);
            sum += value;
            memcpy(&after, &sum, sizeof after);
        } while (!__atomic_compare_exchange_n(slot, &before, after, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    }
}

LIFEBOAT_SHARED_ void lifeboat_observe_(lifeboat_metric *metric, double value) {
    uint64_t *row = lifeboat_row_;
    uint64_t *first = row && LIFEBOAT_IS_SLOT_(__atomic_load_n(&metric->slot, __ATOMIC_ACQUIRE))
                          ? row + metric->slot
                          : lifeboat_slot_(metric);
    uint32_t bucket = 0;
    double sum;
    uint64_t bits;
    if (!first) {
        const lifeboat_table *table = LIFEBOAT_TABLE_();
        if (table && LIFEBOAT_HAS_(table, histogram_observe)) {
            (void)table->histogram_observe(metric, value);
        }
        return;
    }
    /* Not a number: it belongs to no bucket and would spoil the sum. */
    if (value != value) {
        return;
    }
    while (bucket < metric->bounds_count && value > metric->bounds[bucket]) {
        bucket++;
    }
    lifeboat_store_(first + bucket, first[bucket] + 1);
    first += metric->bounds_count + 1;
    memcpy(&sum, first, sizeof sum);
    sum += value;
    memcpy(&bits, &sum, sizeof bits);
    lifeboat_store_(first, bits);
}

static inline void lifeboat_histogram_observe(lifeboat_histogram *histogram, double value) {
    if (lifeboat_row_ || LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_observe_(&histogram->metric, value);
    }
}

static inline void lifeboat_info_set(lifeboat_info *info, const lifeboat_metric_label *labels, size_t labels_count) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (LIFEBOAT_RARE_(table != 0) && LIFEBOAT_HAS_(table, info_set)) {
        (void)table->info_set(&info->metric, labels, labels ? labels_count : 0);
    }
}

#endif /* LIFEBOAT_METRICS_H */
