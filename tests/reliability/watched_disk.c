/* Stands between a process and the files of one directory (LD_PRELOAD): keeps a journal of what reaches them, in order,
 * and makes chosen calls fail. The calls themselves go through to the real file system.
 *
 *   DISK_WATCHED  the directory, as a real path; files beneath it are watched, except "-shm", which is never synced
 *   DISK_JOURNAL  the journal's path (absent: no journal)
 *   DISK_FAULTS   a file of one `struct faults`, shared with the process that arms it (absent: nothing fails)
 *
 * A record is a `struct record` and `payload` bytes. Both structs have their mirror in preload.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATED = 1, WRITTEN, TRUNCATED, SYNCED, RENAMED, UNLINKED, DIRECTORY_SYNCED, MARKED };

struct record {
    uint32_t kind;
    int32_t error; /* 0, or the errno that the caller saw */
    uint64_t inode;
    uint64_t offset; /* of a write; the new size of a truncation */
    uint64_t payload;
};

enum { ON_WRITE = 1, ON_SYNC = 2, ON_TRUNCATE = 4, ON_UNLINK = 8, ON_OPEN = 16, ON_READ = 32 };

struct faults {
    uint32_t armed;
    uint32_t calls;    /* a mask of the above */
    int32_t error;     /* the errno that they fail with */
    uint32_t lasting;  /* from then on, not once */
    uint32_t halfway;  /* a write that fails has written its first half */
    uint32_t padding;
    int64_t countdown; /* fails at the call that brings it to zero */
    uint64_t seen;     /* such calls, armed or not */
    uint64_t struck;   /* calls that failed */
};

_Static_assert(sizeof(off_t) == 8, "a 64-bit system");

#define DESCRIPTORS 65536
static uint64_t inode_of[DESCRIPTORS]; /* 0: not watched */
static char watched[4096];
static size_t watched_length;
static int journal = -1;
static struct faults *faults;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) static __typeof__(&name) real_##name
REAL(open);
REAL(openat);
REAL(close);
REAL(write);
REAL(pwrite);
REAL(read);
REAL(pread);
REAL(ftruncate);
REAL(fsync);
REAL(fdatasync);
REAL(rename);
REAL(unlink);
#define FIND(name) real_##name = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void start(void)
{
    FIND(open);
    FIND(openat);
    FIND(close);
    FIND(write);
    FIND(pwrite);
    FIND(read);
    FIND(pread);
    FIND(ftruncate);
    FIND(fsync);
    FIND(fdatasync);
    FIND(rename);
    FIND(unlink);
    const char *place = getenv("DISK_WATCHED"), *kept = getenv("DISK_JOURNAL"), *control = getenv("DISK_FAULTS");
    if (!place || snprintf(watched, sizeof watched, "%s", place) >= (int)sizeof watched)
        return;
    watched_length = strlen(watched);
    if (kept)
        journal = real_open(kept, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int shared = control ? real_open(control, O_RDWR | O_CLOEXEC) : -1;
    if (shared >= 0) {
        void *map = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
        faults = map == MAP_FAILED ? NULL : map;
        real_close(shared);
    }
}

static int beneath(const char *path)
{
    return watched_length && !strncmp(path, watched, watched_length) && path[watched_length] == '/';
}

static int is_memory(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, "-shm");
}

static const char *name_of(const char *path)
{
    return path + watched_length + 1;
}

/* The journal must be complete: the process ends where the journal cannot be written. */
static void keep(enum kind kind, int error, uint64_t inode, uint64_t offset, const void *payload, size_t length)
{
    if (journal < 0)
        return;
    struct record head = {kind, error, inode, offset, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)payload, length}};
    if (writev(journal, parts, 2) != (ssize_t)(sizeof head + length))
        abort();
}

/* Whether this call is to fail. The lock is held. */
static int strikes(uint32_t call)
{
    if (!faults || !(faults->calls & call))
        return 0;
    faults->seen++;
    if (!faults->armed || --faults->countdown > 0)
        return 0;
    if (!faults->lasting)
        faults->armed = 0;
    faults->struck++;
    return faults->error;
}

/* Writes a mark of the process into the journal, between two calls. */
void disk_mark(const char *text, size_t length)
{
    pthread_mutex_lock(&lock);
    keep(MARKED, 0, 0, 0, text, length);
    pthread_mutex_unlock(&lock);
}

static int opened(int at, const char *path, int flags, mode_t mode)
{
    if (!beneath(path) || is_memory(path))
        return real_openat(at, path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat found;
    int fresh = stat(path, &found) != 0, descriptor = -1, error = flags & O_CREAT ? strikes(ON_OPEN) : 0;
    if (error)
        errno = error;
    else
        descriptor = real_openat(at, path, flags, mode);
    if (descriptor >= 0 && descriptor < DESCRIPTORS && fstat(descriptor, &found) == 0) {
        inode_of[descriptor] = found.st_ino;
        if (fresh)
            keep(CREATED, 0, found.st_ino, 0, name_of(path), strlen(name_of(path)));
        else if (flags & O_TRUNC)
            keep(TRUNCATED, 0, found.st_ino, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return descriptor;
}

#define MODE_OF(flags, mode)                                                                                           \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, mode_t);                                                                                   \
        va_end(rest);                                                                                                  \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return opened(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return opened(at, path, flags | O_LARGEFILE, mode);
}

/* The directory itself is opened by its own name, which is not beneath it. */
static uint64_t inode_behind(int descriptor)
{
    if (descriptor < 0 || descriptor >= DESCRIPTORS || !watched_length)
        return 0;
    return inode_of[descriptor];
}

static int is_watched_directory(int descriptor)
{
    struct stat here, there;
    return watched_length && fstat(descriptor, &here) == 0 && S_ISDIR(here.st_mode) && stat(watched, &there) == 0 &&
           here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

int close(int descriptor)
{
    if (inode_behind(descriptor)) {
        pthread_mutex_lock(&lock);
        inode_of[descriptor] = 0;
        pthread_mutex_unlock(&lock);
    }
    return real_close(descriptor);
}

static ssize_t written(int descriptor, const void *data, size_t length, off_t offset, int moves)
{
    pthread_mutex_lock(&lock);
    int error = strikes(ON_WRITE);
    size_t part = error ? (faults->halfway ? length / 2 : 0) : length;
    ssize_t done = 0;
    if (part || !error)
        done = moves ? real_write(descriptor, data, part) : real_pwrite(descriptor, data, part, offset);
    int seen = errno;
    if (done > 0)
        keep(WRITTEN, error, inode_of[descriptor], offset, data, done);
    pthread_mutex_unlock(&lock);
    errno = error ? error : seen;
    return error ? -1 : done;
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset)
{
    return inode_behind(descriptor) ? written(descriptor, data, length, offset, 0)
                                    : real_pwrite(descriptor, data, length, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset)
{
    return pwrite(descriptor, data, length, offset);
}

ssize_t write(int descriptor, const void *data, size_t length)
{
    if (!inode_behind(descriptor))
        return real_write(descriptor, data, length);
    return written(descriptor, data, length, lseek(descriptor, 0, SEEK_CUR), 1);
}

/* Whether a read is to fail, with errno set. */
static int unread(int descriptor)
{
    if (!faults || !inode_behind(descriptor))
        return 0;
    pthread_mutex_lock(&lock);
    int error = strikes(ON_READ);
    pthread_mutex_unlock(&lock);
    if (error)
        errno = error;
    return error;
}

ssize_t read(int descriptor, void *data, size_t length)
{
    return unread(descriptor) ? -1 : real_read(descriptor, data, length);
}

ssize_t pread(int descriptor, void *data, size_t length, off_t offset)
{
    return unread(descriptor) ? -1 : real_pread(descriptor, data, length, offset);
}

ssize_t pread64(int descriptor, void *data, size_t length, off64_t offset)
{
    return pread(descriptor, data, length, offset);
}

int ftruncate(int descriptor, off_t length)
{
    if (!inode_behind(descriptor))
        return real_ftruncate(descriptor, length);
    pthread_mutex_lock(&lock);
    int error = strikes(ON_TRUNCATE), result = error ? -1 : real_ftruncate(descriptor, length);
    if (error)
        errno = error;
    else if (result == 0)
        keep(TRUNCATED, 0, inode_of[descriptor], length, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate64(int descriptor, off64_t length)
{
    return ftruncate(descriptor, length);
}

static int synced(int descriptor, int (*sync)(int))
{
    int directory = is_watched_directory(descriptor);
    if (!directory && !inode_behind(descriptor))
        return sync(descriptor);
    pthread_mutex_lock(&lock);
    int error = strikes(ON_SYNC), result = error ? -1 : sync(descriptor);
    if (error)
        errno = error;
    keep(directory ? DIRECTORY_SYNCED : SYNCED, result ? errno : 0, inode_behind(descriptor), 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int descriptor)
{
    return synced(descriptor, real_fsync);
}

int fdatasync(int descriptor)
{
    return synced(descriptor, real_fdatasync);
}

int rename(const char *from, const char *to)
{
    if (!beneath(from) || !beneath(to))
        return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int result = real_rename(from, to);
    if (result == 0) {
        char names[2 * sizeof watched];
        int length = snprintf(names, sizeof names, "%s%c%s", name_of(from), 0, name_of(to));
        keep(RENAMED, 0, 0, 0, names, length);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int unlink(const char *path)
{
    if (!beneath(path) || is_memory(path))
        return real_unlink(path);
    pthread_mutex_lock(&lock);
    int error = strikes(ON_UNLINK), result = error ? -1 : real_unlink(path);
    if (error)
        errno = error;
    else if (result == 0)
        keep(UNLINKED, 0, 0, 0, name_of(path), strlen(name_of(path)));
    pthread_mutex_unlock(&lock);
    return result;
}
