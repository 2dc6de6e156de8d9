/* Preloaded: the time of day is so many seconds off as the file CLOCK says, which may change at any moment. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    const char *path = getenv("CLOCK");
    if (result == 0 && clock == CLOCK_REALTIME && path) {
        char offset[32] = {0};
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file >= 0) {
            if (read(file, offset, sizeof offset - 1) > 0) now->tv_sec += atoll(offset);
            close(file);
        }
    }
    return result;
}
