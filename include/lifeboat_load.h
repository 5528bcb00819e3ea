/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Load mode: finds the reporter, judges its file and loads it. Included by lifeboat_on.h alone.
 *
 * A reporter is loaded only from an absolute path, never in a program with privileges that its caller lacks, and only
 * when nobody but root and this user could have written the file or a folder above it. The file is opened once; that very
 * file is judged, loaded through /proc/self/fd, and never unloaded. Only standard headers, in strict C99 too.
 */
#ifndef LIFEBOAT_LOAD_H
#define LIFEBOAT_LOAD_H

#ifndef LIFEBOAT_WARNINGS_
#pragma GCC system_header
#endif

extern char **environ;

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Strict C hides these; C++ never does. The numbers are those of x86_64 and aarch64. */
#ifndef __cplusplus
extern int lstat(const char *__restrict path, struct stat *__restrict out_status);
extern ssize_t readlink(const char *__restrict path, char *__restrict out_target, size_t size);
#endif
#ifndef O_CLOEXEC
#define O_CLOEXEC 02000000
#endif

#ifdef __x86_64__
#define LIFEBOAT_MACHINE_ EM_X86_64
#else
#define LIFEBOAT_MACHINE_ EM_AARCH64
#endif

/* PATH_MAX, with its NUL. */
enum { LIFEBOAT_PATH_BYTES_ = 4096 };

/* The real path of the reporter that was looked at last: the reporter finds its monitor from it. */
LIFEBOAT_SHARED_ char lifeboat_reporter_path_[LIFEBOAT_PATH_BYTES_] = "";

/* The mode bits: the kind of file, sticky, and what lets others write. */
enum { LIFEBOAT_STICKY_ = 01000, LIFEBOAT_OTHERS_WRITE_ = 022 };

/* Whether root or this user owns it, and nobody else may write. A sticky folder may be written by anybody: what it holds
   stays its owner's, and the owner of the next component is looked at in its turn. */
static inline int lifeboat_only_ours_(const struct stat *status) {
    if (status->st_uid != 0 && status->st_uid != geteuid()) {
        return 0;
    }
    if (S_ISDIR(status->st_mode) && (status->st_mode & LIFEBOAT_STICKY_)) {
        return 1;
    }
    return (status->st_mode & LIFEBOAT_OTHERS_WRITE_) == 0;
}

/* The same for a path; of a symbolic link, which has no mode of its own, the owner and the target count. */
LIFEBOAT_SHARED_ int lifeboat_component_is_safe_(const char *path) {
    struct stat status;
    if (lstat(path, &status) != 0) {
        return 0;
    }
    if (S_ISLNK(status.st_mode)) {
        if ((status.st_uid != 0 && status.st_uid != geteuid()) || stat(path, &status) != 0) {
            return 0;
        }
    }
    return lifeboat_only_ours_(&status);
}

/* Judges every component of an absolute path, the root folder and the last one included. */
LIFEBOAT_SHARED_ int lifeboat_path_is_safe_(const char *path) {
    char prefix[LIFEBOAT_PATH_BYTES_];
    size_t length = strlen(path);
    size_t end;
    if (length >= sizeof prefix || !lifeboat_component_is_safe_("/")) {
        return 0;
    }
    memcpy(prefix, path, length + 1);
    for (end = 1; end <= length; end++) {
        if (path[end] != '/' && path[end] != '\0') {
            continue;
        }
        prefix[end] = '\0';
        if (!lifeboat_component_is_safe_(prefix)) {
            return 0;
        }
        prefix[end] = path[end];
    }
    return 1;
}

/* Writes the real path of an open file, as the kernel knows it. 0 where there is none, as for a deleted file. */
LIFEBOAT_SHARED_ int lifeboat_real_path_(int fd, const struct stat *opened, char out_path[LIFEBOAT_PATH_BYTES_]) {
    char link[32];
    char path[LIFEBOAT_PATH_BYTES_];
    struct stat found;
    ssize_t length;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || length >= (ssize_t)sizeof path - 1 || path[0] != '/') {
        return 0;
    }
    path[length] = '\0';
    if (lstat(path, &found) != 0 || found.st_dev != opened->st_dev || found.st_ino != opened->st_ino) {
        return 0;
    }
    memcpy(out_path, path, (size_t)length + 1);
    return 1;
}

/* The beginning of a file, read at once: most headers lie in it. */
typedef struct lifeboat_head_ {
    size_t size;
    unsigned char bytes[1024];
} lifeboat_head_;

/* Takes a piece of the file, out of its beginning where it lies there. 0 where the file is shorter. */
static inline int lifeboat_read_(int fd, const lifeboat_head_ *head, uint64_t offset, void *out_bytes, size_t size) {
    if (offset <= head->size && size <= head->size - offset) {
        memcpy(out_bytes, head->bytes + offset, size);
        return 1;
    }
    return lseek(fd, (off_t)offset, SEEK_SET) == (off_t)offset && read(fd, out_bytes, size) == (ssize_t)size;
}

/* Whether `count` pieces of `size` bytes from `offset` lie within the file. */
static inline int lifeboat_is_within_(uint64_t offset, uint64_t count, uint64_t size, uint64_t file_size) {
    uint64_t bytes;
    return !__builtin_mul_overflow(count, size, &bytes) && offset <= file_size && bytes <= file_size - offset;
}

/* Judges the file's content by its own headers: the dynamic loader itself may crash on one that is cut short. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_judge_content_(int fd, uint64_t file_size) {
    Elf64_Ehdr elf;
    Elf64_Phdr segment;
    lifeboat_head_ head;
    uint64_t i;
    ssize_t length = read(fd, head.bytes, sizeof head.bytes);
    head.size = length > 0 ? (size_t)length : 0;
    if (!lifeboat_read_(fd, &head, 0, elf.e_ident, SELFMAG) || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) {
        return LIFEBOAT_REPORTER_NOT_A_LIBRARY;
    }
    if (!lifeboat_read_(fd, &head, 0, elf.e_ident, EI_NIDENT)) {
        return LIFEBOAT_REPORTER_TRUNCATED;
    }
    if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB) {
        return LIFEBOAT_REPORTER_FOREIGN;
    }
    if (!lifeboat_read_(fd, &head, 0, &elf, sizeof elf)) {
        return LIFEBOAT_REPORTER_TRUNCATED;
    }
    if (elf.e_machine != LIFEBOAT_MACHINE_) {
        return LIFEBOAT_REPORTER_FOREIGN;
    }
    if (elf.e_type != ET_DYN || elf.e_phentsize != sizeof segment || elf.e_phnum == 0) {
        return LIFEBOAT_REPORTER_NOT_A_LIBRARY;
    }
    if (!lifeboat_is_within_(elf.e_phoff, elf.e_phnum, sizeof segment, file_size) ||
        !lifeboat_is_within_(elf.e_shoff, elf.e_shnum, elf.e_shentsize, file_size)) {
        return LIFEBOAT_REPORTER_TRUNCATED;
    }
    for (i = 0; i < elf.e_phnum; i++) {
        if (!lifeboat_read_(fd, &head, elf.e_phoff + i * sizeof segment, &segment, sizeof segment)) {
            return LIFEBOAT_REPORTER_TRUNCATED;
        }
        if (segment.p_type == PT_LOAD && !lifeboat_is_within_(segment.p_offset, 1, segment.p_filesz, file_size)) {
            return LIFEBOAT_REPORTER_TRUNCATED;
        }
    }
    return LIFEBOAT_OK;
}

/* Loads the open file and asks it for its table. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_load_file_(int fd, const lifeboat_table **out_table) {
    static unsigned attempts = 0;
    static const char slashes[] = "////////////////////////////////////////////////////////////////";
    const lifeboat_table *(*api)(uint32_t, uint32_t);
    const lifeboat_table *table;
    char path[128];
    void *library;
    void *symbol;
    /* glibc takes a path that it has loaded before for the same library, and descriptors are used again: each attempt
       gets a path of its own, which slashes can give it. */
    attempts = attempts % (sizeof slashes - 1) + 1;
    snprintf(path, sizeof path, "/proc/self/fd%.*s%d", (int)attempts, slashes, fd);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        return LIFEBOAT_REPORTER_LOAD_FAILED;
    }
    symbol = dlsym(library, "lifeboat_api_v1");
    if (!symbol) {
        return LIFEBOAT_REPORTER_FOREIGN;
    }
    memcpy(&api, &symbol, sizeof api);
    table = api(LIFEBOAT_ABI_VERSION, sizeof(lifeboat_table));
    if (!table || table->struct_size < offsetof(lifeboat_table, start)) {
        return LIFEBOAT_REPORTER_OTHER_VERSION;
    }
    *out_table = table;
    return LIFEBOAT_OK;
}

/* Judges and loads the file at an open descriptor. `out_path`, its real path, is written where the path is known. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_load_open_(int fd, const char *path, char out_path[LIFEBOAT_PATH_BYTES_],
                                                     const lifeboat_table **out_table) {
    struct stat status;
    lifeboat_status judgement;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return LIFEBOAT_REPORTER_NOT_A_LIBRARY;
    }
    if (!lifeboat_only_ours_(&status) || !lifeboat_real_path_(fd, &status, out_path)) {
        return LIFEBOAT_REPORTER_UNSAFE;
    }
    /* The path as given matters too: whoever may change a link in it chooses the file. */
    if (!lifeboat_path_is_safe_(out_path) || (strcmp(out_path, path) != 0 && !lifeboat_path_is_safe_(path))) {
        return LIFEBOAT_REPORTER_UNSAFE;
    }
    judgement = lifeboat_judge_content_(fd, (uint64_t)status.st_size);
    return judgement == LIFEBOAT_OK ? lifeboat_load_file_(fd, out_table) : judgement;
}

/* The loaded reporter's table. `start` is the caller's copy of the options; its `reporter` becomes the real path. One
   thread at a time. */
LIFEBOAT_SHARED_ lifeboat_status lifeboat_find_(lifeboat_options *start, const lifeboat_table **out_table) {
    const char *path = getenv("LIFEBOAT_REPORTER");
    lifeboat_status status;
    int fd;
    if (!path || !*path) {
        path = start->reporter;
    }
    if (!path || !*path) {
        return LIFEBOAT_OFF;
    }
    if (getauxval(AT_SECURE) != 0) {
        return LIFEBOAT_PRIVILEGED;
    }
    if (path[0] != '/') {
        return LIFEBOAT_REPORTER_NOT_ABSOLUTE;
    }
    /* Neither a pipe nor a terminal may hold us up or become ours. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR ? LIFEBOAT_REPORTER_MISSING : LIFEBOAT_REPORTER_LOAD_FAILED;
    }
    status = lifeboat_load_open_(fd, path, lifeboat_reporter_path_, out_table);
    close(fd);
    start->reporter = lifeboat_reporter_path_;
    return status;
}

#else

LIFEBOAT_SHARED_ char lifeboat_reporter_path_[1] = "";

LIFEBOAT_SHARED_ lifeboat_status lifeboat_find_(lifeboat_options *start, const lifeboat_table **out_table) {
    (void)start;
    (void)out_table;
    return LIFEBOAT_UNSUPPORTED_PLATFORM;
}

#endif
#endif /* LIFEBOAT_LOAD_H */
