/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lifeboat for nodes in C and C++: calls and their three build modes.
 *
 *   (nothing)        The public build. Statement calls compile to nothing, value calls to a constant; no argument is
 *                    evaluated; no symbol, string or dependency is left in the program.
 *   -DLIFEBOAT_LOAD  The reporter is loaded at run time, from LIFEBOAT_REPORTER=/absolute/liblifeboat_reporter.so.
 *                    Needs -ldl with a glibc older than 2.34.
 *   -DLIFEBOAT_LINK  The reporter is linked in (liblifeboat_reporter.a) and turned on by LIFEBOAT=on.
 *
 *     #include <lifeboat.h>
 *
 *     lifeboat_start(&(lifeboat_options){LIFEBOAT_OPTIONS, .app = "demo-node", .version = "1.4.2"});
 *     lifeboat_start(LIFEBOAT_OPTIONS.app("demo-node").version("1.4.2"));                    // in C++
 *
 *     lifeboat_thread_attach("gossip");
 *     lifeboat_tag("role", "store");
 *     lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "peer", "connected");
 *
 * Without LIFEBOAT_REPORTER (or LIFEBOAT=on) nothing happens: no thread, no file, no system call, and a call costs one
 * predictable branch. LIFEBOAT=off wins over everything. The environment wins over the options.
 *
 * For every call: texts are NUL-terminated UTF-8, may be NULL (the empty text), stay the caller's, and are copied before
 * the call returns. Any thread may call. No call prints, ends the process, allocates, locks or changes errno; only
 * lifeboat_start and lifeboat_stop may wait. From a signal handler only what says so. An answered status may be ignored.
 *
 * The public build's constants: LIFEBOAT_DISABLED for every status, 0 for lifeboat_is_on and lifeboat_metrics_text, ""
 * for lifeboat_status_text. There the calls are macros: their address cannot be taken, and in C++ before C++20 an
 * argument cannot hold a lambda expression. A static metric handle belongs at file scope: it has size 0, and from -O1 on
 * no trace; at -O0 compilers keep its name in the symbol table until the program is stripped, and clang a few
 * instructions of a handle that a call answers.
 */
#ifndef LIFEBOAT_H
#define LIFEBOAT_H

#if defined(LIFEBOAT_LOAD) && defined(LIFEBOAT_LINK)
#error "LIFEBOAT_LOAD and LIFEBOAT_LINK exclude each other: define one, or none for the public build"
#endif

#include "lifeboat_abi.h"

#if defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK)
#define LIFEBOAT_FUNCTION_ static inline __attribute__((__unused__))
#else
#define LIFEBOAT_FUNCTION_
/* Silences "statement with no effect" where a constant stands for a call; nothing below is compiled into a program. */
#pragma GCC system_header
#endif

/** The head of an options literal in C, `{LIFEBOAT_OPTIONS, .app = "…"}`; in C++ see lifeboat_options_builder. */
#ifndef __cplusplus
#define LIFEBOAT_OPTIONS .struct_size = sizeof(lifeboat_options)
#endif

/** A lifeboat_str of a string literal, for frames and labels: `{.function = LIFEBOAT_STR("main")}`. */
#define LIFEBOAT_STR(literal) {"" literal, sizeof(literal) - 1}

#if defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK)
/**
 * A handle of one series: declared static, used before or after start, resolved at its first use after start. The texts
 * must live as long as the handle; `unit` may be NULL. The series is `<module>_<name>[_<unit>][_total]`.
 */
typedef struct lifeboat_counter {
    lifeboat_metric metric;
} lifeboat_counter;
/** As lifeboat_counter, for a value that goes up and down. */
typedef struct lifeboat_gauge {
    lifeboat_metric metric;
} lifeboat_gauge;
/** As lifeboat_counter, for the sizes of observations. */
typedef struct lifeboat_histogram {
    lifeboat_metric metric;
} lifeboat_histogram;
/** Labels that say what is true of the node, such as a build's commit: the series `<module>_<name>_info`, whose value is 1. */
typedef struct lifeboat_info {
    lifeboat_metric metric;
} lifeboat_info;

#define LIFEBOAT_METRIC_(kind, module, name, help, unit) \
    {{sizeof(lifeboat_metric), (kind), 0, 0, 0, (module), (name), (help), (unit), 0, 0, 0}}
/** `static lifeboat_counter messages = LIFEBOAT_COUNTER("gossip", "messages", "Messages received.", NULL);` */
#define LIFEBOAT_COUNTER(module, name, help, unit) \
    LIFEBOAT_METRIC_(LIFEBOAT_METRIC_KIND_COUNTER, module, name, help, unit)
/** The same for a gauge. */
#define LIFEBOAT_GAUGE(module, name, help, unit) \
    LIFEBOAT_METRIC_(LIFEBOAT_METRIC_KIND_GAUGE, module, name, help, unit)
/** The same for a histogram. */
#define LIFEBOAT_HISTOGRAM(module, name, help, unit) \
    LIFEBOAT_METRIC_(LIFEBOAT_METRIC_KIND_HISTOGRAM, module, name, help, unit)
/** The same with upper bounds of its own, ascending, at most 32: `LIFEBOAT_HISTOGRAM_BOUNDS("store", "row", "Size of a row.",
 * "bytes", 64, 512, 4096)`. Without them they go from 100 us to 50 s. */
#define LIFEBOAT_HISTOGRAM_BOUNDS(module, name, help, unit, ...)                                                        \
    {{sizeof(lifeboat_metric), LIFEBOAT_METRIC_KIND_HISTOGRAM, 0, 0, 0, (module), (name), (help), (unit),               \
      LIFEBOAT_BOUNDS_(__VA_ARGS__), LIFEBOAT_BOUNDS_COUNT_(__VA_ARGS__), 0}}
#ifdef __cplusplus
template <typename... Bounds> constexpr uint32_t lifeboat_bounds_count_(Bounds...) { return sizeof...(Bounds); }
#define LIFEBOAT_BOUNDS_(...)                            \
    []() -> const double * {                             \
        static const double bounds[] = {__VA_ARGS__};    \
        return bounds;                                   \
    }()
#define LIFEBOAT_BOUNDS_COUNT_(...) lifeboat_bounds_count_(__VA_ARGS__)
#else
#define LIFEBOAT_BOUNDS_(...) ((const double[]){__VA_ARGS__})
#define LIFEBOAT_BOUNDS_COUNT_(...) ((uint32_t)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))
#endif
/** The same for an info, which has no unit; lifeboat_info_set gives it its labels. */
#define LIFEBOAT_INFO(module, name, help) LIFEBOAT_METRIC_(LIFEBOAT_METRIC_KIND_INFO, module, name, help, NULL)
#else
#define LIFEBOAT_HANDLE_OFF_(handle)                            \
    typedef struct __attribute__((__unused__)) handle {         \
        char nothing[0];                                        \
    } handle
LIFEBOAT_HANDLE_OFF_(lifeboat_counter);
LIFEBOAT_HANDLE_OFF_(lifeboat_gauge);
LIFEBOAT_HANDLE_OFF_(lifeboat_histogram);
LIFEBOAT_HANDLE_OFF_(lifeboat_info);
#undef LIFEBOAT_HANDLE_OFF_
/* What takes the place of a handle that a call would answer. */
typedef lifeboat_counter lifeboat_counter_off_;
typedef lifeboat_gauge lifeboat_gauge_off_;
typedef lifeboat_histogram lifeboat_histogram_off_;
#if defined(__clang__) || defined(__cplusplus)
/* These want to hear of each variable, not of its type, that it may stay unused. */
#define lifeboat_counter __attribute__((__unused__)) lifeboat_counter
#define lifeboat_gauge __attribute__((__unused__)) lifeboat_gauge
#define lifeboat_histogram __attribute__((__unused__)) lifeboat_histogram
#define lifeboat_info __attribute__((__unused__)) lifeboat_info
#endif
#ifdef __clang__
#define LIFEBOAT_METRIC_OFF_                                                                  \
    _Pragma("clang diagnostic push") _Pragma("clang diagnostic ignored \"-Wpedantic\"") {{}}  \
    _Pragma("clang diagnostic pop")
#else
#define LIFEBOAT_METRIC_OFF_ {{}}
#endif
#define LIFEBOAT_COUNTER(module, name, help, unit) LIFEBOAT_METRIC_OFF_
#define LIFEBOAT_GAUGE(module, name, help, unit) LIFEBOAT_METRIC_OFF_
#define LIFEBOAT_HISTOGRAM(module, name, help, unit) LIFEBOAT_METRIC_OFF_
#define LIFEBOAT_HISTOGRAM_BOUNDS(module, name, help, unit, ...) LIFEBOAT_METRIC_OFF_
#define LIFEBOAT_INFO(module, name, help) LIFEBOAT_METRIC_OFF_
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Begins: loads the reporter where one is named, and starts it. `options` may be NULL. The first start stays in force;
 * of two at once one wins, and the other answers LIFEBOAT_ALREADY_STARTED. A start that failed may be repeated.
 * Not from a signal handler.
 */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_start(const lifeboat_options *options);

/** A clean end: what comes after is no death. Not from a signal handler. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_stop(void);

/** 1 while a reporter is at work in this process, else 0. Also from a signal handler. */
LIFEBOAT_FUNCTION_ int lifeboat_is_on(void);

/** Gives the calling thread a signal stack and a name; NULL keeps the name it has. Once in each thread. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_thread_attach(const char *name);

/** Takes the signal handlers back after something replaced them. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_rearm(void);

/** Sets a tag of the node; a later value replaces the earlier. Also from a signal handler. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_tag(const char *key, const char *value);

/** Sets one value in a context section, such as `node` / `peers` / `48`. Also from a signal handler. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_context(const char *section, const char *key, const char *value);

/** Leaves a breadcrumb, one step of the trail before a death; `level` is a lifeboat_level. Also from a signal handler. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_breadcrumb(uint32_t level, const char *category, const char *message);

/** Reports a handled error. `frames`, innermost first, stay the caller's; NULL and 0 where there are none. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_error(uint32_t level, const char *type, const char *message,
                                                  const lifeboat_frame *frames, size_t frames_count);

/** Last words: the process is about to end. Reported once, with the death. Also from a signal handler. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_fatal(const char *type, const char *message, const lifeboat_frame *frames,
                                                  size_t frames_count);

/**
 * Last words of a language: an exception that nobody caught. `origin` is a lifeboat_origin and gives the report its cause.
 * A panic counts only where its own thread then ends the process; with LIFEBOAT_REPORT_IF_CAUGHT added it is reported as a
 * handled error where the process lives on. Else as lifeboat_fatal; also from a signal handler.
 */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_uncaught(uint32_t origin, const char *type, const char *message,
                                                     const lifeboat_frame *frames, size_t frames_count);

/**
 * An invariant: counted always, reported when `passed` is 0; `severity` is a lifeboat_level. Counted by `name`, of at most 64
 * bytes: let it be one of a few, and put what varies into `detail`.
 */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_check(const char *name, int passed, uint32_t severity, const char *detail);

/** A component's state: 0 ok, 1 degraded, 2 failing, -1 unknown; no other is taken. Of 64 components at most, with names
 * of 64 bytes. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_health(const char *component, int state, const char *detail);

/**
 * Proof of life of a loop; the next is due within `deadline_ms`, and 0 says that the loop has ended properly. Once a second it
 * takes the signal handlers back, as lifeboat_rearm. Of 64 loops at most, with names of 64 bytes.
 */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_heartbeat(const char *name, uint32_t deadline_ms);

/**
 * Writes the registry as OpenMetrics text, `# EOF` and a NUL at its end, and answers how many bytes that takes; 0 where there
 * is none. Where `size` is less the text is empty: ask again with more, since the node counts on meanwhile. `buffer` stays the
 * caller's and may be NULL when `size` is 0. Takes some 8 KiB of the stack.
 */
LIFEBOAT_FUNCTION_ size_t lifeboat_metrics_text(char *buffer, size_t size);

/** The sentence for a status: its cause and remedy. Valid for the life of the process; not to be freed. */
LIFEBOAT_FUNCTION_ const char *lifeboat_status_text(lifeboat_status status);

/** Adds to a counter. The handle stays the caller's; any thread may use it at any time. So for all metric calls. */
LIFEBOAT_FUNCTION_ void lifeboat_counter_add(lifeboat_counter *counter, uint64_t value);

/** Sets a gauge. */
LIFEBOAT_FUNCTION_ void lifeboat_gauge_set(lifeboat_gauge *gauge, double value);

/** Adds to a gauge; `value` may be negative. */
LIFEBOAT_FUNCTION_ void lifeboat_gauge_add(lifeboat_gauge *gauge, double value);

/** Observes one value. */
LIFEBOAT_FUNCTION_ void lifeboat_histogram_observe(lifeboat_histogram *histogram, double value);

/**
 * Adds to the series that has these labels, for labels that are known late; it is made at its first use, whatever the
 * labels' order. All texts and `labels` stay the caller's and need not outlive the call; the handle's own labels do not
 * count. Costs a hash and a look-up, allocates nothing. Past `series_max` a counter's rest is counted together, under
 * `overflow="true"`; another metric's is counted nowhere. So for all calls that end in `_with`.
 */
LIFEBOAT_FUNCTION_ void lifeboat_counter_add_with(lifeboat_counter *counter, const lifeboat_metric_label *labels,
                                                  size_t labels_count, uint64_t value);

/** As lifeboat_counter_add_with. */
LIFEBOAT_FUNCTION_ void lifeboat_gauge_set_with(lifeboat_gauge *gauge, const lifeboat_metric_label *labels,
                                                size_t labels_count, double value);

/** As lifeboat_counter_add_with. */
LIFEBOAT_FUNCTION_ void lifeboat_gauge_add_with(lifeboat_gauge *gauge, const lifeboat_metric_label *labels,
                                                size_t labels_count, double value);

/** As lifeboat_counter_add_with. */
LIFEBOAT_FUNCTION_ void lifeboat_histogram_observe_with(lifeboat_histogram *histogram,
                                                        const lifeboat_metric_label *labels, size_t labels_count,
                                                        double value);

/**
 * A handle of the series that has these labels, to be used often: it costs what a handle without labels costs. `labels`
 * and their texts stay the caller's and need not outlive the call; the texts of `counter` itself must outlive the answer.
 * Before start, and where the series is refused, the answer counts nothing, ever: get it again. Where `series_max` is
 * reached it is the handle of what is counted together. A copy of it is as good.
 */
LIFEBOAT_FUNCTION_ lifeboat_counter lifeboat_counter_get(lifeboat_counter *counter, const lifeboat_metric_label *labels,
                                                         size_t labels_count);

/** As lifeboat_counter_get; where `series_max` is reached the answer counts nothing. */
LIFEBOAT_FUNCTION_ lifeboat_gauge lifeboat_gauge_get(lifeboat_gauge *gauge, const lifeboat_metric_label *labels,
                                                     size_t labels_count);

/** As lifeboat_gauge_get. */
LIFEBOAT_FUNCTION_ lifeboat_histogram lifeboat_histogram_get(lifeboat_histogram *histogram,
                                                             const lifeboat_metric_label *labels, size_t labels_count);

/**
 * Sets an info's labels, in the place of those that it had; after start alone. All texts and `labels` stay the caller's.
 * Each set of labels that there ever was takes one of the node's series: for what seldom changes. Set it from one thread:
 * of two that set it at the same moment one may lose.
 */
LIFEBOAT_FUNCTION_ void lifeboat_info_set(lifeboat_info *info, const lifeboat_metric_label *labels,
                                          size_t labels_count);

/** Makes `counter` a series with labels, before its first use. All texts and `labels` must live as long as the handle. */
LIFEBOAT_FUNCTION_ void lifeboat_counter_bind(lifeboat_counter *counter, const char *module, const char *name,
                                              const char *help, const char *unit, const lifeboat_metric_label *labels,
                                              size_t labels_count);

/** As lifeboat_counter_bind. */
LIFEBOAT_FUNCTION_ void lifeboat_gauge_bind(lifeboat_gauge *gauge, const char *module, const char *name,
                                            const char *help, const char *unit, const lifeboat_metric_label *labels,
                                            size_t labels_count);

/** As lifeboat_counter_bind. */
LIFEBOAT_FUNCTION_ void lifeboat_histogram_bind(lifeboat_histogram *histogram, const char *module, const char *name,
                                                const char *help, const char *unit,
                                                const lifeboat_metric_label *labels, size_t labels_count);

#ifdef __cplusplus
}

/** Options in C++: `LIFEBOAT_OPTIONS.app("demo-node").version("1.4.2")`. The texts stay the caller's. */
class lifeboat_options_builder {
    lifeboat_options options_;

public:
    lifeboat_options_builder() : options_() { options_.struct_size = sizeof(lifeboat_options); }
#define LIFEBOAT_SETTER_(type, field)                   \
    lifeboat_options_builder &field(type value) {       \
        options_.field = value;                         \
        return *this;                                   \
    }
    LIFEBOAT_SETTER_(uint32_t, flags)
    LIFEBOAT_SETTER_(const char *, app)
    LIFEBOAT_SETTER_(const char *, version)
    LIFEBOAT_SETTER_(const char *, commit)
    LIFEBOAT_SETTER_(const char *, environment)
    LIFEBOAT_SETTER_(const char *, fleet)
    LIFEBOAT_SETTER_(const char *, node)
    LIFEBOAT_SETTER_(const char *, tags)
    LIFEBOAT_SETTER_(const char *, dsn)
    LIFEBOAT_SETTER_(const char *, state_dir)
    LIFEBOAT_SETTER_(const char *, reporter)
    LIFEBOAT_SETTER_(const char *, monitor)
    LIFEBOAT_SETTER_(uint32_t, capture_timeout_ms)
    LIFEBOAT_SETTER_(uint32_t, series_max)
#undef LIFEBOAT_SETTER_
    const lifeboat_options *get() const { return &options_; }
};
#define LIFEBOAT_OPTIONS lifeboat_options_builder()

/** lifeboat_start with built options. */
LIFEBOAT_FUNCTION_ lifeboat_status lifeboat_start(const lifeboat_options_builder &options);
#endif

#if defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK)
#include "lifeboat_on.h"
#else
/*
 * The public build. The operand of typeof is never evaluated, so that a call leaves nothing; but it is checked, so that
 * a public build finds the same mistakes, and a variable that only telemetry reads is not called unused.
 */
#ifdef __cplusplus
#define LIFEBOAT_UNEVALUATED_(call) sizeof(__typeof__(call) *)
#else
/* In a block of its own: at -O0 gcc gives a compound literal room on the stack even where it is never evaluated. */
#define LIFEBOAT_UNEVALUATED_(call) sizeof(__typeof__(__extension__({ call; })) *)
#endif
#define LIFEBOAT_CONSTANT_(call, type, constant) ((type)(0 * LIFEBOAT_UNEVALUATED_(call) + (constant)))
#define LIFEBOAT_DISABLED_(call) LIFEBOAT_CONSTANT_(call, lifeboat_status, LIFEBOAT_DISABLED)
#define LIFEBOAT_NOTHING_(call) ((void)LIFEBOAT_UNEVALUATED_(call))
#ifdef __cplusplus
#define LIFEBOAT_NO_HANDLE_(call, handle) (LIFEBOAT_NOTHING_(call), handle())
#else
#define LIFEBOAT_NO_HANDLE_(call, handle) (LIFEBOAT_NOTHING_(call), (handle)LIFEBOAT_METRIC_OFF_)
#endif

#define lifeboat_start(...) LIFEBOAT_DISABLED_(lifeboat_start(__VA_ARGS__))
#define lifeboat_stop() LIFEBOAT_DISABLED_(lifeboat_stop())
#define lifeboat_is_on() LIFEBOAT_CONSTANT_(lifeboat_is_on(), int, 0)
#define lifeboat_thread_attach(...) LIFEBOAT_DISABLED_(lifeboat_thread_attach(__VA_ARGS__))
#define lifeboat_rearm() LIFEBOAT_DISABLED_(lifeboat_rearm())
#define lifeboat_tag(...) LIFEBOAT_DISABLED_(lifeboat_tag(__VA_ARGS__))
#define lifeboat_context(...) LIFEBOAT_DISABLED_(lifeboat_context(__VA_ARGS__))
#define lifeboat_breadcrumb(...) LIFEBOAT_DISABLED_(lifeboat_breadcrumb(__VA_ARGS__))
#define lifeboat_error(...) LIFEBOAT_DISABLED_(lifeboat_error(__VA_ARGS__))
#define lifeboat_fatal(...) LIFEBOAT_DISABLED_(lifeboat_fatal(__VA_ARGS__))
#define lifeboat_uncaught(...) LIFEBOAT_DISABLED_(lifeboat_uncaught(__VA_ARGS__))
#define lifeboat_check(...) LIFEBOAT_DISABLED_(lifeboat_check(__VA_ARGS__))
#define lifeboat_health(...) LIFEBOAT_DISABLED_(lifeboat_health(__VA_ARGS__))
#define lifeboat_heartbeat(...) LIFEBOAT_DISABLED_(lifeboat_heartbeat(__VA_ARGS__))
#define lifeboat_metrics_text(...) LIFEBOAT_CONSTANT_(lifeboat_metrics_text(__VA_ARGS__), size_t, 0)
#define lifeboat_status_text(...) (&""[0 * LIFEBOAT_UNEVALUATED_(lifeboat_status_text(__VA_ARGS__))])
#define lifeboat_counter_add(...) LIFEBOAT_NOTHING_(lifeboat_counter_add(__VA_ARGS__))
#define lifeboat_gauge_set(...) LIFEBOAT_NOTHING_(lifeboat_gauge_set(__VA_ARGS__))
#define lifeboat_gauge_add(...) LIFEBOAT_NOTHING_(lifeboat_gauge_add(__VA_ARGS__))
#define lifeboat_histogram_observe(...) LIFEBOAT_NOTHING_(lifeboat_histogram_observe(__VA_ARGS__))
#define lifeboat_counter_add_with(...) LIFEBOAT_NOTHING_(lifeboat_counter_add_with(__VA_ARGS__))
#define lifeboat_gauge_set_with(...) LIFEBOAT_NOTHING_(lifeboat_gauge_set_with(__VA_ARGS__))
#define lifeboat_gauge_add_with(...) LIFEBOAT_NOTHING_(lifeboat_gauge_add_with(__VA_ARGS__))
#define lifeboat_histogram_observe_with(...) LIFEBOAT_NOTHING_(lifeboat_histogram_observe_with(__VA_ARGS__))
#define lifeboat_counter_get(...) LIFEBOAT_NO_HANDLE_(lifeboat_counter_get(__VA_ARGS__), lifeboat_counter_off_)
#define lifeboat_gauge_get(...) LIFEBOAT_NO_HANDLE_(lifeboat_gauge_get(__VA_ARGS__), lifeboat_gauge_off_)
#define lifeboat_histogram_get(...) LIFEBOAT_NO_HANDLE_(lifeboat_histogram_get(__VA_ARGS__), lifeboat_histogram_off_)
#define lifeboat_info_set(...) LIFEBOAT_NOTHING_(lifeboat_info_set(__VA_ARGS__))
#define lifeboat_counter_bind(...) LIFEBOAT_NOTHING_(lifeboat_counter_bind(__VA_ARGS__))
#define lifeboat_gauge_bind(...) LIFEBOAT_NOTHING_(lifeboat_gauge_bind(__VA_ARGS__))
#define lifeboat_histogram_bind(...) LIFEBOAT_NOTHING_(lifeboat_histogram_bind(__VA_ARGS__))
#endif

#undef LIFEBOAT_FUNCTION_
#endif /* LIFEBOAT_H */
