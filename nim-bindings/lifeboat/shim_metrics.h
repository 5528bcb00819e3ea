/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What metrics.h leaves out of line, part of shim.c: first uses, label values that are known late, amounts with a fraction.
 */

/* Labels of one metric; how many series with late values a thread remembers; how many series may owe a fraction. */
enum { LABELS_MAX = 16, REMEMBERED = 64, FRACTIONS = 256, PROBES = 8 };

/* The part of an amount that is no whole number yet is kept in thousand-millionths: seconds come in nanoseconds. */
#define WHOLE 1000000000ull

CALL_ void lifeboat_nim_count_first(void *handle, uint64_t value) { lifeboat_count_first_(handle, value); }

CALL_ void lifeboat_nim_gauge_set_first(void *handle, double value) { lifeboat_gauge_set(handle, value); }

CALL_ void lifeboat_nim_gauge_change(void *handle, double value) { lifeboat_gauge_add(handle, value); }

CALL_ void lifeboat_nim_observed(void *handle, double value) { lifeboat_histogram_observe(handle, value); }

CALL_ size_t lifeboat_nim_metrics_text(char *buffer, size_t size) { return lifeboat_metrics_text(buffer, size); }

/* A counter counts whole numbers: what is left is kept until it is one. Answers the whole part. */
static uint64_t carry(uint64_t *fraction, double amount) {
    uint64_t whole = (uint64_t)amount;
    uint64_t rest = (uint64_t)((amount - (double)whole) * (double)WHOLE + 0.5);
    uint64_t before = rest ? __atomic_load_n(fraction, __ATOMIC_RELAXED) : 0;
    while (rest && !__atomic_compare_exchange_n(fraction, &before, (before + rest) % WHOLE, 1, __ATOMIC_RELAXED,
                                                __ATOMIC_RELAXED)) {
    }
    return whole + (before + rest) / WHOLE;
}

/* A metric of compat_on.nim: what a counter owes lies behind it. */
typedef struct {
    lifeboat_metric metric;
    uint64_t fraction;
} collector;

/* Neither negative nor endless nor not a number. */
static int is_amount(double amount) { return amount >= 0 && amount < 9.2e18; }

CALL_ void lifeboat_nim_counter_add_float(void *handle, double amount) {
    if (lifeboat_table_ && is_amount(amount)) {
        lifeboat_counter_add((lifeboat_counter *)handle, carry(&((collector *)handle)->fraction, amount));
    }
}

/* What this thread knows of late label values, by their hash: as in the shared memory, it stands for them. */
static __thread struct {
    uint64_t hash;
    uint64_t slot;
} remembered[REMEMBERED];

/* A series whose label values came with the call. */
typedef struct {
    lifeboat_metric metric;
    uint64_t hash;
    lifeboat_metric_label labels[LABELS_MAX];
} series;

static uint64_t mixed(uint64_t hash, uint64_t word) {
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15ull;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the metric and the values, each with its length. Never 0. */
static uint64_t hash_of(const void *metric, const lifeboat_str *values, size_t count) {
    uint64_t hash = mixed(0x2545f4914f6cdd1dull, (uint64_t)metric);
    for (size_t index = 0; index < count; index++) {
        const char *bytes = values[index].data;
        uint64_t left = values[index].length;
        uint64_t word = 0;
        hash = mixed(hash + 0x632be59bd9b4e019ull, left);
        for (; left > 8; left -= 8, bytes += 8) {
            memcpy(&word, bytes, 8);
            hash = mixed(hash, word);
        }
        word = 0;
        memcpy(&word, bytes ? bytes : "", left);
        hash = mixed(hash, word);
    }
    return hash ? hash : 1;
}

/* Resolves the metric with these values for its labels; false where there is no such series, or nobody to tell. */
static int find_series(series *out, const lifeboat_metric *metric, const lifeboat_str *values, size_t count) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (!table || count != metric->labels_count || count > LABELS_MAX || !LIFEBOAT_HAS_(table, metric_resolve)) {
        return 0;
    }
    out->metric = *metric;
    out->hash = hash_of(metric, values, count);
    out->metric.labels = out->labels;
    size_t place = out->hash % REMEMBERED;
    if (remembered[place].hash != out->hash) {
        out->metric.slot = 0;
        for (size_t index = 0; index < count; index++) {
            out->labels[index] = (lifeboat_metric_label){metric->labels[index].name, values[index]};
        }
        (void)table->metric_resolve(&out->metric);
        if (!out->metric.slot) {
            return 0;
        }
        remembered[place].hash = out->hash;
        remembered[place].slot = out->metric.slot;
    }
    out->metric.slot = (uint32_t)remembered[place].slot;
    return out->metric.slot != UINT32_MAX;
}

CALL_ void lifeboat_nim_counter_add_values(void *metric, uint64_t amount, const lifeboat_str *values, size_t count) {
    series found;
    if (find_series(&found, metric, values, count)) {
        lifeboat_counter_add((lifeboat_counter *)&found.metric, amount);
    }
}

CALL_ void lifeboat_nim_gauge_set_values(void *metric, double amount, const lifeboat_str *values, size_t count) {
    series found;
    if (find_series(&found, metric, values, count)) {
        lifeboat_gauge_set((lifeboat_gauge *)&found.metric, amount);
    }
}

CALL_ void lifeboat_nim_gauge_add_values(void *metric, double amount, const lifeboat_str *values, size_t count) {
    series found;
    if (find_series(&found, metric, values, count)) {
        lifeboat_gauge_add((lifeboat_gauge *)&found.metric, amount);
    }
}

CALL_ void lifeboat_nim_observe_values(void *metric, double amount, const lifeboat_str *values, size_t count) {
    series found;
    if (find_series(&found, metric, values, count)) {
        lifeboat_histogram_observe((lifeboat_histogram *)&found.metric, amount);
    }
}

/* What series with late values owe, by their hash. */
static struct {
    uint64_t hash;
    uint64_t fraction;
} owed[FRACTIONS];

static uint64_t *fraction_of(uint64_t hash) {
    for (size_t probe = 0; probe < PROBES; probe++) {
        size_t place = (hash + probe) % FRACTIONS;
        uint64_t none = 0;
        if (__atomic_compare_exchange_n(&owed[place].hash, &none, hash, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ||
            none == hash) {
            return &owed[place].fraction;
        }
    }
    return 0;
}

CALL_ void lifeboat_nim_counter_add_float_values(void *metric, double amount, const lifeboat_str *values,
                                                 size_t count) {
    series found;
    if (is_amount(amount) && find_series(&found, metric, values, count)) {
        uint64_t whole = (uint64_t)amount;
        uint64_t *fraction = (double)whole == amount ? 0 : fraction_of(found.hash);
        /* With no place left for what it owes, the nearest whole number. */
        whole = fraction ? carry(fraction, amount) : (uint64_t)(amount + 0.5);
        lifeboat_counter_add((lifeboat_counter *)&found.metric, whole);
    }
}
