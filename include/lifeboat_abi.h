/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The contract between a node and the Lifeboat reporter, generated from crates/abi by scripts/header.
 * Do not edit it: edit the crate. Programs include lifeboat.h.
 */

#ifndef LIFEBOAT_ABI_H
#define LIFEBOAT_ABI_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this contract that the symbol's name carries.
 */
#define LIFEBOAT_ABI_VERSION 1

/**
 * Added to [`Origin::Panic`]: where the process lives on, the panic is reported as a handled error.
 */
#define LIFEBOAT_REPORT_IF_CAUGHT 256

/**
 * Turn Lifeboat on in a linked build without `LIFEBOAT=on` in the environment.
 */
#define LIFEBOAT_OPTION_ON 1

/**
 * How grave a record is: Sentry's levels.
 */
enum lifeboat_level
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * For those who build the node.
     */
    LIFEBOAT_LEVEL_DEBUG = 0,
    /**
     * The ordinary course.
     */
    LIFEBOAT_LEVEL_INFO = 1,
    /**
     * Worth a look.
     */
    LIFEBOAT_LEVEL_WARNING = 2,
    /**
     * Something failed.
     */
    LIFEBOAT_LEVEL_ERROR = 3,
    /**
     * The process ends.
     */
    LIFEBOAT_LEVEL_FATAL = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lifeboat_level lifeboat_level;
#else
typedef uint32_t lifeboat_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which language an exception that nobody caught comes from; may carry [`REPORT_IF_CAUGHT`].
 */
enum lifeboat_origin
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * No language of these: last words as `fatal` takes them.
     */
    LIFEBOAT_ORIGIN_OTHER = 0,
    /**
     * A Rust panic. It may yet be caught: it counts only where its own thread then ends the process.
     */
    LIFEBOAT_ORIGIN_PANIC = 1,
    /**
     * A Nim exception or Defect.
     */
    LIFEBOAT_ORIGIN_NIM = 2,
    /**
     * A C++ exception, or another reason of `std::terminate`.
     */
    LIFEBOAT_ORIGIN_CPP = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lifeboat_origin lifeboat_origin;
#else
typedef uint32_t lifeboat_origin;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The answer of a Lifeboat call. Numbers are never reused or renumbered.
 */
enum lifeboat_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * The call did its work.
     */
    LIFEBOAT_OK = 0,
    /**
     * This program was built without Lifeboat: the call is compiled out.
     */
    LIFEBOAT_DISABLED = 1,
    /**
     * Lifeboat is built in but not turned on.
     */
    LIFEBOAT_OFF = 2,
    /**
     * `lifeboat_start` has been called before; the first start stays in force.
     */
    LIFEBOAT_ALREADY_STARTED = 3,
    /**
     * The call needs `lifeboat_start` first.
     */
    LIFEBOAT_NOT_STARTED = 4,
    /**
     * The reporter at hand does not know this call.
     */
    LIFEBOAT_NOT_SUPPORTED = 5,
    /**
     * A needed pointer was null or a length was out of range.
     */
    LIFEBOAT_INVALID_ARGUMENT = 6,
    /**
     * The bounded store for this kind of record is full.
     */
    LIFEBOAT_NO_ROOM = 7,
    /**
     * Another thread was writing the same record; this write was dropped and counted.
     */
    LIFEBOAT_BUSY = 8,
    /**
     * This platform has no Lifeboat.
     */
    LIFEBOAT_UNSUPPORTED_PLATFORM = 9,
    /**
     * `LIFEBOAT_REPORTER` is not an absolute path.
     */
    LIFEBOAT_REPORTER_NOT_ABSOLUTE = 20,
    /**
     * There is no file at `LIFEBOAT_REPORTER`.
     */
    LIFEBOAT_REPORTER_MISSING = 21,
    /**
     * The file or a folder above it could be written by somebody other than root or this user.
     */
    LIFEBOAT_REPORTER_UNSAFE = 22,
    /**
     * The file is not a shared library.
     */
    LIFEBOAT_REPORTER_NOT_A_LIBRARY = 23,
    /**
     * The file ends before its own headers say it does.
     */
    LIFEBOAT_REPORTER_TRUNCATED = 24,
    /**
     * The file is a library, but for another machine or not Lifeboat's.
     */
    LIFEBOAT_REPORTER_FOREIGN = 25,
    /**
     * The library is Lifeboat's, but refuses this program's ABI version.
     */
    LIFEBOAT_REPORTER_OTHER_VERSION = 26,
    /**
     * The dynamic loader refused the library.
     */
    LIFEBOAT_REPORTER_LOAD_FAILED = 27,
    /**
     * The program runs with privileges that its caller lacks (set-uid, file capabilities).
     */
    LIFEBOAT_PRIVILEGED = 28,
    /**
     * There is no executable monitor where one was expected.
     */
    LIFEBOAT_MONITOR_MISSING = 40,
    /**
     * The monitor's file or a folder above it could be written by somebody other than root or this user.
     */
    LIFEBOAT_MONITOR_UNSAFE = 41,
    /**
     * The monitor could not be started.
     */
    LIFEBOAT_MONITOR_FAILED = 42,
    /**
     * The kernel refused the memory for the flight recorder.
     */
    LIFEBOAT_NO_MEMORY = 43,
    /**
     * No state directory is named and none can be derived.
     */
    LIFEBOAT_STATE_DIR_MISSING = 44,
    /**
     * The state directory is no folder, could be written by others, or cannot be made.
     */
    LIFEBOAT_STATE_DIR_UNUSABLE = 45,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lifeboat_status lifeboat_status;
#else
typedef int32_t lifeboat_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a metric is.
 */
enum lifeboat_metric_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Only ever grows.
     */
    LIFEBOAT_METRIC_KIND_COUNTER = 1,
    /**
     * Goes up and down.
     */
    LIFEBOAT_METRIC_KIND_GAUGE = 2,
    /**
     * Counts observations by size.
     */
    LIFEBOAT_METRIC_KIND_HISTOGRAM = 3,
    /**
     * Says by its labels what is true of the node; its value is 1.
     */
    LIFEBOAT_METRIC_KIND_INFO = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lifeboat_metric_kind lifeboat_metric_kind;
#else
typedef uint32_t lifeboat_metric_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Options of `lifeboat_start`. Texts are NUL-terminated UTF-8, may be null, and are copied before the call
 * returns. Each is the default for the environment variable named beside it.
 */
typedef struct lifeboat_options {
    /**
     * `sizeof` this struct in the caller's header.
     */
    uint32_t struct_size;
    /**
     * See LIFEBOAT_OPTION_ON.
     */
    uint32_t flags;
    /**
     * The program's name; with `version` it makes the release, `app@version` (`SENTRY_RELEASE` replaces both).
     */
    const char *app;
    /**
     * The program's version.
     */
    const char *version;
    /**
     * The commit it was built from (`LIFEBOAT_COMMIT`); becomes `dist`.
     */
    const char *commit;
    /**
     * `SENTRY_ENVIRONMENT`.
     */
    const char *environment;
    /**
     * `LIFEBOAT_FLEET`.
     */
    const char *fleet;
    /**
     * `LIFEBOAT_NODE`.
     */
    const char *node;
    /**
     * `LIFEBOAT_TAGS`: `key=value` pairs, separated by commas.
     */
    const char *tags;
    /**
     * `SENTRY_DSN`.
     */
    const char *dsn;
    /**
     * `LIFEBOAT_STATE_DIR`, absolute.
     */
    const char *state_dir;
    /**
     * `LIFEBOAT_REPORTER`, absolute; used by the loader alone.
     */
    const char *reporter;
    /**
     * `LIFEBOAT_MONITOR`, absolute; default `../bin/lifeboat-monitor` from the reporter.
     */
    const char *monitor;
    /**
     * How long a dying process waits for its capture, milliseconds; 0 means 2,000.
     */
    uint32_t capture_timeout_ms;
    /**
     * `LIFEBOAT_SERIES_MAX`: the most series of metrics, histograms by their buckets; 0 means 10,000.
     */
    uint32_t series_max;
    /**
     * The process's environment, null-terminated; the loader fills it in.
     */
    const char *const *environ;
} lifeboat_options;

/**
 * Borrowed UTF-8: valid for the call alone. A null `data` is the empty text.
 */
typedef struct lifeboat_str {
    /**
     * The first byte, or null.
     */
    const char *data;
    /**
     * How many bytes.
     */
    uint64_t length;
} lifeboat_str;

/**
 * One frame of a stack that a language runtime knows, innermost first in its array.
 */
typedef struct lifeboat_frame {
    /**
     * The function's readable name.
     */
    struct lifeboat_str function;
    /**
     * Its source file.
     */
    struct lifeboat_str file;
    /**
     * The line, from 1; 0 where unknown.
     */
    uint32_t line;
    /**
     * The column, from 1; 0 where unknown.
     */
    uint32_t column;
    /**
     * The instruction's address; 0 where unknown.
     */
    uint64_t address;
} lifeboat_frame;

/**
 * One label of a series.
 */
typedef struct lifeboat_metric_label {
    /**
     * The label's name.
     */
    struct lifeboat_str name;
    /**
     * Its value.
     */
    struct lifeboat_str value;
} lifeboat_metric_label;

/**
 * One series of a metric, named `<module>_<name>[_<unit>][_total|_info]`. The texts must live as long as the handle.
 */
typedef struct lifeboat_metric {
    /**
     * `sizeof` this struct in the caller's header.
     */
    uint32_t struct_size;
    /**
     * A lifeboat_metric_kind.
     */
    uint32_t kind;
    /**
     * The slot that the reporter gave this series; 0 until resolved, UINT32_MAX when refused.
     */
    uint32_t slot;
    /**
     * How many labels.
     */
    uint32_t labels_count;
    /**
     * The labels, or null.
     */
    const struct lifeboat_metric_label *labels;
    /**
     * The module, NUL-terminated.
     */
    const char *module;
    /**
     * The name, NUL-terminated.
     */
    const char *name;
    /**
     * One sentence of help, NUL-terminated.
     */
    const char *help;
    /**
     * The base unit (`seconds`, `bytes`, `ratio`), NUL-terminated, or null.
     */
    const char *unit;
    /**
     * A histogram's upper bounds, ascending, or null for the default.
     */
    const double *bounds;
    /**
     * How many bounds.
     */
    uint32_t bounds_count;
    /**
     * Zero; the reporter's own, once it knows the metric's family.
     */
    uint32_t reserved;
} lifeboat_metric;

/**
 * What the reporter offers. Every call may come from any thread and copies what it is handed before it
 * returns; none allocates, locks or waits, but for `start` and `stop`. Answers are lifeboat_status numbers.
 *
 * Only `breadcrumb`, `tag`, `context`, `fatal`, `uncaught` and `is_on` may be called from a signal handler.
 */
typedef struct lifeboat_table {
    /**
     * `sizeof` this table in the reporter.
     */
    uint32_t struct_size;
    /**
     * LIFEBOAT_ABI_VERSION of the reporter.
     */
    uint32_t abi_version;
    /**
     * Begins: maps the flight recorder, starts the monitor, installs the handlers.
     */
    int32_t (*start)(const struct lifeboat_options *options);
    /**
     * A clean end: what comes after is no death.
     */
    int32_t (*stop)(void);
    /**
     * 1 while a reporter is at work in this process.
     */
    uint32_t (*is_on)(void);
    /**
     * Gives the calling thread a signal stack and a name (lifeboat_str by value, may be empty).
     */
    int32_t (*thread_attach)(struct lifeboat_str name);
    /**
     * Takes the signal handlers back after somebody replaced them.
     */
    int32_t (*rearm)(void);
    /**
     * Sets a tag of the node.
     */
    int32_t (*tag)(struct lifeboat_str key, struct lifeboat_str value);
    /**
     * Sets one value in a context section.
     */
    int32_t (*context)(struct lifeboat_str section, struct lifeboat_str key, struct lifeboat_str value);
    /**
     * Leaves a breadcrumb; `level` is a lifeboat_level.
     */
    int32_t (*breadcrumb)(uint32_t level, struct lifeboat_str category, struct lifeboat_str message);
    /**
     * Reports a handled error.
     */
    int32_t (*error)(uint32_t level,
                     struct lifeboat_str kind,
                     struct lifeboat_str message,
                     const struct lifeboat_frame *frames,
                     uint64_t frames_count);
    /**
     * Last words: the process is about to end.
     */
    int32_t (*fatal)(struct lifeboat_str kind,
                     struct lifeboat_str message,
                     const struct lifeboat_frame *frames,
                     uint64_t frames_count);
    /**
     * An invariant: counted always, reported when it fails.
     */
    int32_t (*check)(struct lifeboat_str name, uint32_t passed, uint32_t severity, struct lifeboat_str detail);
    /**
     * Gives a metric its slot.
     */
    int32_t (*metric_resolve)(struct lifeboat_metric *metric);
    /**
     * The calling thread's row of slots, or null; only this thread writes it.
     */
    uint64_t *(*metric_row)(void);
    /**
     * Adds to a counter.
     */
    int32_t (*counter_add)(struct lifeboat_metric *metric, uint64_t value);
    /**
     * Sets a gauge.
     */
    int32_t (*gauge_set)(struct lifeboat_metric *metric, double value);
    /**
     * Adds to a gauge.
     */
    int32_t (*gauge_add)(struct lifeboat_metric *metric, double value);
    /**
     * Observes one value.
     */
    int32_t (*histogram_observe)(struct lifeboat_metric *metric, double value);
    /**
     * A component's state: 0 ok, 1 degraded, 2 failing, -1 unknown.
     */
    int32_t (*health)(struct lifeboat_str component, int32_t state, struct lifeboat_str detail);
    /**
     * Proof of life of a loop; the next is due within `deadline_ms`.
     */
    int32_t (*heartbeat)(struct lifeboat_str name, uint32_t deadline_ms);
    /**
     * Writes the registry as OpenMetrics text; answers the size that the whole text needs.
     */
    uint64_t (*metrics_text)(char *buffer, uint64_t size);
    /**
     * The sentence for a status number, NUL-terminated, valid for the life of the process.
     */
    const char *(*status_text)(int32_t status);
    /**
     * Last words of a language: an exception that nobody caught; `origin` is an [`Origin`].
     */
    int32_t (*uncaught)(uint32_t origin,
                        struct lifeboat_str kind,
                        struct lifeboat_str message,
                        const struct lifeboat_frame *frames,
                        uint64_t frames_count);
    /**
     * The row of slots that all threads share, for gauges, or null; every write must be atomic.
     */
    uint64_t *(*metric_shared)(void);
    /**
     * Sets an info's labels in the place of those that it had; they stay the caller's.
     */
    int32_t (*info_set)(struct lifeboat_metric *metric,
                        const struct lifeboat_metric_label *labels,
                        uint64_t labels_count);
} lifeboat_table;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The one symbol of the reporter: its table, valid for the life of the process, or null where it refuses
 * the host's version. `host_size` is the host's `sizeof(lifeboat_table)`. Any thread; not from a signal handler.
 */
const lifeboat_table *lifeboat_api_v1(uint32_t host_abi, uint32_t host_size);

#ifdef __cplusplus
}
#endif

/** Every status with its sentence, for a macro of two arguments. */
#define LIFEBOAT_STATUSES(X) \
    X(LIFEBOAT_OK, "ok") \
    X(LIFEBOAT_DISABLED, "built without Lifeboat: build with LIFEBOAT_LOAD or LIFEBOAT_LINK to have it") \
    X(LIFEBOAT_OFF, "Lifeboat is off: set LIFEBOAT_REPORTER (load) or LIFEBOAT=on (link) to turn it on") \
    X(LIFEBOAT_ALREADY_STARTED, "Lifeboat has been started before: the first start stays in force") \
    X(LIFEBOAT_NOT_STARTED, "Lifeboat is not started: call lifeboat_start first") \
    X(LIFEBOAT_NOT_SUPPORTED, "the loaded reporter does not do this: use a newer one, where there is one") \
    X(LIFEBOAT_INVALID_ARGUMENT, "an argument was null or out of range") \
    X(LIFEBOAT_NO_ROOM, "the bounded store for this kind of record is full") \
    X(LIFEBOAT_BUSY, "another thread was writing the same record: this write was dropped and counted") \
    X(LIFEBOAT_UNSUPPORTED_PLATFORM, "Lifeboat runs on Linux x86_64: here every call does nothing") \
    X(LIFEBOAT_REPORTER_NOT_ABSOLUTE, "LIFEBOAT_REPORTER is not an absolute path: write it from the root on") \
    X(LIFEBOAT_REPORTER_MISSING, "there is no file at LIFEBOAT_REPORTER: install it or mend the path") \
    X(LIFEBOAT_REPORTER_UNSAFE, "the reporter or a folder above it could be written by others: give it to root or this user and remove group and world write") \
    X(LIFEBOAT_REPORTER_NOT_A_LIBRARY, "the file at LIFEBOAT_REPORTER is not a shared library") \
    X(LIFEBOAT_REPORTER_TRUNCATED, "the reporter's file is cut short: install it again") \
    X(LIFEBOAT_REPORTER_FOREIGN, "the library at LIFEBOAT_REPORTER is for another machine or is not Lifeboat's") \
    X(LIFEBOAT_REPORTER_OTHER_VERSION, "the reporter refuses this program's ABI version: use one of the same major version") \
    X(LIFEBOAT_REPORTER_LOAD_FAILED, "the dynamic loader refused the reporter") \
    X(LIFEBOAT_PRIVILEGED, "Lifeboat does not load into a set-uid or capability program") \
    X(LIFEBOAT_MONITOR_MISSING, "lifeboat-monitor is not there or not executable: set LIFEBOAT_MONITOR or keep it in ../bin beside the reporter") \
    X(LIFEBOAT_MONITOR_UNSAFE, "lifeboat-monitor or a folder above it could be written by others: give it to root or this user and remove group and world write") \
    X(LIFEBOAT_MONITOR_FAILED, "lifeboat-monitor could not be started") \
    X(LIFEBOAT_NO_MEMORY, "the kernel refused the memory for the flight recorder") \
    X(LIFEBOAT_STATE_DIR_MISSING, "no state directory: set LIFEBOAT_STATE_DIR to an absolute path") \
    X(LIFEBOAT_STATE_DIR_UNUSABLE, "the state directory is no folder, belongs to another user, could be written by others or cannot be made: name one of this user's own")

#endif  /* LIFEBOAT_ABI_H */
