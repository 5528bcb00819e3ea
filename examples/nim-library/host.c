/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A host in C that loads the Nim node as a library, as a module's process does, and lets it gossip.
 *
 *     gossip-host LIBRARY [--listen HOST:PORT] ...       what follows is nim-node's
 *
 * It runs until SIGTERM or SIGINT.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    void (*nim_main)(void);
    int (*start)(const char *arguments);
    void (*stop)(void);
} gossip;

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "gossip-host: no %s\n", name);
        exit(2);
    }
    return found;
}

static gossip gossip_load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    gossip loaded;
    if (!library) {
        fprintf(stderr, "gossip-host: %s\n", dlerror());
        exit(2);
    }
    *(void **)&loaded.nim_main = symbol(library, "gossipNimMain");
    *(void **)&loaded.start = symbol(library, "gossip_start");
    *(void **)&loaded.stop = symbol(library, "gossip_stop");
    return loaded;
}

/* Blocked before the library starts its threads, so that they inherit it: the host waits for these. */
static sigset_t stop_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

int main(int argc, char **argv) {
    char arguments[4096] = "";
    sigset_t set = stop_signals();
    int received = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: gossip-host LIBRARY [ARGUMENT OF nim-node]...\n");
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        size_t used = strlen(arguments);
        snprintf(arguments + used, sizeof arguments - used, i == 2 ? "%s" : "\n%s", argv[i]);
    }
    gossip library = gossip_load(argv[1]);
    library.nim_main();
    if (library.start(arguments) != 0) {
        fprintf(stderr, "gossip-host: the library refuses its arguments\n");
        return 2;
    }
    sigwait(&set, &received);
    library.stop();
    return 0;
}
