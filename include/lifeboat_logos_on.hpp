/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * lifeboat_logos.hpp with LIFEBOAT_LOAD or LIFEBOAT_LINK. Included by it alone.
 *
 * What the core answers is text that plugins had a hand in: no byte of it is trusted, and what is not understood whole is
 * not used at all.
 */
#ifndef LIFEBOAT_LOGOS_ON_HPP
#define LIFEBOAT_LOGOS_ON_HPP

#ifndef LIFEBOAT_WARNINGS_
#pragma GCC system_header
#endif

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lifeboat {
namespace logos {

/**
 * This process's metrics as OpenMetrics text, for a module to return from collectOpenMetricsText(); "" before a start.
 * Any thread may call.
 */
__attribute__((__visibility__("hidden"))) inline std::string collect_open_metrics_text() {
    std::size_t size = lifeboat_metrics_text(NULL, 0);
    /* Series may be born between two calls. */
    for (int attempt = 0; attempt < 4 && size > 1; attempt++) {
        std::string text(size + size / 8, '\0');
        size = lifeboat_metrics_text(&text[0], text.size());
        if (size <= text.size()) {
            text.resize(size > 0 ? size - 1 : 0);
            return text;
        }
    }
    return std::string();
}

/** The functions of logos_core.h that are asked: a text from new[], or null. */
typedef char *(*question)();

/* What the core says of one module; a field that was not there keeps its mark. */
struct __attribute__((__visibility__("hidden"))) answer_ {
    std::string name;
    int is_loaded;
    double loaded_at, cpu_seconds, memory_mb;
    answer_() : is_loaded(-1), loaded_at(-1), cpu_seconds(-1), memory_mb(-1) {}
};

/* Reads an array of objects, strictly: RFC 8259 and nothing else. Of the members a few are kept. */
class __attribute__((__visibility__("hidden"))) reader_ {
    static const int depth_max_ = 32;
    const char *at_;
    const char *end_;

public:
    explicit reader_(const char *text) : at_(text), end_(text + std::strlen(text)) {}

    bool read(std::vector<answer_> &out) {
        blank_();
        if (!take_('[')) {
            return false;
        }
        blank_();
        if (!take_(']')) {
            do {
                answer_ one;
                blank_();
                if (!object_(&one, 1)) {
                    return false;
                }
                out.push_back(one);
                blank_();
            } while (take_(','));
            if (!take_(']')) {
                return false;
            }
        }
        blank_();
        return at_ == end_;
    }

private:
    bool take_(char letter) {
        if (at_ == end_ || *at_ != letter) {
            return false;
        }
        at_++;
        return true;
    }

    bool take_word_(const char *word) {
        const std::size_t length = std::strlen(word);
        if (static_cast<std::size_t>(end_ - at_) < length || std::memcmp(at_, word, length) != 0) {
            return false;
        }
        at_ += length;
        return true;
    }

    void blank_() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) {
            at_++;
        }
    }

    bool object_(answer_ *out, int depth) {
        if (!take_('{')) {
            return false;
        }
        blank_();
        if (take_('}')) {
            return true;
        }
        do {
            std::string key;
            blank_();
            if (!text_(key)) {
                return false;
            }
            blank_();
            if (!take_(':')) {
                return false;
            }
            blank_();
            if (!member_(out, key, depth)) {
                return false;
            }
            blank_();
        } while (take_(','));
        return take_('}');
    }

    bool array_(int depth) {
        if (!take_('[')) {
            return false;
        }
        blank_();
        if (take_(']')) {
            return true;
        }
        do {
            blank_();
            if (!value_(depth)) {
                return false;
            }
            blank_();
        } while (take_(','));
        return take_(']');
    }

    /* A member that is kept has the one type that it may have. */
    bool member_(answer_ *out, const std::string &key, int depth) {
        if (!out) {
            return value_(depth);
        }
        if (key == "name") {
            return text_(out->name);
        }
        if (key == "loaded") {
            out->is_loaded = at_ != end_ && *at_ == 't';
            return take_word_("true") || take_word_("false");
        }
        double *number = key == "loaded_at"          ? &out->loaded_at
                         : key == "cpu_time_seconds" ? &out->cpu_seconds
                         : key == "memory_mb"        ? &out->memory_mb
                                                     : NULL;
        return number ? number_(*number) : value_(depth);
    }

    bool value_(int depth) {
        if (depth >= depth_max_ || at_ == end_) {
            return false;
        }
        std::string text;
        double number;
        switch (*at_) {
        case '{':
            return object_(NULL, depth + 1);
        case '[':
            return array_(depth + 1);
        case '"':
            return text_(text);
        case 't':
            return take_word_("true");
        case 'f':
            return take_word_("false");
        case 'n':
            return take_word_("null");
        default:
            return number_(number);
        }
    }

    bool digits_() {
        const char *const from = at_;
        while (at_ != end_ && *at_ >= '0' && *at_ <= '9') {
            at_++;
        }
        return at_ != from;
    }

    /* Without strtod: it heeds the locale's decimal point, and takes "inf" and "0x1". */
    bool number_(double &out) {
        const bool is_negative = take_('-');
        const char *const from = at_;
        if (!digits_() || (*from == '0' && at_ - from > 1)) {
            return false;
        }
        double value = 0;
        for (const char *digit = from; digit != at_; digit++) {
            value = value * 10 + (*digit - '0');
        }
        if (take_('.')) {
            const char *const fraction = at_;
            if (!digits_()) {
                return false;
            }
            double scale = 1, part = 0;
            for (const char *digit = fraction; digit != at_ && scale < 1e17; digit++) {
                part = part * 10 + (*digit - '0');
                scale *= 10;
            }
            value += part / scale;
        }
        if ((take_('e') || take_('E')) && !exponent_(value)) {
            return false;
        }
        out = is_negative ? -value : value;
        return value <= 1e300;
    }

    bool exponent_(double &value) {
        const bool is_negative = take_('-');
        if (!is_negative) {
            take_('+');
        }
        const char *const from = at_;
        if (!digits_()) {
            return false;
        }
        int exponent = 0;
        for (const char *digit = from; digit != at_ && exponent < 400; digit++) {
            exponent = exponent * 10 + (*digit - '0');
        }
        for (int i = 0; i < exponent && i < 400; i++) {
            value = is_negative ? value / 10 : value * 10;
        }
        return true;
    }

    bool text_(std::string &out) {
        if (!take_('"')) {
            return false;
        }
        out.clear();
        while (at_ != end_) {
            const unsigned char letter = static_cast<unsigned char>(*at_++);
            if (letter == '"') {
                return true;
            }
            if (letter < 0x20 || (letter == '\\' && !escape_(out))) {
                return false;
            }
            if (letter != '\\') {
                out += static_cast<char>(letter);
            }
        }
        return false;
    }

    bool escape_(std::string &out) {
        static const char *const from = "\"\\/bfnrt", *const to = "\"\\/\b\f\n\r\t";
        if (at_ == end_) {
            return false;
        }
        const char letter = *at_++;
        const char *const found = letter ? std::strchr(from, letter) : NULL;
        if (found) {
            out += to[found - from];
            return true;
        }
        unsigned unit = 0;
        for (int i = 0; letter == 'u' && i < 4; i++, at_++) {
            const char *const digits = "0123456789abcdef";
            const char *const digit = at_ != end_ && *at_ ? std::strchr(digits, *at_ | 0x20) : NULL;
            if (!digit) {
                return false;
            }
            unit = unit * 16 + static_cast<unsigned>(digit - digits);
        }
        /* No name that is used holds one: a mark is enough. */
        out += unit < 0x80 ? static_cast<char>(unit) : '?';
        return letter == 'u';
    }
};

/* The series of one module: the handles, and the text of their label, which must live as long. */
class __attribute__((__visibility__("hidden"))) series_ {
    std::string name_;
    lifeboat_metric_label label_;

    void bind_(lifeboat_gauge &gauge, const char *module, const char *name, const char *help, const char *unit) {
        lifeboat_gauge_bind(&gauge, module, name, help, unit, &label_, 1);
    }

public:
    lifeboat_gauge loaded, loaded_at, cpu_seconds, memory_bytes;

    explicit series_(const std::string &name) : name_(name) {
        static const char key[] = "module";
        label_.name.data = key;
        label_.name.length = sizeof key - 1;
        label_.value.data = name_.data();
        label_.value.length = name_.size();
        bind_(loaded, "logos", "module_loaded", "Whether the core says that the module is loaded.", NULL);
        bind_(loaded_at, "logos", "module_loaded_timestamp", "When the core loaded the module; 0 while it is not.",
              "seconds");
        bind_(cpu_seconds, "logos_core", "reported_cpu",
              "CPU time as logos_core_get_module_stats reports it, which leaves out user mode.", "seconds");
        bind_(memory_bytes, "logos_core", "reported_resident_memory",
              "Resident memory as logos_core_get_module_stats reports it.", "bytes");
    }
    series_(const series_ &) = delete;
    series_ &operator=(const series_ &) = delete;
};

/**
 * Makes gauges of what the core says of its modules. Declared by LIFEBOAT_LOGOS_HOST; one in a process, asked from one
 * thread, the one that calls the core.
 */
class __attribute__((__visibility__("hidden"))) host {
    static const std::size_t modules_max_ = 256;
    question modules_info_, module_stats_;
    std::map<std::string, std::unique_ptr<series_>> series_of_;

public:
    /** Either may be null: then nothing is asked. */
    host(question modules_info, question module_stats)
        : modules_info_(modules_info), module_stats_(module_stats), series_of_() {}

    /** Asks the core, where a reporter is at work. Answers whether it was and all that the core said was understood. */
    bool poll() {
        if (!lifeboat_is_on()) {
            return false;
        }
        std::vector<answer_> infos, stats;
        const bool has_infos = !modules_info_ || ask_(modules_info_, infos);
        const bool has_stats = !module_stats_ || ask_(module_stats_, stats);
        if (modules_info_ && has_infos) {
            take_infos_(infos);
        }
        if (module_stats_ && has_stats) {
            take_stats_(stats);
        }
        return has_infos && has_stats;
    }

private:
    static bool ask_(question asked, std::vector<answer_> &out) {
        /* The core makes its texts with new[], and has no function that releases them. */
        const std::unique_ptr<char[]> text(asked());
        return text && reader_(text.get()).read(out);
    }

    /* As the core itself allows them: [A-Za-z0-9_-], 64 of them at most. */
    static bool is_name_(const std::string &name) {
        for (std::size_t i = 0; i < name.size(); i++) {
            const char letter = name[i];
            if (!((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                  (letter >= '0' && letter <= '9') || letter == '_' || letter == '-')) {
                return false;
            }
        }
        return !name.empty() && name.size() <= 64;
    }

    /* Null for what is no module's name, and for modules without end. */
    series_ *find_(const std::string &name) {
        const auto found = series_of_.find(name);
        if (found != series_of_.end()) {
            return found->second.get();
        }
        if (!is_name_(name) || series_of_.size() >= modules_max_) {
            return NULL;
        }
        std::unique_ptr<series_> made(new series_(name));
        return (series_of_[name] = std::move(made)).get();
    }

    /* A module that the core does not know any more is not loaded. */
    void take_infos_(const std::vector<answer_> &infos) {
        for (const answer_ &info : infos) {
            find_(info.name);
        }
        for (const auto &known : series_of_) {
            const answer_ *info = said_of_(infos, known.first);
            const bool is_loaded = info && info->is_loaded == 1;
            lifeboat_gauge_set(&known.second->loaded, is_loaded);
            lifeboat_gauge_set(&known.second->loaded_at, is_loaded && info->loaded_at > 0 ? info->loaded_at : 0);
        }
    }

    /* Of a module without a process the core reports nothing: not a number, lest the last figure look alive. */
    void take_stats_(const std::vector<answer_> &stats) {
        const double nothing = __builtin_nan("");
        for (const answer_ &stat : stats) {
            find_(stat.name);
        }
        for (const auto &known : series_of_) {
            const answer_ *stat = said_of_(stats, known.first);
            const bool has_cpu = stat && stat->cpu_seconds >= 0, has_memory = stat && stat->memory_mb >= 0;
            lifeboat_gauge_set(&known.second->cpu_seconds, has_cpu ? stat->cpu_seconds : nothing);
            lifeboat_gauge_set(&known.second->memory_bytes, has_memory ? stat->memory_mb * 1048576 : nothing);
        }
    }

    static const answer_ *said_of_(const std::vector<answer_> &said, const std::string &name) {
        for (const answer_ &one : said) {
            if (one.name == name) {
                return &one;
            }
        }
        return NULL;
    }
};

} // namespace logos
} // namespace lifeboat

/**
 * Declares a lifeboat::logos::host, for as long as its block: the name, then logos_core_get_modules_info and
 * logos_core_get_module_stats, or NULL for either.
 */
#define LIFEBOAT_LOGOS_HOST(name, modules_info, module_stats) lifeboat::logos::host name((modules_info), (module_stats))

#endif /* LIFEBOAT_LOGOS_ON_HPP */
