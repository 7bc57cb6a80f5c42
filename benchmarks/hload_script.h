// The script of hload.c: jobs of prepared requests.
//
// SCRIPT is what benchmarks/script.py writes:
//
//   J <class>\n                                         begins a job: requests that one connection sends in order
//   R <status> <token> <offset> <length> <size>\n<size bytes>\n    a request, head and beginning of its body
//
// <status> below 10 stands for all of its class. <length> bytes of BODY from <offset> on follow the bytes of the
// request. In them \1 stands for the last Location with ? or & behind it, \2 for the Location as it is, \3 for the
// token of the last answer whose <token> was 1.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CLASSES = 4 };

typedef struct { int expect, token, marked; long offset, length, size, head; const char *bytes; } Request;
typedef struct { int first, count, class; } Job;

static Request *requests;
static Job *jobs;
static int job_count;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *form, ...) {
    va_list values;
    va_start(values, form);
    vfprintf(stderr, form, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static void *need(void *memory) {
    if (memory == NULL) fail("out of memory");
    return memory;
}

static const char *map(const char *path, long *size) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about)) fail("%s: %s", path, strerror(errno));
    *size = about.st_size;
    if (about.st_size == 0) fail("%s is empty", path);
    void *memory = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (memory == MAP_FAILED) fail("%s: %s", path, strerror(errno));
    close(fd);
    return memory;
}

// Find the end of the head, and whether there is a mark in it.
static void look(Request *r) {
    const char *end = memmem(r->bytes, r->size, "\r\n\r\n", 4);
    if (end == NULL) fail("a request whose head does not end: %.60s", r->bytes);
    r->head = end - r->bytes;
    for (long i = 0; i < r->head && !r->marked; i++) r->marked = r->bytes[i] >= 1 && r->bytes[i] <= 3;
}

static void load(const char *path, long body_size) {
    long size, request_count = 0, request_room = 0, job_room = 0;
    const char *at = map(path, &size), *end = at + size;
    while (at < end) {
        const char *line = at;
        at = memchr(at, '\n', end - at);
        if (at++ == NULL) fail("%s: a line does not end", path);
        if (*line == 'J') {
            if (job_count == job_room) jobs = need(realloc(jobs, (job_room = 2 * job_room + 64) * sizeof *jobs));
            jobs[job_count++] = (Job){request_count, 0, atoi(line + 2) % CLASSES};
            continue;
        }
        Request r = {0};
        if (!job_count || sscanf(line, "R %d %d %ld %ld %ld", &r.expect, &r.token, &r.offset, &r.length, &r.size) != 5)
            fail("%s: %.60s is no line of a script", path, line);
        if (r.size > end - at || r.offset + r.length > body_size) fail("%s: a request is cut off", path);
        r.bytes = at;
        at += r.size + 1;
        look(&r);
        if (request_count == request_room)
            requests = need(realloc(requests, (request_room = 2 * request_room + 64) * sizeof *requests));
        requests[request_count++] = r;
        jobs[job_count - 1].count++;
    }
    for (int i = 0; i < job_count; i++)
        if (!jobs[i].count) fail("%s: job %d has no request", path, i);
    if (!job_count) fail("%s has no jobs", path);
}
