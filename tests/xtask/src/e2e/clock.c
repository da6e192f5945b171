/* Moves the wall clock of one process: adds the seconds that stand in the file named by CLOCK_SHIFT_FILE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    const char *name = getenv("CLOCK_SHIFT_FILE");
    if (failed || id != CLOCK_REALTIME || !name)
        return failed;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0)
        at->tv_sec += atol(text);
    close(file);
    return 0;
}
