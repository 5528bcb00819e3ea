/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Lifeboat for nodes in C++11 and later: lifeboat.h, and what only C++ can do. The calls are those of lifeboat.h.
 *
 *     #include <lifeboat.hpp>
 *
 *     int main() {
 *         LIFEBOAT_SESSION(session, LIFEBOAT_OPTIONS.app("demo-node").version("1.4.2"));
 *         …
 *     }
 *
 * While a session lives, a terminate handler tells of the exception that nobody caught: its type, what() and the
 * exceptions nested in it. Then it calls the handler that was there before; the process ends as it would have.
 *
 * A session that ends with its block is a clean end, whatever main returns then: release it before a status that is to be
 * told. Keep it in main; one with static storage ends within exit, and makes every exit a clean end.
 *
 * The public build: no argument is evaluated, a session is an object of size 0, and lifeboat::describe answers an empty
 * text, as does lifeboat::metrics_text. LIFEBOAT_SESSION leaves nothing from -O1 on. A session that is a member or is moved about, from lifeboat_session,
 * leaves nothing that runs, but clang may number the entries of its exception tables otherwise.
 */
#ifndef LIFEBOAT_HPP
#define LIFEBOAT_HPP

#ifndef __cplusplus
#error "lifeboat.hpp is for C++: include lifeboat.h in C"
#endif

#include "lifeboat.h"

/* These headers keep quiet under any warning that a project turns on; our own tests ask to hear them. */
#if !defined(LIFEBOAT_WARNINGS_) || !(defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK))
#pragma GCC system_header
#endif

#include <exception>
#include <string>

#if defined(LIFEBOAT_LOAD) || defined(LIFEBOAT_LINK)
#include "lifeboat_terminate.hpp"

/* Always inlined: a source without exceptions has another handler, and each shall install its own. */
#define LIFEBOAT_MEMBER_ __attribute__((__visibility__("hidden"), __always_inline__)) inline

namespace lifeboat {

/**
 * Holds the lifeboat of this process: made by lifeboat_session, it calls lifeboat_stop when it ends. It may be moved, not
 * copied. One that found Lifeboat started already, or could not start it, stops nothing.
 *
 * An exception that destroys the session on its way out does not stop: what comes after, such as `return 1` in main's
 * handler, is still a death.
 */
class session {
    lifeboat_status status_;
    bool is_owner_;
    bool is_unwinding_;

public:
    /** An empty session, to be assigned to. */
    LIFEBOAT_MEMBER_ session() noexcept
        : status_(LIFEBOAT_NOT_STARTED), is_owner_(false), is_unwinding_(lifeboat_is_unwinding_()) {}
    /** Starts; that is what lifeboat_session does, and what the public build does not have. */
    LIFEBOAT_MEMBER_ explicit session(const lifeboat_options *options) noexcept
        : status_(lifeboat_start(options)), is_owner_(status_ == LIFEBOAT_OK), is_unwinding_(lifeboat_is_unwinding_()) {
        if (lifeboat_is_on()) {
            LIFEBOAT_TERMINATE_INSTALL_();
        }
    }
    LIFEBOAT_MEMBER_ session(session &&other) noexcept
        : status_(other.status_), is_owner_(other.is_owner_), is_unwinding_(other.is_unwinding_) {
        other.release();
    }
    LIFEBOAT_MEMBER_ session &operator=(session &&other) noexcept {
        if (this != &other) {
            stop();
            status_ = other.status_;
            is_owner_ = other.is_owner_;
            is_unwinding_ = other.is_unwinding_;
            other.release();
        }
        return *this;
    }
    session(const session &) = delete;
    session &operator=(const session &) = delete;
    LIFEBOAT_MEMBER_ ~session() {
        if (!lifeboat_is_unwinding_() || is_unwinding_) {
            stop();
        }
    }

    /** What lifeboat_start answered. */
    LIFEBOAT_MEMBER_ lifeboat_status status() const noexcept { return status_; }
    /** A clean end now; once. */
    LIFEBOAT_MEMBER_ void stop() noexcept {
        if (is_owner_) {
            is_owner_ = false;
            LIFEBOAT_TERMINATE_REMOVE_();
            lifeboat_stop();
        }
    }
    /** Lets the lifeboat outlive the session: how the process ends is then judged by its status. */
    LIFEBOAT_MEMBER_ void release() noexcept { is_owner_ = false; }
};

/** `std::runtime_error: what; caused by std::system_error: what`, for lifeboat_error and lifeboat_fatal; "" for null. */
LIFEBOAT_MEMBER_ std::string describe(const std::exception_ptr &exception) { return lifeboat_describe_(exception); }

/**
 * The process's metrics as OpenMetrics text, `# EOF` included: what a Logos Core module returns from
 * collectOpenMetricsText(). "" where Lifeboat is not on.
 */
LIFEBOAT_MEMBER_ std::string metrics_text() {
    std::string text;
    /* The node counts on meanwhile: a little more room than was asked for, and few tries. */
    for (int tries = 0; tries < 4; tries++) {
        size_t size = text.size();
        size_t needed = lifeboat_metrics_text(size ? &text[0] : 0, size);
        if (needed <= size) {
            text.resize(needed ? needed - 1 : 0);
            return text;
        }
        text.resize(needed + needed / 8);
    }
    return std::string();
}

} // namespace lifeboat

/** Starts with built options; the answer is a lifeboat::session, to be kept where LIFEBOAT_SESSION cannot declare one. */
#define lifeboat_session(...) (lifeboat::session((__VA_ARGS__).get()))
/** Declares a session, for as long as its block: `LIFEBOAT_SESSION(session, LIFEBOAT_OPTIONS.app("demo-node"));` */
#define LIFEBOAT_SESSION(name, ...) lifeboat::session name = lifeboat_session(__VA_ARGS__)

#undef LIFEBOAT_MEMBER_
#else

namespace lifeboat {

class __attribute__((__unused__)) session {
    char nothing_[0];

public:
    session() = default;
    session(session &&) = default;
    session &operator=(session &&) = default;
    session(const session &) = delete;
    session &operator=(const session &) = delete;
    __attribute__((__always_inline__)) lifeboat_status status() const noexcept { return LIFEBOAT_DISABLED; }
    __attribute__((__always_inline__)) void stop() noexcept {}
    __attribute__((__always_inline__)) void release() noexcept {}
};

inline std::string describe(const std::exception_ptr &) { return std::string(); }
inline std::string metrics_text() { return std::string(); }

} // namespace lifeboat

#define lifeboat_session(...) ((void)LIFEBOAT_UNEVALUATED_((__VA_ARGS__).get()), lifeboat::session())
/* Static: an object of a block has a lifetime, and with clang that alone moves entries of the exception tables. */
#define LIFEBOAT_SESSION(name, ...)                            \
    static __attribute__((__unused__)) lifeboat::session name; \
    (void)LIFEBOAT_UNEVALUATED_((__VA_ARGS__).get())
#endif

#endif /* LIFEBOAT_HPP */
