/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Counting, inlined in what Nim makes of a module: the fast paths of lifeboat_metrics.h, on the same row and the same
 * slots. What is rare is shim.c's. It takes handles as `void *`: Nim has a struct of its own for each of its types.
 */
#ifndef LIFEBOAT_NIM_METRICS_H
#define LIFEBOAT_NIM_METRICS_H

#if __has_include("../../include/lifeboat_abi.h")
#include "../../include/lifeboat_abi.h"
#else
#include "include/lifeboat_abi.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define LIFEBOAT_NIM_HIDDEN_ __attribute__((__visibility__("hidden")))
/* A debug build inlines nothing else. */
#define LIFEBOAT_NIM_INLINE_ static inline __attribute__((__always_inline__, __unused__))

extern LIFEBOAT_NIM_HIDDEN_ __thread uint64_t *lifeboat_row_;
extern LIFEBOAT_NIM_HIDDEN_ uint64_t *lifeboat_gauges_;
extern LIFEBOAT_NIM_HIDDEN_ const lifeboat_table *lifeboat_table_;

LIFEBOAT_NIM_HIDDEN_ void lifeboat_nim_count_first(void *handle, uint64_t value);
LIFEBOAT_NIM_HIDDEN_ void lifeboat_nim_gauge_set_first(void *handle, double value);
LIFEBOAT_NIM_HIDDEN_ void lifeboat_nim_gauge_change(void *handle, double value);
LIFEBOAT_NIM_HIDDEN_ void lifeboat_nim_observed(void *handle, double value);

/* See LIFEBOAT_IN_REGISTER_ of lifeboat_metrics.h. */
#ifdef __OPTIMIZE__
#define LIFEBOAT_NIM_IN_REGISTER_(place) __asm__("" : "+r"(place))
#else
#define LIFEBOAT_NIM_IN_REGISTER_(place) (void)0
#endif

#define LIFEBOAT_NIM_SLOT_(handle) __atomic_load_n(&((lifeboat_metric *)(handle))->slot, __ATOMIC_RELAXED)
#define LIFEBOAT_NIM_IS_ON_() __builtin_expect(__atomic_load_n(&lifeboat_table_, __ATOMIC_ACQUIRE) != 0, 0)

/* For those who would make texts for labels. */
LIFEBOAT_NIM_INLINE_ int lifeboat_nim_is_counting(void) { return LIFEBOAT_NIM_IS_ON_(); }

LIFEBOAT_NIM_INLINE_ void lifeboat_nim_counter_add(void *handle, uint64_t value) {
    uint64_t *row = lifeboat_row_;
    uint32_t slot = LIFEBOAT_NIM_SLOT_(handle);
    /* Neither unresolved nor refused. */
    if (__builtin_expect(row != 0 && slot - 1u < 0xfffffffeu, 1)) {
        uint64_t *place = row + slot;
        LIFEBOAT_NIM_IN_REGISTER_(place);
        __atomic_store_n(place, *place + value, __ATOMIC_RELAXED);
    } else if (LIFEBOAT_NIM_IS_ON_()) {
        lifeboat_nim_count_first(handle, value);
    }
}

/* A counter only grows. */
LIFEBOAT_NIM_INLINE_ void lifeboat_nim_counter_add_signed(void *handle, int64_t value) {
    if (__builtin_expect(value >= 0, 1)) {
        lifeboat_nim_counter_add(handle, (uint64_t)value);
    }
}

LIFEBOAT_NIM_INLINE_ void lifeboat_nim_gauge_set(void *handle, double value) {
    uint64_t *row = __atomic_load_n(&lifeboat_gauges_, __ATOMIC_RELAXED);
    uint32_t slot = LIFEBOAT_NIM_SLOT_(handle);
    union {
        double value;
        uint64_t bits;
    } number = {value};
    if (__builtin_expect(row != 0 && slot - 1u < 0xfffffffeu, 1)) {
        __atomic_store_n(row + slot, number.bits, __ATOMIC_RELAXED);
    } else if (LIFEBOAT_NIM_IS_ON_()) {
        lifeboat_nim_gauge_set_first(handle, value);
    }
}

LIFEBOAT_NIM_INLINE_ void lifeboat_nim_gauge_add(void *handle, double value) {
    if (LIFEBOAT_NIM_IS_ON_()) {
        lifeboat_nim_gauge_change(handle, value);
    }
}

LIFEBOAT_NIM_INLINE_ void lifeboat_nim_observe(void *handle, double value) {
    if (LIFEBOAT_NIM_IS_ON_()) {
        lifeboat_nim_observed(handle, value);
    }
}

#ifdef __cplusplus
}
#endif

#endif /* LIFEBOAT_NIM_METRICS_H */
