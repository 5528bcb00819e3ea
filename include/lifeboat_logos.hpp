/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lifeboat for Logos Core, in C++11 and later: lifeboat.hpp, what a module answers when it is asked for its metrics, and
 * what the core says of its modules. Needs neither Qt nor a header of Logos Core.
 *
 * A module:
 *
 *     std::string DemoModuleImpl::collectOpenMetricsText() { return lifeboat::logos::collect_open_metrics_text(); }
 *
 * A frontend that hosts the core, in the loop or timer from which it calls the core anyway:
 *
 *     LIFEBOAT_LOGOS_HOST(modules, logos_core_get_modules_info, logos_core_get_module_stats);
 *     …
 *     modules.poll();
 *
 * That makes gauges of what the core says, one series for each module: logos_module_loaded,
 * logos_module_loaded_timestamp_seconds, logos_core_reported_cpu_seconds, logos_core_reported_resident_memory_bytes. The
 * last two are the core's own figures, for comparison: its CPU time lacks what modules spend in user mode. What is true
 * stands beside them, from /proc, where LIFEBOAT_MODULES=on: logos_module_cpu_seconds_total and its like.
 *
 * The core keeps "cpu_percent" as the difference to the last call by anybody, without a lock: a second caller changes
 * what the first one sees, and two at once race. Hand over NULL in place of logos_core_get_module_stats where another
 * part of the program, or another thread, asks for it.
 *
 * The public build: collect_open_metrics_text answers an empty text, and LIFEBOAT_LOGOS_HOST evaluates nothing; from -O1
 * on it leaves nothing.
 */
#ifndef LIFEBOAT_LOGOS_HPP
#define LIFEBOAT_LOGOS_HPP

#ifndef __cplusplus
#error "lifeboat_logos.hpp is for C++: include lifeboat.h in C"
#endif

#include "lifeboat.hpp"

#if !defined(LIFEBOAT_WARNINGS_) || !(defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK))
#pragma GCC system_header
#endif

#include <string>

#if defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK)
#include "lifeboat_logos_on.hpp"
#else

namespace lifeboat {
namespace logos {

__attribute__((__always_inline__)) inline std::string collect_open_metrics_text() { return std::string(); }

class __attribute__((__unused__)) host {
    char nothing_[0];

public:
    __attribute__((__always_inline__)) bool poll() const noexcept { return false; }
};

} // namespace logos
} // namespace lifeboat

#define LIFEBOAT_LOGOS_HOST(name, modules_info, module_stats)      \
    static __attribute__((__unused__)) lifeboat::logos::host name; \
    (void)LIFEBOAT_UNEVALUATED_(modules_info);                     \
    (void)LIFEBOAT_UNEVALUATED_(module_stats)
#endif

#endif /* LIFEBOAT_LOGOS_HPP */
