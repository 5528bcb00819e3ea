/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The calls of lifeboat.h with LIFEBOAT_LOAD or LIFEBOAT_LINK: through the reporter's table where there is one, else
 * nothing. Included by lifeboat.h alone; how the table is found in load mode is lifeboat_load.h's.
 *
 * What ends in an underscore is not API. It is weak and hidden: one copy in each program or shared library, however many
 * of its sources include lifeboat.h.
 */
#ifndef LIFEBOAT_ON_H
#define LIFEBOAT_ON_H

/* These headers keep quiet under any warning that a project turns on; our own tests ask to hear them. */
#ifndef LIFEBOAT_WARNINGS_
#pragma GCC system_header
#endif

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIFEBOAT_SHARED_ __attribute__((__weak__, __visibility__("hidden")))
#define LIFEBOAT_RARE_(condition) __builtin_expect((condition), 0)

#ifdef __cplusplus
#define LIFEBOAT_ASSERT_(condition, sentence) static_assert(condition, sentence)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define LIFEBOAT_ASSERT_(condition, sentence) _Static_assert(condition, sentence)
#else
#define LIFEBOAT_ASSERT_(condition, sentence) extern char lifeboat_assert_[(condition) ? 1 : -1]
#endif

#if defined(__LP64__)
LIFEBOAT_ASSERT_(sizeof(lifeboat_str) == 16, "lifeboat_str is two words");
LIFEBOAT_ASSERT_(sizeof(lifeboat_frame) == 48, "lifeboat_frame has no padding");
LIFEBOAT_ASSERT_(sizeof(lifeboat_metric_label) == 32, "lifeboat_metric_label is two texts");
LIFEBOAT_ASSERT_(sizeof(lifeboat_metric) == 72, "lifeboat_metric of ABI 1");
LIFEBOAT_ASSERT_(sizeof(lifeboat_options) == 112, "lifeboat_options of ABI 1");
LIFEBOAT_ASSERT_(offsetof(lifeboat_table, start) == 8, "the table's head is two uint32_t");
LIFEBOAT_ASSERT_(sizeof(lifeboat_table) == 200, "lifeboat_table of ABI 1");
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The reporter's table: null until a start succeeded, then the same for the life of the process. */
LIFEBOAT_SHARED_ const lifeboat_table *lifeboat_table_ = 0;

/* 1 while a thread is in its first start. */
LIFEBOAT_SHARED_ int lifeboat_starting_ = 0;

#define LIFEBOAT_TABLE_() __atomic_load_n(&lifeboat_table_, __ATOMIC_ACQUIRE)

/* Whether the reporter is new enough to have this entry, and has it. */
#define LIFEBOAT_HAS_(table, entry) \
    ((table)->struct_size >= offsetof(lifeboat_table, entry) + sizeof((table)->entry) && (table)->entry != 0)

/* Calls an entry and answers its status. */
#define LIFEBOAT_CALL_(entry, arguments)                        \
    const lifeboat_table *table = LIFEBOAT_TABLE_();            \
    if (LIFEBOAT_RARE_(table != 0)) {                           \
        if (!LIFEBOAT_HAS_(table, entry)) {                     \
            return LIFEBOAT_NOT_SUPPORTED;                      \
        }                                                       \
        return (lifeboat_status)table->entry arguments;         \
    }                                                           \
    return LIFEBOAT_NOT_STARTED

static inline lifeboat_str lifeboat_text_(const char *text) {
    lifeboat_str result = {text, text ? strlen(text) : 0};
    return result;
}

/* Whether the text is this word, which has small letters; the text's case does not matter, nor does the locale. */
static inline int lifeboat_is_word_(const char *text, const char *word) {
    int letter;
    do {
        letter = *text++;
        if (letter >= 'A' && letter <= 'Z') {
            letter += 'a' - 'A';
        }
        if (letter != *word) {
            return 0;
        }
    } while (*word++);
    return 1;
}

/* What LIFEBOAT asks for: 1 on, 0 off, -1 nothing. A word for neither turns off: it may be a mistyped `off`. */
LIFEBOAT_SHARED_ int lifeboat_switch_(void) {
    const char *text = getenv("LIFEBOAT");
    if (!text || !*text) {
        return -1;
    }
    return lifeboat_is_word_(text, "on") || lifeboat_is_word_(text, "1") || lifeboat_is_word_(text, "yes") ||
           lifeboat_is_word_(text, "true");
}

#ifdef LIFEBOAT_LOAD
#include "lifeboat_load.h"
#else
#ifdef __linux__
#include <sys/auxv.h>
#endif
extern char **environ;

/* The linked reporter's table, where it is turned on. `start` is the caller's copy, to be completed. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_find_(lifeboat_options *start, const lifeboat_table **out_table) {
    if (!(start->flags & LIFEBOAT_OPTION_ON) && lifeboat_switch_() != 1) {
        return LIFEBOAT_OFF;
    }
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
    /* The caller of a set-uid program chose its environment: it names no monitor to run with rights that he lacks. */
    if (getauxval(AT_SECURE)) {
        return LIFEBOAT_PRIVILEGED;
    }
    *out_table = lifeboat_api_v1(LIFEBOAT_ABI_VERSION, sizeof(lifeboat_table));
    return *out_table ? LIFEBOAT_OK : LIFEBOAT_REPORTER_OTHER_VERSION;
#else
    (void)out_table;
    return LIFEBOAT_UNSUPPORTED_PLATFORM;
#endif
}
#endif

static inline void lifeboat_watch_forks_(void);

/* Asks the table to start; it decides what a second start means. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_start_with_(const lifeboat_table *table, const lifeboat_options *start) {
    if (!LIFEBOAT_HAS_(table, start)) {
        return LIFEBOAT_NOT_SUPPORTED;
    }
    return (lifeboat_status)table->start(start);
}

/* The first start of this program or shared library: one thread at a time. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_start_first_(lifeboat_options *start) {
    const lifeboat_table *table = 0;
    lifeboat_status status;
    if (__atomic_exchange_n(&lifeboat_starting_, 1, __ATOMIC_ACQUIRE)) {
        return LIFEBOAT_ALREADY_STARTED;
    }
    table = LIFEBOAT_TABLE_();
    status = table ? LIFEBOAT_OK : lifeboat_find_(start, &table);
    if (status == LIFEBOAT_OK) {
        status = lifeboat_start_with_(table, start);
    }
    /* Another shared library of this process may have started the same reporter: then this one's calls go there too. */
    if (status == LIFEBOAT_OK || status == LIFEBOAT_ALREADY_STARTED) {
        lifeboat_watch_forks_();
        __atomic_store_n(&lifeboat_table_, table, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&lifeboat_starting_, 0, __ATOMIC_RELEASE);
    return status;
}

LIFEBOAT_SHARED_ lifeboat_status lifeboat_start_(const lifeboat_options *options) {
    lifeboat_options start;
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    int saved_errno = errno;
    lifeboat_status status;
    if (lifeboat_switch_() == 0) {
        return LIFEBOAT_OFF;
    }
    memset(&start, 0, sizeof start);
    if (options) {
        if (options->struct_size < offsetof(lifeboat_options, app)) {
            return LIFEBOAT_INVALID_ARGUMENT;
        }
        memcpy(&start, options, options->struct_size < sizeof start ? options->struct_size : sizeof start);
    }
    start.struct_size = sizeof start;
    if (!start.environ) {
        start.environ = (const char *const *)environ;
    }
#ifdef LIFEBOAT_LOAD
    if (table) {
        start.reporter = lifeboat_reporter_path_;
    }
#endif
    status = table ? lifeboat_start_with_(table, &start) : lifeboat_start_first_(&start);
    errno = saved_errno;
    return status;
}

static inline lifeboat_status lifeboat_start(const lifeboat_options *options) { return lifeboat_start_(options); }

static inline lifeboat_status lifeboat_stop(void) { LIFEBOAT_CALL_(stop, ()); }

static inline int lifeboat_is_on(void) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (LIFEBOAT_RARE_(table != 0) && LIFEBOAT_HAS_(table, is_on)) {
        return table->is_on() != 0;
    }
    return 0;
}

static inline lifeboat_status lifeboat_thread_attach(const char *name) {
    LIFEBOAT_CALL_(thread_attach, (lifeboat_text_(name)));
}

static inline lifeboat_status lifeboat_rearm(void) { LIFEBOAT_CALL_(rearm, ()); }

static inline lifeboat_status lifeboat_tag(const char *key, const char *value) {
    LIFEBOAT_CALL_(tag, (lifeboat_text_(key), lifeboat_text_(value)));
}

static inline lifeboat_status lifeboat_context(const char *section, const char *key, const char *value) {
    LIFEBOAT_CALL_(context, (lifeboat_text_(section), lifeboat_text_(key), lifeboat_text_(value)));
}

static inline lifeboat_status lifeboat_breadcrumb(uint32_t level, const char *category, const char *message) {
    LIFEBOAT_CALL_(breadcrumb, (level, lifeboat_text_(category), lifeboat_text_(message)));
}

static inline lifeboat_status lifeboat_error(uint32_t level, const char *type, const char *message,
                                             const lifeboat_frame *frames, size_t frames_count) {
    LIFEBOAT_CALL_(error, (level, lifeboat_text_(type), lifeboat_text_(message), frames, frames ? frames_count : 0));
}

static inline lifeboat_status lifeboat_fatal(const char *type, const char *message, const lifeboat_frame *frames,
                                             size_t frames_count) {
    LIFEBOAT_CALL_(fatal, (lifeboat_text_(type), lifeboat_text_(message), frames, frames ? frames_count : 0));
}

static inline lifeboat_status lifeboat_uncaught(uint32_t origin, const char *type, const char *message,
                                                const lifeboat_frame *frames, size_t frames_count) {
    LIFEBOAT_CALL_(uncaught,
                   (origin, lifeboat_text_(type), lifeboat_text_(message), frames, frames ? frames_count : 0));
}

static inline lifeboat_status lifeboat_check(const char *name, int passed, uint32_t severity, const char *detail) {
    LIFEBOAT_CALL_(check, (lifeboat_text_(name), passed != 0, severity, lifeboat_text_(detail)));
}

static inline lifeboat_status lifeboat_health(const char *component, int state, const char *detail) {
    LIFEBOAT_CALL_(health, (lifeboat_text_(component), state, lifeboat_text_(detail)));
}

static inline lifeboat_status lifeboat_heartbeat(const char *name, uint32_t deadline_ms) {
    const lifeboat_table *older = LIFEBOAT_TABLE_();
    if (LIFEBOAT_RARE_(older != 0) && !LIFEBOAT_HAS_(older, heartbeat)) {
        /* Whoever replaced a handler did so without telling: a loop that beats takes it back. Newer ones do so themselves. */
        (void)lifeboat_rearm();
    }
    LIFEBOAT_CALL_(heartbeat, (lifeboat_text_(name), deadline_ms));
}

static inline size_t lifeboat_metrics_text(char *buffer, size_t size) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
    if (LIFEBOAT_RARE_(table != 0) && LIFEBOAT_HAS_(table, metrics_text)) {
        return (size_t)table->metrics_text(buffer, buffer ? size : 0);
    }
    return 0;
}

LIFEBOAT_SHARED_ const char *lifeboat_status_text_(lifeboat_status status) {
    const lifeboat_table *table = LIFEBOAT_TABLE_();
#define LIFEBOAT_TEXT_(number, sentence) \
    case number:                         \
        return sentence;
    switch ((int)status) { LIFEBOAT_STATUSES(LIFEBOAT_TEXT_) }
#undef LIFEBOAT_TEXT_
    /* A newer reporter may know numbers that this header does not. */
    if (table && LIFEBOAT_HAS_(table, status_text)) {
        const char *text = table->status_text((int32_t)status);
        return text ? text : "unknown status";
    }
    return "unknown status";
}

static inline const char *lifeboat_status_text(lifeboat_status status) { return lifeboat_status_text_(status); }

#include "lifeboat_metrics.h"

LIFEBOAT_SHARED_ void lifeboat_bind_(lifeboat_metric *metric, uint32_t kind, const char *const texts[4],
                                     const lifeboat_metric_label *labels, size_t labels_count) {
    if (!metric) {
        return;
    }
    memset(metric, 0, sizeof *metric);
    metric->struct_size = sizeof *metric;
    metric->kind = kind;
    metric->module = texts[0];
    metric->name = texts[1];
    metric->help = texts[2];
    metric->unit = texts[3];
    metric->labels = labels;
    metric->labels_count = labels ? (uint32_t)labels_count : 0;
}

static inline void lifeboat_counter_bind(lifeboat_counter *counter, const char *module, const char *name,
                                         const char *help, const char *unit, const lifeboat_metric_label *labels,
                                         size_t labels_count) {
    const char *const texts[4] = {module, name, help, unit};
    lifeboat_bind_(counter ? &counter->metric : 0, LIFEBOAT_METRIC_KIND_COUNTER, texts, labels, labels_count);
}

static inline void lifeboat_gauge_bind(lifeboat_gauge *gauge, const char *module, const char *name, const char *help,
                                       const char *unit, const lifeboat_metric_label *labels, size_t labels_count) {
    const char *const texts[4] = {module, name, help, unit};
    lifeboat_bind_(gauge ? &gauge->metric : 0, LIFEBOAT_METRIC_KIND_GAUGE, texts, labels, labels_count);
}

static inline void lifeboat_histogram_bind(lifeboat_histogram *histogram, const char *module, const char *name,
                                           const char *help, const char *unit, const lifeboat_metric_label *labels,
                                           size_t labels_count) {
    const char *const texts[4] = {module, name, help, unit};
    lifeboat_bind_(histogram ? &histogram->metric : 0, LIFEBOAT_METRIC_KIND_HISTOGRAM, texts, labels, labels_count);
}

#ifdef __cplusplus
}

static inline lifeboat_status lifeboat_start(const lifeboat_options_builder &options) {
    return lifeboat_start_(options.get());
}
#endif

#undef LIFEBOAT_CALL_
#endif /* LIFEBOAT_ON_H */
