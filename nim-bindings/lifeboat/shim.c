/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The calls of lifeboat.h as functions that Nim can import. abi.nim compiles this file, with LIFEBOAT_LOAD or
 * LIFEBOAT_LINK. All is hidden: each Nim program and each Nim library has its own.
 */
#if __has_include("../../include/lifeboat.h")
#include "../../include/lifeboat.h"
#else
#include "include/lifeboat.h"
#endif

#ifdef LIFEBOAT_NIM_UNWIND
#include <unwind.h>
#endif

#define CALL_ __attribute__((__visibility__("hidden")))

CALL_ int32_t lifeboat_nim_start(const lifeboat_options *options) { return (int32_t)lifeboat_start(options); }

CALL_ int32_t lifeboat_nim_stop(void) { return (int32_t)lifeboat_stop(); }

CALL_ int lifeboat_nim_is_on(void) { return lifeboat_is_on(); }

/* Whether a call can do anything: one load, for those who would make texts for it. */
CALL_ int lifeboat_nim_is_started(void) { return lifeboat_table_ != 0; }

CALL_ int32_t lifeboat_nim_thread_attach(const char *name) { return (int32_t)lifeboat_thread_attach(name); }

CALL_ int32_t lifeboat_nim_rearm(void) { return (int32_t)lifeboat_rearm(); }

CALL_ int32_t lifeboat_nim_tag(const char *key, const char *value) { return (int32_t)lifeboat_tag(key, value); }

CALL_ int32_t lifeboat_nim_context(const char *section, const char *key, const char *value) {
    return (int32_t)lifeboat_context(section, key, value);
}

CALL_ int32_t lifeboat_nim_breadcrumb(uint32_t level, const char *category, const char *message) {
    return (int32_t)lifeboat_breadcrumb(level, category, message);
}

CALL_ int32_t lifeboat_nim_error(uint32_t level, const char *type, const char *message, const lifeboat_frame *frames,
                                 size_t frames_count) {
    return (int32_t)lifeboat_error(level, type, message, frames, frames_count);
}

CALL_ int32_t lifeboat_nim_fatal(const char *type, const char *message, const lifeboat_frame *frames,
                                 size_t frames_count) {
    return (int32_t)lifeboat_fatal(type, message, frames, frames_count);
}

CALL_ int32_t lifeboat_nim_uncaught(const char *type, const char *message, const lifeboat_frame *frames,
                                    size_t frames_count) {
    return (int32_t)lifeboat_uncaught(LIFEBOAT_ORIGIN_NIM, type, message, frames, frames_count);
}

CALL_ int32_t lifeboat_nim_check(const char *name, int passed, uint32_t severity, const char *detail) {
    return (int32_t)lifeboat_check(name, passed, severity, detail);
}

CALL_ int32_t lifeboat_nim_health(const char *component, int state, const char *detail) {
    return (int32_t)lifeboat_health(component, state, detail);
}

CALL_ int32_t lifeboat_nim_heartbeat(const char *name, uint32_t deadline_ms) {
    return (int32_t)lifeboat_heartbeat(name, deadline_ms);
}

CALL_ const char *lifeboat_nim_status_text(int32_t status) { return lifeboat_status_text((lifeboat_status)status); }

#include "shim_metrics.h"

/* A message that is put together from pieces; abi.nim has the same. */
typedef struct {
    size_t length;
    char bytes[1016];
} lifeboat_nim_text;

static void text_add(lifeboat_nim_text *text, const char *piece, size_t length) {
    size_t room = sizeof text->bytes - 1 - text->length;
    length = length < room ? length : room;
    memcpy(text->bytes + text->length, piece, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

CALL_ void lifeboat_nim_text_add(lifeboat_nim_text *text, const char *piece) {
    if (piece) {
        text_add(text, piece, strlen(piece));
    }
}

/* Without the trace that asyncdispatch appends in debug builds. */
CALL_ void lifeboat_nim_text_add_message(lifeboat_nim_text *text, const char *message) {
    const char *trace = message ? strstr(message, "\nAsync traceback:") : 0;
    if (message) {
        text_add(text, message, trace ? (size_t)(trace - message) : strlen(message));
    }
}

/* One frame as Nim knows it. */
CALL_ void lifeboat_nim_frame(lifeboat_frame *frame, const char *function, const char *file, int line, uint64_t address) {
    *frame = (lifeboat_frame){lifeboat_text_(function), lifeboat_text_(file), line > 0 ? (uint32_t)line : 0, 0, address};
}

#ifdef LIFEBOAT_NIM_UNWIND
enum { RAISED_MAX = 96, OWN_FRAMES = 3, MACHINERY_MAX = 12 };

/* What Nim's runtime raises Defects with, by the names that both Nims have for the compiler; weak, for most programs have
 * but some. A stripped program has no other way to tell them from the node's own functions. */
#define MACHINERY_(is)                                                                                                 \
    is(raiseExceptionEx) is(raiseException) is(reraiseException) is(raiseIndexError) is(raiseIndexError2)              \
    is(raiseIndexError3) is(raiseIndexError4) is(raiseFieldError) is(raiseFieldError2) is(raiseFieldErrorStr)          \
    is(raiseRangeError) is(raiseRangeErrorI) is(raiseRangeErrorF) is(raiseRangeErrorU) is(raiseRangeErrorNoArgs)       \
    is(raiseOverflow) is(raiseDivByZero) is(raiseFloatOverflow) is(raiseFloatInvalidOp)                                \
    is(raiseObjectConversionError) is(raiseObjectCaseTransition) is(chckObj) is(chckNil) is(chckNilDisp)

#define DECLARED_(name) extern void name() __attribute__((__weak__, __visibility__("hidden")));
MACHINERY_(DECLARED_)

typedef void (*machine)();
#define LISTED_(name) name,
static const machine machinery[] = {MACHINERY_(LISTED_)};

/* Those whose names are not the compiler's: Nim hands them over. */
static machine assertions[2];

/* The stack of this thread when it last raised a Defect, innermost first. */
static __thread struct {
    const void *exception;
    size_t count;
    size_t machinery; /* How many of them are Nim's or ours. */
    uint64_t addresses[RAISED_MAX];
} raised;

/* libgcc's unwinder: in load mode the one that the process has or finds, so that no program needs one to be linked. */
#ifdef LIFEBOAT_LOAD
static __typeof__(&_Unwind_Backtrace) unwind_stack;
static __typeof__(&_Unwind_GetIPInfo) unwind_address;
static __typeof__(&_Unwind_GetRegionStart) unwind_function;

static void find_unwinder(void) {
    void *library = dlopen("libgcc_s.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library) {
        *(void **)&unwind_address = dlsym(library, "_Unwind_GetIPInfo");
        *(void **)&unwind_function = dlsym(library, "_Unwind_GetRegionStart");
        *(void **)&unwind_stack = dlsym(library, "_Unwind_Backtrace");
    }
}
#else
#define unwind_stack _Unwind_Backtrace
#define unwind_address _Unwind_GetIPInfo
#define unwind_function _Unwind_GetRegionStart

static void find_unwinder(void) {}
#endif

CALL_ void lifeboat_nim_find_unwinder(machine raise_assert, machine failed_assert) {
    assertions[0] = raise_assert;
    assertions[1] = failed_assert;
    find_unwinder();
}

static int is_machinery(uint64_t function) {
    int is = function == (uint64_t)assertions[0] || function == (uint64_t)assertions[1];
    for (size_t index = 0; !is && index < sizeof machinery / sizeof *machinery; index++) {
        is = machinery[index] && function == (uint64_t)machinery[index];
    }
    return is;
}

static _Unwind_Reason_Code raised_step(struct _Unwind_Context *context, void *argument) {
    int is_at_instruction = 0;
    uint64_t address = (uint64_t)unwind_address(context, &is_at_instruction);
    (void)argument;
    if (raised.count == RAISED_MAX || address == 0) {
        return _URC_END_OF_STACK;
    }
    /* A return address may be the next function's first; the call is before it. */
    raised.addresses[raised.count++] = is_at_instruction ? address : address - 1;
    if (raised.count <= MACHINERY_MAX && unwind_function && is_machinery(unwind_function(context))) {
        raised.machinery = raised.count;
    }
    return _URC_NO_REASON;
}

CALL_ __attribute__((__noinline__)) void lifeboat_nim_note_raise(const void *exception) {
    raised.exception = exception;
    raised.count = 0;
    /* This function, the hook that called it, and what calls hooks, whatever the compiler made of it. */
    raised.machinery = OWN_FRAMES;
    if (unwind_stack && unwind_address) {
        unwind_stack(raised_step, 0);
    }
    /* No jump may stand for the call above: the frames are counted. */
    __asm__ volatile("");
}

/* The frames of the raise that was noted for this exception, once, from the node's own on; answers how many. */
CALL_ size_t lifeboat_nim_raised(const void *exception, lifeboat_frame *frames, size_t max) {
    size_t count = 0;
    if (raised.exception == exception) {
        for (; raised.machinery + count < raised.count && count < max; count++) {
            lifeboat_nim_frame(&frames[count], 0, 0, 0, raised.addresses[raised.machinery + count]);
        }
        raised.exception = 0;
    }
    return count;
}
#endif
