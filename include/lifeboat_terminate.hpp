/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The terminate handler of lifeboat.hpp: tells of the exception that nobody caught. Included by lifeboat.hpp alone.
 *
 * It runs on the thread that is about to end the process, in no signal handler. For the exception itself it allocates
 * nothing; std::rethrow_exception may, for nested ones, and so may a thread's first touch of thread-local values in a
 * library that was loaded later. A thrown pointer is looked up under the loader's lock. Type names go out mangled, as
 * `_ZTS…`: the monitor reads them.
 */
#ifndef LIFEBOAT_TERMINATE_HPP
#define LIFEBOAT_TERMINATE_HPP

#ifndef LIFEBOAT_WARNINGS_
#pragma GCC system_header
#endif

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <exception>
#include <string>
#include <typeinfo>

#ifdef __linux__
#include <dlfcn.h>
#include <link.h>
#include <sys/auxv.h>
#endif

/* A handler's place in the chain: installed once, for another one may call it ever after. */
struct lifeboat_place_ {
    std::terminate_handler before;
    int is_installed;
};

/* One copy in each program or shared library, as in lifeboat_on.h. There are two handlers: that of sources without
   exceptions is the plain one. */
LIFEBOAT_SHARED_ lifeboat_place_ lifeboat_terminate_place_ = {nullptr, 0};
LIFEBOAT_SHARED_ lifeboat_place_ lifeboat_plain_place_ = {nullptr, 0};
/* How often it has called the handler before it, on this thread. */
LIFEBOAT_SHARED_ __thread int lifeboat_terminate_passed_ = 0;
LIFEBOAT_SHARED_ __thread int lifeboat_plain_passed_ = 0;

/* How far the handler is on this thread: a what() that throws comes back to it. */
enum lifeboat_telling_ { LIFEBOAT_SILENT_, LIFEBOAT_TELLING_, LIFEBOAT_TOLD_ };
LIFEBOAT_SHARED_ __thread int lifeboat_terminate_stage_ = LIFEBOAT_SILENT_;
LIFEBOAT_SHARED_ __thread const std::type_info *lifeboat_terminate_type_ = nullptr;
LIFEBOAT_SHARED_ __thread const std::exception_ptr *lifeboat_terminate_first_ = nullptr;

/* The longest text and the deepest nesting that are told. */
enum { LIFEBOAT_WORDS_BYTES_ = 2048, LIFEBOAT_TYPE_BYTES_ = 256, LIFEBOAT_NESTED_MAX_ = 8 };

/* A type and a message; what is too long is cut. */
struct lifeboat_words_ {
    char type[LIFEBOAT_TYPE_BYTES_];
    char message[LIFEBOAT_WORDS_BYTES_];
};

static inline void lifeboat_append_(char *text, size_t size, const char *more) {
    const size_t length = strlen(text);
    const size_t room = size - length - 1;
    const size_t taken = more ? strnlen(more, room) : 0;
    memcpy(text + length, more ? more : "", taken);
    text[length + taken] = '\0';
}

static inline bool lifeboat_is_unwinding_() noexcept {
#if __cplusplus >= 201703L
    return std::uncaught_exceptions() > 0;
#else
    return std::uncaught_exception();
#endif
}

/* Adds a type's name, as the symbol of its type information. */
static inline void lifeboat_name_(char *text, size_t size, const std::type_info *type) {
    if (type && strcmp(type->name(), "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE") == 0) {
        lifeboat_append_(text, size, "std::string");
    } else if (type) {
        lifeboat_append_(text, size, "_ZTS");
        lifeboat_append_(text, size, type->name());
    } else {
        lifeboat_append_(text, size, "exception of another language");
    }
}

/* Last words, with their language where the reporter knows of languages. */
static inline void lifeboat_say_(const lifeboat_words_ &words) {
    if (lifeboat_uncaught(LIFEBOAT_ORIGIN_CPP, words.type, words.message, nullptr, 0) == LIFEBOAT_NOT_SUPPORTED) {
        (void)lifeboat_fatal(words.type, words.message, nullptr, 0);
    }
}

/* What std::terminate is called for without a throw: a thread that nobody joined, a pure virtual call. */
static inline void lifeboat_without_(lifeboat_words_ &words) {
    lifeboat_append_(words.type, sizeof words.type, "std::terminate");
    lifeboat_append_(words.message, sizeof words.message, "called without an active exception");
}

/* Ends as the process would have ended without us. A handler that comes back to ours, on this thread, is called once more
   and no third time: that of the library asks what(), too, and says so itself where that throws. */
static inline void lifeboat_terminate_next_(std::terminate_handler before, int *passed) {
    if (before && (*passed)++ < 2) {
        before();
    }
    std::abort();
}

/* A plugin that is closed leaves its handler in the chain; therefore it stays in memory, as with -z nodelete. Only code for
   shared libraries asks: a linker warns of dlopen in a static program. */
#if defined(__linux__) && defined(__PIC__) && !defined(__PIE__)
static int lifeboat_dladdr_(const void *, Dl_info *) __attribute__((__weakref__("dladdr")));
static void *lifeboat_dlopen_(const char *, int) __attribute__((__weakref__("dlopen")));

static inline void lifeboat_pin_(std::terminate_handler ours) {
    Dl_info object, program;
    if (lifeboat_dladdr_ && lifeboat_dlopen_ && lifeboat_dladdr_(reinterpret_cast<void *>(ours), &object) &&
        lifeboat_dladdr_(reinterpret_cast<void *>(getauxval(AT_PHDR)), &program) &&
        object.dli_fbase != program.dli_fbase) {
        (void)lifeboat_dlopen_(object.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
    }
}
#else
static inline void lifeboat_pin_(std::terminate_handler) {}
#endif

static inline void lifeboat_terminate_install_(lifeboat_place_ *place, std::terminate_handler ours) {
    if (!__atomic_exchange_n(&place->is_installed, 1, __ATOMIC_ACQ_REL)) {
        lifeboat_pin_(ours);
        place->before = std::get_terminate();
        (void)std::set_terminate(ours);
    }
}

/* Only where nobody has put another handler over ours: that one would call us. */
static inline void lifeboat_terminate_remove_(lifeboat_place_ *place, std::terminate_handler ours) {
    if (std::get_terminate() == ours) {
        (void)std::set_terminate(place->before);
        __atomic_store_n(&place->is_installed, 0, __ATOMIC_RELEASE);
    }
}

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS)

#ifdef __linux__
static inline int lifeboat_holds_(struct dl_phdr_info *object, size_t, void *text) {
    for (size_t i = 0; i < object->dlpi_phnum; i++) {
        const uintptr_t offset = reinterpret_cast<uintptr_t>(text) - object->dlpi_addr - object->dlpi_phdr[i].p_vaddr;
        if (object->dlpi_phdr[i].p_type == PT_LOAD && offset < object->dlpi_phdr[i].p_memsz) {
            return !(object->dlpi_phdr[i].p_flags & PF_W);
        }
    }
    return 0;
}
#endif

/* Whether this is a literal, in memory that nobody writes. Of any other pointer nobody knows whether the text is still
   there: unwinding may have freed it, and what lies there now may be a secret. */
static inline bool lifeboat_is_literal_(const char *text) {
#ifdef __linux__
    return dl_iterate_phdr(lifeboat_holds_, const_cast<char *>(text)) != 0;
#else
    return !text;
#endif
}

/* Adds `: what` of the exception in flight, where it has one that we can read. */
LIFEBOAT_SHARED_ void lifeboat_what_(lifeboat_words_ &words, const char *before) {
    char number[32];
    try {
        throw;
    } catch (const std::exception &error) {
        const char *const text = error.what();
        lifeboat_append_(words.message, sizeof words.message, before);
        lifeboat_append_(words.message, sizeof words.message, text);
    } catch (const std::string &error) {
        lifeboat_append_(words.message, sizeof words.message, before);
        lifeboat_append_(words.message, sizeof words.message, error.c_str());
    } catch (const char *error) {
        if (lifeboat_is_literal_(error)) {
            lifeboat_append_(words.message, sizeof words.message, before);
            lifeboat_append_(words.message, sizeof words.message, error);
        }
    } catch (int error) {
        (void)snprintf(number, sizeof number, "%s%d", before, error);
        lifeboat_append_(words.message, sizeof words.message, number);
    } catch (...) {
    }
}

/* Tells of the exception in flight, and of those nested in it. Catching needs no run-time type information. */
LIFEBOAT_SHARED_ void lifeboat_tell_(lifeboat_words_ &words, int depth) {
    std::exception_ptr nested;
    if (depth == 0) {
        lifeboat_what_(words, "");
    } else {
        lifeboat_append_(words.message, sizeof words.message, "; caused by ");
        lifeboat_name_(words.message, sizeof words.message, abi::__cxa_current_exception_type());
        lifeboat_what_(words, ": ");
    }
    try {
        throw;
    } catch (const std::nested_exception &error) {
        nested = error.nested_ptr();
    } catch (...) {
    }
    if (nested && depth < LIFEBOAT_NESTED_MAX_) {
        try {
            std::rethrow_exception(nested);
        } catch (...) {
            lifeboat_tell_(words, depth + 1);
        }
    }
}

/* The handler. Another thread may be here at the same time; each tells its own. */
LIFEBOAT_SHARED_ void lifeboat_terminate_() {
    if (lifeboat_is_on() && lifeboat_terminate_stage_ != LIFEBOAT_TOLD_) {
        lifeboat_words_ words = {{0}, {0}};
        const std::type_info *type = abi::__cxa_current_exception_type();
        const std::exception_ptr first = std::current_exception();
        if (lifeboat_terminate_stage_ == LIFEBOAT_TELLING_) {
            lifeboat_name_(words.type, sizeof words.type, lifeboat_terminate_type_);
            lifeboat_append_(words.message, sizeof words.message, "its what() threw ");
            lifeboat_name_(words.message, sizeof words.message, type);
            if (std::current_exception() != *lifeboat_terminate_first_) {
                abi::__cxa_end_catch(); /* The next handler shall find the first exception, as without us. */
            }
        } else if (first) {
            lifeboat_terminate_stage_ = LIFEBOAT_TELLING_;
            lifeboat_terminate_type_ = type;
            lifeboat_terminate_first_ = &first;
            lifeboat_name_(words.type, sizeof words.type, type);
            lifeboat_tell_(words, 0);
        } else {
            lifeboat_without_(words);
        }
        lifeboat_terminate_stage_ = LIFEBOAT_TOLD_;
        lifeboat_say_(words);
    }
    lifeboat_terminate_next_(lifeboat_terminate_place_.before, &lifeboat_terminate_passed_);
}

#define LIFEBOAT_TERMINATE_INSTALL_() lifeboat_terminate_install_(&lifeboat_terminate_place_, lifeboat_terminate_)
#define LIFEBOAT_TERMINATE_REMOVE_() lifeboat_terminate_remove_(&lifeboat_terminate_place_, lifeboat_terminate_)

/* A mangled name as people read it, without the wrapper that std::throw_with_nested puts around a type. */
static inline std::string lifeboat_demangled_(const std::string &mangled) {
    static const char wrapper[] = "std::_Nested_exception<";
    int status = 0;
    char *const name = abi::__cxa_demangle(mangled.c_str() + 4, nullptr, nullptr, &status);
    std::string result(name ? name : mangled.c_str() + 4);
    std::free(name);
    if (result.compare(0, sizeof wrapper - 1, wrapper) == 0 && result.back() == '>') {
        result = result.substr(sizeof wrapper - 1, result.size() - sizeof wrapper);
        result.erase(result.find_last_not_of(' ') + 1);
    }
    return result;
}

/* The text with its mangled names made readable: what the monitor does for a report. */
LIFEBOAT_SHARED_ std::string lifeboat_readable_(const std::string &text) {
    std::string result;
    size_t from = 0;
    for (size_t at = text.find("_ZTS"); at != std::string::npos; at = text.find("_ZTS", from)) {
        result.append(text, from, at - from);
        from = at;
        while (from < text.size() && (std::isalnum(static_cast<unsigned char>(text[from])) || text[from] == '_')) {
            from++;
        }
        result += lifeboat_demangled_(text.substr(at, from - at));
    }
    return result.append(text, from, std::string::npos);
}

LIFEBOAT_SHARED_ std::string lifeboat_describe_(const std::exception_ptr &exception) {
    lifeboat_words_ words = {{0}, {0}};
    if (!exception) {
        return std::string();
    }
    try {
        std::rethrow_exception(exception);
    } catch (...) {
        lifeboat_name_(words.type, sizeof words.type, abi::__cxa_current_exception_type());
        lifeboat_tell_(words, 0);
    }
    return lifeboat_readable_(words.message[0] ? std::string(words.type) + ": " + words.message : words.type);
}

#else

/* Built with -fno-exceptions: libraries may still throw, but only a type can be told. The names differ from those above,
   since one program may hold both kinds. */
LIFEBOAT_SHARED_ void lifeboat_terminate_plain_() {
    if (lifeboat_is_on() && lifeboat_terminate_stage_ == LIFEBOAT_SILENT_) {
        lifeboat_words_ words = {{0}, {0}};
        lifeboat_terminate_stage_ = LIFEBOAT_TOLD_;
        if (abi::__cxa_current_exception_type()) {
            lifeboat_name_(words.type, sizeof words.type, abi::__cxa_current_exception_type());
        } else {
            lifeboat_without_(words);
        }
        lifeboat_say_(words);
    }
    lifeboat_terminate_next_(lifeboat_plain_place_.before, &lifeboat_plain_passed_);
}

static inline void lifeboat_plain_install_() {
    /* The other one tells more. */
    if (!__atomic_load_n(&lifeboat_terminate_place_.is_installed, __ATOMIC_ACQUIRE)) {
        lifeboat_terminate_install_(&lifeboat_plain_place_, lifeboat_terminate_plain_);
    }
}

#define LIFEBOAT_TERMINATE_INSTALL_() lifeboat_plain_install_()
#define LIFEBOAT_TERMINATE_REMOVE_() lifeboat_terminate_remove_(&lifeboat_plain_place_, lifeboat_terminate_plain_)

static inline std::string lifeboat_describe_(const std::exception_ptr &) { return std::string(); }

#endif

#endif /* LIFEBOAT_TERMINATE_HPP */
