/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A small peer-to-peer node in C++ that carries a lifeboat. It gossips with other nodes over TCP, in lines: `hello NAME`
 * first, then `gossip ID TEXT`; what it has not seen yet it sends on to all its other peers. Asked to, it dies as nodes
 * die, also of exceptions that nobody catches. The nodes in the other languages speak the same.
 *
 *     make -C examples/cpp-node                    fleet and public build, in examples/cpp-node/build
 *     g++ -O2 -g -DLIFEBOAT_LOAD -Iinclude examples/cpp-node/node.cpp -o cpp-node -pthread -ldl
 *     ./cpp-node --name bremen --listen 127.0.0.1:7002
 *     LIFEBOAT_REPORTER=/opt/lifeboat/lib/liblifeboat_reporter.so ./cpp-node --peer 127.0.0.1:7002 --die throw
 *
 * Without -DLIFEBOAT_LOAD (or -DLIFEBOAT_LINK) it is the public build: the same node, and no trace of Lifeboat in it.
 */
#include <lifeboat.hpp>

#include <arpa/inet.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

/* Keeps a function's own frame in a stack trace: the demo shows one as it was written. */
#ifdef __clang__
#define OWN_FRAME __attribute__((__noinline__))
#else
#define OWN_FRAME __attribute__((__noinline__, __noclone__))
#endif

namespace {

using clock_type = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t line_bytes_max = 1024, name_bytes_max = 32, id_bytes_max = 64, seen_max = 1024;
constexpr std::size_t peers_max = 32, waiting_max = 64;
constexpr milliseconds tick{20}, redial{1000};
const std::string hello = "hello ", gossip_word = "gossip ";

volatile std::sig_atomic_t stop_wanted = 0;

/* What is wrong with a letter that --die made. */
enum class mistake { none, no_text, bad_text, nested };

struct options {
    std::string name = "cpp-node", listen, die = "none";
    std::vector<std::string> peers;
    milliseconds every{500}, after{-1};
};

/* A line from a peer, or of our own, that is to be delivered. */
struct letter {
    std::string from, line;
    mistake wrong;
};

struct message {
    std::string id;
    const char *text;
    std::uint32_t sum;
};

/* A text that no node of ours would send. */
class bad_message : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/* ---- the way of a message ---- */

/* Small enough for the compiler to inline: a good report shows it all the same. */
inline std::uint32_t fold(std::uint32_t sum, const char *byte) {
    return (sum ^ static_cast<unsigned char>(*byte)) * 16777619U;
}

OWN_FRAME std::uint32_t checksum(const char *text) {
    std::uint32_t sum = fold(2166136261U, text); /* The node's mistake: nobody asks whether there is a text. */
    for (; *text; text++) {
        if (*text == '\t') {
            throw bad_message("a tab in a gossip's text");
        }
        sum = fold(sum, text);
    }
    return sum;
}

/* Where the id of a gossip ends; npos where the line is no gossip. */
std::size_t id_end(const std::string &line) {
    const std::size_t end = line.find(' ', gossip_word.size());
    const bool is_gossip = line.compare(0, gossip_word.size(), gossip_word) == 0 && end != std::string::npos &&
                           end > gossip_word.size() && end - gossip_word.size() <= id_bytes_max;
    return is_gossip ? end : std::string::npos;
}

OWN_FRAME message decode_message(const letter &received) {
    const std::size_t end = id_end(received.line);
    message decoded{received.line.substr(gossip_word.size(), end - gossip_word.size()), nullptr, 0};
    decoded.text = received.wrong == mistake::no_text ? nullptr : received.line.c_str() + end + 1;
    decoded.sum = checksum(decoded.text);
    return decoded;
}

/* Says which message it was, where one cannot be read. */
OWN_FRAME message decode_carefully(const letter &received) {
    try {
        return decode_message(received);
    } catch (const bad_message &) {
        std::throw_with_nested(std::runtime_error("cannot read a message from " + received.from));
    }
}

/* ---- the node ---- */

class socket_handle {
    int number_;

public:
    explicit socket_handle(int number = -1) : number_(number) {}
    socket_handle(socket_handle &&other) noexcept : number_(other.number_) { other.number_ = -1; }
    socket_handle &operator=(socket_handle &&other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~socket_handle() {
        if (number_ >= 0) {
            close(number_);
        }
    }
    int get() const { return number_; }
    bool is_open() const { return number_ >= 0; }
};

/* Another node: one that we dial has an address, and keeps its place while it is lost. */
struct peer {
    std::string address, name, input;
    socket_handle socket;
    bool is_connecting = false;
    clock_type::time_point dial_at{};
    bool is_ready() const { return socket.is_open() && !name.empty(); }
};

struct free_addresses {
    void operator()(addrinfo *found) const { freeaddrinfo(found); }
};
using addresses = std::unique_ptr<addrinfo, free_addresses>;

/* `HOST:PORT` as an address, or nothing. */
addresses resolve(const std::string &address) {
    const std::size_t colon = address.rfind(':');
    addrinfo hints{}, *found = nullptr;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    if (colon != std::string::npos) {
        (void)getaddrinfo(address.substr(0, colon).c_str(), address.c_str() + colon + 1, &hints, &found);
    }
    return addresses(found);
}

class node {
    options options_;
    socket_handle listener_;
    unsigned made_ = 0;
    /* The lock is over everything from here on; only the main thread opens and closes sockets. */
    std::mutex lock_;
    std::condition_variable more_;
    std::vector<peer> peers_;
    std::set<std::string> seen_;
    std::deque<std::string> seen_order_;
    std::deque<letter> waiting_;
    unsigned messages_ = 0;
    std::uint32_t digest_ = 0;
    bool is_ending_ = false;

public:
    explicit node(options chosen) : options_(std::move(chosen)) {
        for (const std::string &address : options_.peers) {
            peers_.emplace_back();
            peers_.back().address = address;
        }
    }

    bool listen() {
        const addresses found = resolve(options_.listen);
        listener_ = socket_handle(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        const int one = 1;
        sockaddr_in bound{};
        socklen_t size = sizeof bound;
        if (!found || setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
            bind(listener_.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(listener_.get(), 16) != 0 ||
            getsockname(listener_.get(), reinterpret_cast<sockaddr *>(&bound), &size) != 0) {
            return false;
        }
        const std::string host = options_.listen.substr(0, options_.listen.rfind(':'));
        std::printf("listening on %s:%u\n", host.c_str(), static_cast<unsigned>(ntohs(bound.sin_port)));
        std::fflush(stdout);
        return true;
    }

    void run() {
        std::thread worker(&node::work, this);
        const clock_type::time_point begin = clock_type::now();
        clock_type::time_point gossip_at = begin + options_.every;
        while (!stop_wanted) {
            serve();
            if (options_.every.count() > 0 && clock_type::now() >= gossip_at) {
                gossip_at = clock_type::now() + options_.every;
                gossip(mistake::none);
            }
            if (options_.after.count() >= 0 && clock_type::now() >= begin + options_.after) {
                options_.after = milliseconds(-1);
                die();
            }
        }
        {
            const std::lock_guard<std::mutex> held(lock_);
            is_ending_ = true;
        }
        more_.notify_one();
        worker.join();
    }

private:
    /* ---- telemetry: the public build, which evaluates no argument, calls none of these ---- */

    unsigned peers_ready() const {
        unsigned count = 0;
        for (const peer &each : peers_) {
            count += each.is_ready() ? 1 : 0;
        }
        return count;
    }

    /* ---- the way of a message ---- */

    OWN_FRAME void deliver(const letter &received) {
        const message decoded =
            received.wrong == mistake::nested ? decode_carefully(received) : decode_message(received);
        {
            const std::lock_guard<std::mutex> held(lock_);
            if (!is_new(decoded.id)) {
                return;
            }
            messages_++;
            digest_ += decoded.sum; /* Nodes that have the same messages have the same digest. */
            send_on(received);
            lifeboat_context("node", "messages", std::to_string(messages_).c_str());
            lifeboat_context("node", "digest", std::to_string(digest_).c_str());
        }
        if (received.from != options_.name) {
            std::printf("%s got %s from %s\n", options_.name.c_str(), decoded.id.c_str(), received.from.c_str());
            std::fflush(stdout);
            lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "gossip", (decoded.id + " " + decoded.text).c_str());
        }
    }

    void work() {
        lifeboat_thread_attach("worker");
        for (;;) {
            std::unique_lock<std::mutex> held(lock_);
            while (waiting_.empty() && !is_ending_) {
                more_.wait(held);
            }
            if (waiting_.empty()) {
                return;
            }
            const letter received = std::move(waiting_.front());
            waiting_.pop_front();
            held.unlock();
            deliver(received);
        }
    }

    letter letter_of_our_own(mistake wrong) {
        made_++;
        const std::string text = wrong == mistake::bad_text || wrong == mistake::nested ? "height\t" : "height ";
        return {options_.name,
                gossip_word + options_.name + "-" + std::to_string(made_) + " " + text + std::to_string(1204800 + made_),
                wrong};
    }

    /* A message of our own, to all peers. */
    OWN_FRAME void gossip(mistake wrong) { deliver(letter_of_our_own(wrong)); }

    /* With the lock held. What the worker cannot keep up with is dropped: another peer will send it, too. */
    void hand_over(letter received) {
        if (waiting_.size() < waiting_max) {
            waiting_.push_back(std::move(received));
            more_.notify_one();
        }
    }

    bool is_new(const std::string &id) {
        if (!seen_.insert(id).second) {
            return false;
        }
        seen_order_.push_back(id);
        if (seen_order_.size() > seen_max) {
            seen_.erase(seen_order_.front());
            seen_order_.pop_front();
        }
        return true;
    }

    void send_on(const letter &received) {
        for (const peer &each : peers_) {
            if (each.is_ready() && each.name != received.from) {
                send_line(each, received.line);
            }
        }
    }

    /* A peer that does not take what it is sent is hung up on: the main thread sees that and closes it. */
    static void send_line(const peer &to, const std::string &line) {
        const std::string wire = line + "\n";
        const ssize_t sent = send(to.socket.get(), wire.data(), wire.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent != static_cast<ssize_t>(wire.size())) {
            shutdown(to.socket.get(), SHUT_RDWR);
        }
    }

    /* ---- peers, on the main thread, with the lock held ---- */

    void peer_open(peer &opened, socket_handle socket, bool is_connecting) {
        opened.socket = std::move(socket);
        opened.is_connecting = is_connecting;
        opened.name.clear();
        opened.input.clear();
        if (!is_connecting) {
            send_line(opened, hello + options_.name);
        }
    }

    void peer_close(peer &lost) {
        const std::string name = lost.name;
        lost.socket = socket_handle();
        lost.name.clear();
        lost.dial_at = clock_type::now() + redial;
        if (!name.empty()) {
            lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "peer", ("lost " + name).c_str());
            lifeboat_context("node", "peers", std::to_string(peers_ready()).c_str());
        }
    }

    void peer_dial(peer &wanted) {
        const addresses found = resolve(wanted.address);
        socket_handle dialed(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        wanted.dial_at = clock_type::now() + redial;
        if (!found || !dialed.is_open()) {
            return;
        }
        if (connect(dialed.get(), found->ai_addr, found->ai_addrlen) == 0) {
            peer_open(wanted, std::move(dialed), false);
        } else if (errno == EINPROGRESS) {
            peer_open(wanted, std::move(dialed), true);
        }
    }

    void peer_connected(peer &dialed) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(dialed.socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        dialed.is_connecting = false;
        if (error) {
            peer_close(dialed);
        } else {
            send_line(dialed, hello + options_.name);
        }
    }

    void peer_accept() {
        socket_handle taken(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!taken.is_open()) {
            return;
        }
        for (peer &each : peers_) {
            if (!each.socket.is_open() && each.address.empty()) {
                return peer_open(each, std::move(taken), false);
            }
        }
        if (peers_.size() < peers_max) {
            peers_.emplace_back();
            peer_open(peers_.back(), std::move(taken), false);
        }
    }

    /* False for a line that a peer does not say. */
    bool peer_said(peer &by, const std::string &line) {
        if (by.name.empty()) {
            const std::string name = line.substr(line.size() < hello.size() ? line.size() : hello.size());
            if (line.compare(0, hello.size(), hello) != 0 || name.empty() || name.size() > name_bytes_max ||
                name.find(' ') != std::string::npos) {
                return false;
            }
            by.name = name;
            lifeboat_breadcrumb(LIFEBOAT_LEVEL_INFO, "peer", ("connected " + name).c_str());
            lifeboat_context("node", "peers", std::to_string(peers_ready()).c_str());
            return true;
        }
        if (id_end(line) == std::string::npos || line.find('\t') != std::string::npos) {
            return false;
        }
        hand_over({by.name, line, mistake::none});
        return true;
    }

    void peer_read(peer &from) {
        char bytes[4096];
        const ssize_t count = recv(from.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (count <= 0) {
            if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
                peer_close(from);
            }
            return;
        }
        from.input.append(bytes, static_cast<std::size_t>(count));
        for (std::size_t end = from.input.find('\n'); end != std::string::npos; end = from.input.find('\n')) {
            const std::string line = from.input.substr(0, end);
            if (line.size() >= line_bytes_max || line.find('\0') != std::string::npos || !peer_said(from, line)) {
                return peer_close(from);
            }
            from.input.erase(0, end + 1);
        }
        if (from.input.size() >= line_bytes_max) {
            peer_close(from);
        }
    }

    /* Waits for one tick at most, and does what there is to do. */
    void serve() {
        std::vector<pollfd> events;
        for (const peer &each : peers_) {
            const short wanted = each.is_connecting ? POLLOUT : POLLIN;
            events.push_back({each.socket.get(), wanted, 0});
        }
        events.push_back({listener_.get(), POLLIN, 0});
        if (poll(events.data(), events.size(), static_cast<int>(tick.count())) < 0) {
            return;
        }
        const std::lock_guard<std::mutex> held(lock_);
        for (std::size_t i = 0; i + 1 < events.size(); i++) {
            peer &each = peers_[i];
            if (!each.socket.is_open() && !each.address.empty() && clock_type::now() >= each.dial_at) {
                peer_dial(each);
            } else if (events[i].revents && each.is_connecting) {
                peer_connected(each);
            } else if (events[i].revents) {
                peer_read(each);
            }
        }
        if (events.back().revents) {
            peer_accept();
        }
    }

    /* ---- the end ---- */

    /* The worker falls. */
    void fall_in_worker(mistake wrong) {
        letter last = letter_of_our_own(wrong);
        const std::lock_guard<std::mutex> held(lock_);
        hand_over(std::move(last));
    }

    void die() {
        const std::string &how = options_.die;
        if (how == "none") {
            stop_wanted = 1;
            return;
        }
        if (how == "exit") {
            lifeboat_fatal("DatabaseError", "cannot open the message store: disk image is malformed", nullptr, 0);
            std::fprintf(stderr, "fatal: cannot open the message store\n");
            std::exit(1);
        }
        lifeboat_breadcrumb(LIFEBOAT_LEVEL_WARNING, "store", "compacted: texts of old messages dropped");
        if (how == "null") {
            fall_in_worker(mistake::no_text);
        } else if (how == "main") {
            gossip(mistake::no_text);
        } else if (how == "throw") {
            gossip(mistake::bad_text);
        } else if (how == "throw-thread") {
            fall_in_worker(mistake::bad_text);
        } else if (how == "nested") {
            gossip(mistake::nested);
        }
    }
};

/* ---- the command line ---- */

bool is_one_of(const std::string &word, const std::vector<std::string> &words) {
    for (const std::string &each : words) {
        if (each == word) {
            return true;
        }
    }
    return false;
}

bool read_option(options &out, const std::string &name, const std::string &value) {
    const bool is_address = value.rfind(':') != std::string::npos;
    if (name == "--listen") {
        out.listen = value;
        return is_address;
    }
    if (name == "--peer") {
        out.peers.push_back(value);
        return is_address && out.peers.size() < peers_max;
    }
    if (name == "--name") {
        out.name = value;
        return !value.empty() && value.size() <= name_bytes_max && value.find_first_of(" \n") == std::string::npos;
    }
    if (name == "--every-ms" || name == "--after-ms") {
        (name == "--every-ms" ? out.every : out.after) = milliseconds(std::atol(value.c_str()));
        return !value.empty();
    }
    out.die = value;
    return name == "--die" && is_one_of(value, {"none", "null", "main", "exit", "throw", "throw-thread", "nested"});
}

void want_stop(int) { stop_wanted = 1; }

} // namespace

int main(int argc, char **argv) {
    options chosen;
    for (int i = 1; i < argc; i += 2) {
        if (!read_option(chosen, argv[i], i + 1 < argc ? argv[i + 1] : "")) {
            std::fprintf(stderr,
                         "usage: cpp-node [--listen HOST:PORT] [--peer HOST:PORT]... [--name NAME] [--every-ms N]\n"
                         "                [--after-ms N] [--die none|null|main|exit|throw|throw-thread|nested]\n");
            return 2;
        }
    }
    if (chosen.die != "none" && chosen.after.count() < 0) {
        chosen.after = milliseconds(1000);
    }
    node running(chosen);
    if (!chosen.listen.empty() && !running.listen()) {
        std::fprintf(stderr, "cannot listen on %s: %s\n", chosen.listen.c_str(), std::strerror(errno));
        return 1;
    }
    std::signal(SIGTERM, want_stop);
    std::signal(SIGINT, want_stop);
    LIFEBOAT_SESSION(session, LIFEBOAT_OPTIONS.app("cpp-node").version("1.4.2"));
    lifeboat_tag("role", "relay");
    lifeboat_context("node", "peers", "0");
    lifeboat_context("node", "messages", "0");
    running.run();
    return 0;
}
