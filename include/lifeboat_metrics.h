/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counting, inlined in the caller: a plain store into a row that only this thread writes. Included by lifeboat_on.h alone.
 */
#ifndef LIFEBOAT_METRICS_H
#define LIFEBOAT_METRICS_H

/* The calling thread's row; null until its first use after start, in a fork's child, and where there is none left. */
LIFEBOAT_SHARED_ __thread uint64_t *lifeboat_row_ = 0;

/* How often a thread that got no row counts in that of all before it asks again: with all taken the answer takes long. */
enum { LIFEBOAT_COUNTS_A_LOOK_ = 64 };
LIFEBOAT_SHARED_ __thread uint32_t lifeboat_rowless_ = 0;

/* The row of all threads, for gauges; null until the first use of one after start. */
LIFEBOAT_SHARED_ uint64_t *lifeboat_gauges_ = 0;

/* Intel's newer processors forward a store to the next load at once, where both name their place by one register alone. */
#ifdef __OPTIMIZE__
#define LIFEBOAT_IN_REGISTER_(place) __asm__("" : "+r"(place))
#else
#define LIFEBOAT_IN_REGISTER_(place) (void)0
#endif

/* Without optimisation what is too long to be called often would be three times as slow: gcc may optimise it alone. */
#if !defined(__clang__) && !defined(__OPTIMIZE__)
#define LIFEBOAT_OPTIMIZED_ LIFEBOAT_SHARED_ __attribute__((__optimize__("O2")))
#else
#define LIFEBOAT_OPTIMIZED_ static inline
#endif

/* Whether a sanitizer looks for data races. */
#if defined(__SANITIZE_THREAD__)
#define LIFEBOAT_THREADS_ARE_WATCHED_
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LIFEBOAT_THREADS_ARE_WATCHED_
#endif
#endif

typedef double lifeboat_double_ __attribute__((__may_alias__));

#define LIFEBOAT_INLINE_ static inline __attribute__((__always_inline__))

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
    lifeboat_rowless_ = 0;
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
    if (!lifeboat_row_ && lifeboat_rowless_) {
        lifeboat_rowless_--;
    } else if (!lifeboat_row_) {
        lifeboat_row_ = table->metric_row();
        lifeboat_rowless_ = lifeboat_row_ ? 0 : LIFEBOAT_COUNTS_A_LOOK_;
    }
    return lifeboat_row_ ? lifeboat_row_ + __atomic_load_n(&metric->slot, __ATOMIC_ACQUIRE) : 0;
}

/* Only this thread writes here; a reader loads the number whole. */
LIFEBOAT_INLINE_ void lifeboat_store_(uint64_t *slot, uint64_t value) { __atomic_store_n(slot, value, __ATOMIC_RELAXED); }

/* The thread that had this row before has ended: the reporter knows, a sanitizer of threads does not. */
LIFEBOAT_INLINE_ void lifeboat_increase_(uint64_t *slot, uint64_t value) {
    lifeboat_store_(slot, __atomic_load_n(slot, __ATOMIC_RELAXED) + value);
}

/* The same for a sum. It goes from and to memory without a way through other registers, in one piece. */
LIFEBOAT_INLINE_ void lifeboat_increase_sum_(uint64_t *slot, double value) {
#ifdef LIFEBOAT_THREADS_ARE_WATCHED_
    uint64_t bits = __atomic_load_n(slot, __ATOMIC_RELAXED);
    double sum;
    memcpy(&sum, &bits, sizeof sum);
    sum += value;
    memcpy(&bits, &sum, sizeof bits);
    lifeboat_store_(slot, bits);
#else
    lifeboat_double_ volatile *sum = (lifeboat_double_ volatile *)slot;
    *sum = *sum + value;
#endif
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

LIFEBOAT_INLINE_ void lifeboat_set_at_(uint64_t *slot, double value) {
    uint64_t bits;
    if (slot) {
        memcpy(&bits, &value, sizeof bits);
        lifeboat_store_(slot, bits);
    }
}

LIFEBOAT_INLINE_ void lifeboat_add_at_(uint64_t *slot, double value) {
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

/* For a thread without a row: the slot in that of all threads. Null where the handle has none. */
LIFEBOAT_INLINE_ uint64_t *lifeboat_slot_of_all_(lifeboat_metric *metric) {
    uint32_t slot = __atomic_load_n(&metric->slot, __ATOMIC_RELAXED);
    return LIFEBOAT_IS_SLOT_(slot) ? lifeboat_gauge_(metric) : 0;
}

LIFEBOAT_SHARED_ void lifeboat_count_first_(lifeboat_metric *metric, uint64_t value) {
    uint64_t *slot = lifeboat_slot_(metric);
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (slot) {
        lifeboat_increase_(slot, value);
    } else if ((slot = lifeboat_slot_of_all_(metric))) {
        (void)__atomic_fetch_add(slot, value, __ATOMIC_RELAXED);
    } else if (table && LIFEBOAT_HAS_(table, counter_add)) {
        (void)table->counter_add(metric, value);
    }
}

static inline void lifeboat_counter_add(lifeboat_counter *counter, uint64_t value) {
    uint64_t *row = lifeboat_row_;
    uint32_t slot = __atomic_load_n(&counter->metric.slot, __ATOMIC_RELAXED);
    if (__builtin_expect(row != 0 && LIFEBOAT_IS_SLOT_(slot), 1)) {
        uint64_t *place = row + slot;
        LIFEBOAT_IN_REGISTER_(place);
        lifeboat_increase_(place, value);
    } else if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_count_first_(&counter->metric, value);
    }
}

static inline void lifeboat_gauge_set(lifeboat_gauge *gauge, double value) {
    lifeboat_set_at_(lifeboat_gauge_(&gauge->metric), value);
}

static inline void lifeboat_gauge_add(lifeboat_gauge *gauge, double value) {
    lifeboat_add_at_(lifeboat_gauge_(&gauge->metric), value);
}

/* Two bounds are compared by one instruction, on x86_64 and aarch64. They may lie wherever a double may. */
typedef double lifeboat_doubles_ __attribute__((__vector_size__(16), __aligned__(8), __may_alias__));
typedef int64_t lifeboat_numbers_ __attribute__((__vector_size__(16)));
#define LIFEBOAT_ABOVE_(values, bound) ((lifeboat_numbers_)((values) > *(const lifeboat_doubles_ *)(bound)))

/*
 * Counts a value in its bucket. Every bound is looked at and none decides a branch: a search that branches costs 14 ns
 * where values differ, since no processor foresees them; this costs 3.
 */
LIFEBOAT_INLINE_ void lifeboat_observe_at_(uint64_t *first, const double *bounds, uint32_t count, double value) {
    const lifeboat_doubles_ values = {value, value};
    lifeboat_numbers_ above = {0, 0}, above_too = {0, 0};
    uint64_t *sum = first + count + 1;
    uint64_t *bucket;
    for (; count >= 4; count -= 4, bounds += 4) {
        above += LIFEBOAT_ABOVE_(values, bounds);
        above_too += LIFEBOAT_ABOVE_(values, bounds + 2);
    }
    if (count & 2) {
        above += LIFEBOAT_ABOVE_(values, bounds);
        bounds += 2;
    }
    above += above_too;
    /* A comparison that holds is -1. */
    bucket = first - (above[0] + above[1]) + ((count & 1) && value > *bounds);
    LIFEBOAT_IN_REGISTER_(bucket);
    lifeboat_increase_(bucket, 1);
    lifeboat_increase_sum_(sum, value);
}

/* The same in the row of all threads. */
LIFEBOAT_INLINE_ void lifeboat_observe_for_all_(uint64_t *first, const double *bounds, uint32_t count, double value) {
    uint32_t bucket = 0;
    while (bucket < count && value > bounds[bucket]) {
        bucket++;
    }
    (void)__atomic_fetch_add(first + bucket, 1, __ATOMIC_RELAXED);
    lifeboat_add_at_(first + count + 1, value);
}

LIFEBOAT_SHARED_ void lifeboat_observe_first_(lifeboat_metric *metric, double value) {
    uint64_t *first = lifeboat_slot_(metric);
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (first) {
        lifeboat_observe_at_(first, metric->bounds, metric->bounds_count, value);
    } else if ((first = lifeboat_slot_of_all_(metric))) {
        lifeboat_observe_for_all_(first, metric->bounds, metric->bounds_count, value);
    } else if (table && LIFEBOAT_HAS_(table, histogram_observe)) {
        (void)table->histogram_observe(metric, value);
    }
}

/* By its bits: with -ffast-math no comparison tells what is not a number. */
LIFEBOAT_INLINE_ int lifeboat_is_nan_(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits << 1 > UINT64_C(0xffe0000000000000);
}

LIFEBOAT_OPTIMIZED_ void lifeboat_observe_(lifeboat_metric *metric, double value) {
    uint64_t *row = lifeboat_row_;
    /* Whoever sees the slot sees the bounds, which are written before it. */
    uint32_t slot = __atomic_load_n(&metric->slot, __ATOMIC_ACQUIRE);
    /* It belongs to no bucket and would spoil the sum. */
    if (LIFEBOAT_RARE_(lifeboat_is_nan_(value))) {
        return;
    }
    if (__builtin_expect(row != 0 && LIFEBOAT_IS_SLOT_(slot), 1)) {
        lifeboat_observe_at_(row + slot, metric->bounds, metric->bounds_count, value);
    } else if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_observe_first_(metric, value);
    }
}

static inline void lifeboat_histogram_observe(lifeboat_histogram *histogram, double value) {
    lifeboat_observe_(&histogram->metric, value);
}

/* A copy of the handle with other labels, on the caller's stack: they need not outlive the call. */
static inline lifeboat_metric lifeboat_with_(lifeboat_metric *metric, const lifeboat_metric_label *labels,
                                             size_t labels_count) {
    lifeboat_metric late = {sizeof late, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    late.kind = metric->kind;
    late.labels = labels;
    late.labels_count = labels ? (uint32_t)labels_count : 0;
    late.module = metric->module;
    late.name = metric->name;
    late.help = metric->help;
    late.unit = metric->unit;
    late.bounds = metric->bounds;
    late.bounds_count = metric->bounds_count;
    late.reserved = __atomic_load_n(&metric->reserved, __ATOMIC_RELAXED);
    return late;
}

/* What the reporter found out about the metric, so that it need not find out again. */
static inline void lifeboat_remember_(lifeboat_metric *metric, const lifeboat_metric *late) {
    if (late->reserved != __atomic_load_n(&metric->reserved, __ATOMIC_RELAXED)) {
        __atomic_store_n(&metric->reserved, late->reserved, __ATOMIC_RELAXED);
    }
}

LIFEBOAT_SHARED_ void lifeboat_count_with_(lifeboat_metric *metric, const lifeboat_metric_label *labels, size_t count,
                                           uint64_t value) {
    lifeboat_metric late = lifeboat_with_(metric, labels, count);
    lifeboat_count_first_(&late, value);
    lifeboat_remember_(metric, &late);
}

LIFEBOAT_SHARED_ uint64_t *lifeboat_gauge_with_(lifeboat_metric *metric, const lifeboat_metric_label *labels,
                                                size_t count) {
    lifeboat_metric late = lifeboat_with_(metric, labels, count);
    uint64_t *slot = lifeboat_gauge_first_(&late);
    lifeboat_remember_(metric, &late);
    return slot;
}

LIFEBOAT_SHARED_ void lifeboat_observe_with_(lifeboat_metric *metric, const lifeboat_metric_label *labels, size_t count,
                                             double value) {
    lifeboat_metric late = lifeboat_with_(metric, labels, count);
    if (!lifeboat_is_nan_(value)) {
        lifeboat_observe_first_(&late, value);
        lifeboat_remember_(metric, &late);
    }
}

/* A handle of the series that has these labels, or one that counts nothing: it keeps none of the caller's texts. */
LIFEBOAT_SHARED_ lifeboat_metric lifeboat_get_(lifeboat_metric *metric, const lifeboat_metric_label *labels,
                                               size_t count) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    lifeboat_metric late = lifeboat_with_(metric, labels, count);
    if (!table || !LIFEBOAT_HAS_(table, metric_resolve) || table->metric_resolve(&late) != LIFEBOAT_OK) {
        late.slot = UINT32_MAX;
    }
    lifeboat_remember_(metric, &late);
    late.labels = 0;
    late.labels_count = 0;
    return late;
}

static inline void lifeboat_counter_add_with(lifeboat_counter *counter, const lifeboat_metric_label *labels,
                                             size_t labels_count, uint64_t value) {
    if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_count_with_(&counter->metric, labels, labels_count, value);
    }
}

static inline void lifeboat_gauge_set_with(lifeboat_gauge *gauge, const lifeboat_metric_label *labels,
                                           size_t labels_count, double value) {
    if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_set_at_(lifeboat_gauge_with_(&gauge->metric, labels, labels_count), value);
    }
}

static inline void lifeboat_gauge_add_with(lifeboat_gauge *gauge, const lifeboat_metric_label *labels,
                                           size_t labels_count, double value) {
    if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_add_at_(lifeboat_gauge_with_(&gauge->metric, labels, labels_count), value);
    }
}

static inline void lifeboat_histogram_observe_with(lifeboat_histogram *histogram, const lifeboat_metric_label *labels,
                                                   size_t labels_count, double value) {
    if (LIFEBOAT_RARE_(LIFEBOAT_TABLE_() != 0)) {
        lifeboat_observe_with_(&histogram->metric, labels, labels_count, value);
    }
}

static inline lifeboat_counter lifeboat_counter_get(lifeboat_counter *counter, const lifeboat_metric_label *labels,
                                                    size_t labels_count) {
    lifeboat_counter found = {lifeboat_get_(&counter->metric, labels, labels_count)};
    return found;
}

static inline lifeboat_gauge lifeboat_gauge_get(lifeboat_gauge *gauge, const lifeboat_metric_label *labels,
                                                size_t labels_count) {
    lifeboat_gauge found = {lifeboat_get_(&gauge->metric, labels, labels_count)};
    return found;
}

static inline lifeboat_histogram lifeboat_histogram_get(lifeboat_histogram *histogram,
                                                        const lifeboat_metric_label *labels, size_t labels_count) {
    lifeboat_histogram found = {lifeboat_get_(&histogram->metric, labels, labels_count)};
    return found;
}

static inline void lifeboat_info_set(lifeboat_info *info, const lifeboat_metric_label *labels, size_t labels_count) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (LIFEBOAT_RARE_(table != 0) && LIFEBOAT_HAS_(table, info_set)) {
        (void)table->info_set(&info->metric, labels, labels ? labels_count : 0);
    }
}

#endif /* LIFEBOAT_METRICS_H */
