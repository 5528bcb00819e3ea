/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What metrics.h leaves out of line, part of shim.c: first uses, label values that are known late, amounts with a fraction.
 */

/* Labels of one metric; how many series with late values a thread remembers; how many series may owe a fraction. */
enum { LABELS_MAX = 32, REMEMBERED = 64, FRACTIONS = 256, PROBES = 8 };

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

/* What this thread knows of late labels, by their hash: as in the shared memory, it stands for them. */
static __thread struct {
    uint64_t hash;
    uint64_t slot;
} remembered[REMEMBERED];

/* Labels as they come with a call: names and values, or values alone where the metric has the names. */
typedef struct {
    const lifeboat_metric_label *labels;
    const lifeboat_str *values;
    size_t count;
} late;

static inline uint64_t mixed(uint64_t hash, uint64_t word) {
    unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15ull;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t bytes_at(const char *bytes, size_t count) {
    uint64_t word = 0;
    memcpy(&word, bytes, count);
    return word;
}

/* Of the metric and the texts, each with its length. Never 0. */
static inline uint64_t hash_of(const void *metric, const lifeboat_str *texts, size_t count) {
    uint64_t hash = (uint64_t)metric;
    for (size_t index = 0; index < count; index++) {
        const char *bytes = texts[index].data;
        uint64_t length = texts[index].length;
        uint64_t left = length;
        for (; left > 8; left -= 8, bytes += 8) {
            hash = mixed(hash, bytes_at(bytes, 8));
        }
        /* What is left, by two reads that may overlap; the length tells apart what they make alike. */
        uint64_t word = left >= 4  ? bytes_at(bytes, 4) << 32 | bytes_at(bytes + left - 4, 4)
                        : left > 0 ? (uint64_t)(unsigned char)bytes[0] << 16 | (unsigned char)bytes[left / 2] << 8 |
                                         (unsigned char)bytes[left - 1]
                                   : 0;
        hash = mixed(hash + length * 0x632be59bd9b4e019ull, word);
    }
    return hash ? hash : 1;
}

/* A histogram without bounds of its own learns the reporter's, which every thread writes alike. */
static void take_bounds(lifeboat_metric *metric, const lifeboat_metric *resolved) {
    if (!metric->bounds && resolved->bounds) {
        metric->bounds_count = resolved->bounds_count;
        __atomic_store_n(&metric->bounds, resolved->bounds, __ATOMIC_RELEASE);
    }
}

/* Registers the metric with these labels; its slot, 0 where there is nobody to tell or another thread does the same. */
static __attribute__((__noinline__)) uint32_t resolve_late(lifeboat_metric *metric, late given) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    lifeboat_metric_label labels[LABELS_MAX];
    lifeboat_metric series;
    if (!table || !LIFEBOAT_HAS_(table, metric_resolve) || given.count > LABELS_MAX ||
        (given.values && given.count != metric->labels_count)) {
        return 0;
    }
    for (size_t index = 0; given.values && index < given.count; index++) {
        labels[index] = (lifeboat_metric_label){metric->labels[index].name, given.values[index]};
    }
    series = lifeboat_with_(metric, given.values ? labels : given.labels, given.count);
    (void)table->metric_resolve(&series);
    lifeboat_remember_(metric, &series);
    take_bounds(metric, &series);
    return series.slot;
}

/* The slot of the metric with these labels, UINT32_MAX where it was refused, 0 where there is none. */
static inline uint32_t slot_of(lifeboat_metric *metric, late given, uint64_t *out_hash) {
    const lifeboat_str *texts = given.values ? given.values : (const lifeboat_str *)given.labels;
    uint64_t hash;
    size_t place;
    if (!lifeboat_table_) {
        return 0;
    }
    hash = hash_of(metric, texts, given.values ? given.count : 2 * given.count);
    place = hash % REMEMBERED;
    *out_hash = hash;
    if (LIFEBOAT_RARE_(remembered[place].hash != hash)) {
        uint32_t slot = resolve_late(metric, given);
        if (slot == 0) {
            return 0;
        }
        remembered[place].hash = hash;
        remembered[place].slot = slot;
    }
    return (uint32_t)remembered[place].slot;
}

/* The metric as a handle of this series. */
static inline lifeboat_metric handle_of(const lifeboat_metric *metric, uint32_t slot) {
    lifeboat_metric series = *metric;
    series.slot = slot;
    return series;
}

static inline void counter_add_slot(lifeboat_metric *metric, uint32_t slot, uint64_t amount) {
    uint64_t *row = lifeboat_row_;
    if (__builtin_expect(row != 0 && LIFEBOAT_IS_SLOT_(slot), 1)) {
        lifeboat_store_(row + slot, row[slot] + amount);
    } else if (slot) {
        lifeboat_metric series = handle_of(metric, slot);
        lifeboat_count_first_(&series, amount);
    }
}

static inline void counter_add_late(void *metric, uint64_t amount, late given) {
    uint64_t hash;
    counter_add_slot(metric, slot_of(metric, given, &hash), amount);
}

static inline void gauge_set_late(void *metric, double amount, late given) {
    uint64_t hash;
    uint32_t slot = slot_of(metric, given, &hash);
    if (slot) {
        lifeboat_gauge series = {handle_of(metric, slot)};
        lifeboat_gauge_set(&series, amount);
    }
}

static inline void gauge_add_late(void *metric, double amount, late given) {
    uint64_t hash;
    uint32_t slot = slot_of(metric, given, &hash);
    if (slot) {
        lifeboat_gauge series = {handle_of(metric, slot)};
        lifeboat_gauge_add(&series, amount);
    }
}

static inline void observe_late(void *metric, double amount, late given) {
    uint64_t hash;
    uint32_t slot = slot_of(metric, given, &hash);
    if (slot) {
        lifeboat_histogram series = {handle_of(metric, slot)};
        lifeboat_histogram_observe(&series, amount);
    }
}

/* Each of these twice: with names and values, and with values for the names that the metric has. */
#define LATE_(call, type)                                                                                             \
    CALL_ void lifeboat_nim_##call##_labels(void *metric, type amount, const lifeboat_metric_label *labels,           \
                                            size_t count) {                                                           \
        call##_late(metric, amount, (late){labels, 0, count});                                                        \
    }                                                                                                                 \
    CALL_ void lifeboat_nim_##call##_values(void *metric, type amount, const lifeboat_str *values, size_t count) {    \
        call##_late(metric, amount, (late){0, values, count});                                                        \
    }
LATE_(counter_add, uint64_t)
LATE_(gauge_set, double)
LATE_(gauge_add, double)
LATE_(observe, double)

/* A handle of the metric's series with these labels: it keeps none of the caller's texts. */
CALL_ void lifeboat_nim_get(void *metric, const lifeboat_metric_label *labels, size_t count, void *out_handle) {
    *(lifeboat_metric *)out_handle = lifeboat_get_(metric, labels, count);
}

CALL_ void lifeboat_nim_info_set(void *info, const lifeboat_metric_label *labels, size_t count) {
    lifeboat_info_set((lifeboat_info *)info, labels, count);
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
    uint64_t hash;
    uint32_t slot = is_amount(amount) ? slot_of(metric, (late){0, values, count}, &hash) : 0;
    if (slot) {
        uint64_t whole = (uint64_t)amount;
        uint64_t *fraction = (double)whole == amount ? 0 : fraction_of(hash);
        if (fraction) {
            whole = carry(fraction, amount);
        } else if ((double)whole != amount) {
            /* With no place left for what it owes: the nearest whole number. */
            whole = (uint64_t)(amount + 0.5);
        }
        counter_add_slot(metric, slot, whole);
    }
}
