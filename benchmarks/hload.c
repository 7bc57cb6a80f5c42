// Load generator: sends prepared requests over a fixed number of connections and prints what came back as JSON.
//
//   hload ADDRESS PORT CONNECTIONS SECONDS once|cycle|random SCRIPT [BODY]
//
// One epoll loop, hardly an allocation while it runs, answers are read and thrown away: it has to be lighter than any
// server.
// It ends with 1 at the first answer that is not the expected one: a failure is never counted as a fast success.
// Latencies are those of whole jobs, apart for each class, in ms. hload_script.h has the form of SCRIPT.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "hload_script.h"

enum { WAVE_SECONDS = 30, HEAD_MAX = 32768, PLACE_MAX = 4096, TOKEN_MAX = 16384, SCRATCH = 262144, EVENTS = 256 };
enum phase { SENDING, HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER };
enum order { ONCE, CYCLE, RANDOM };

typedef struct { float *ms; long count, room; } Latencies;
typedef struct {
    int fd, job, step, status, close, fresh, waiting;
    enum phase phase;
    long left, sent, size, filled, line;
    double begun;
    const char *bytes;
    char *made;
    long room;
    char in[HEAD_MAX], place[PLACE_MAX], token[TOKEN_MAX];
} Connection;

static struct sockaddr_in server;
static int poll_fd;
static long next_job, done_jobs, done_requests, received, sent_bytes, reconnects;
static enum order order;
static const char *body;
static Latencies latencies[CLASSES];
static char scratch[SCRATCH];
static unsigned long long seed = 88172645463325252ULL;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

// What was asked: the first line of the request that the connection works on.
static const char *asked(const Connection *c) {
    static char line[300];
    const Request *r = &requests[jobs[c->job].first + c->step];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(r->bytes, "\r\n"), r->bytes);
    return line;
}

static void watch(Connection *c, int action, unsigned events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(poll_fd, action, c->fd, &e)) fail("epoll: %s", strerror(errno));
}

static void dial(Connection *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&server, sizeof server)) fail("connect: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->fresh = 1;
    c->waiting = 0;
    watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

static long put(Connection *c, long at, const char *text) {
    long size = strlen(text);
    memcpy(c->made + at, text, size);
    return at + size;
}

// The bytes to send: those of the script, or where they hold a mark a copy with the values in it.
static void fill(Connection *c, const Request *r) {
    c->bytes = r->bytes;
    c->size = r->size;
    if (!r->marked) return;
    long at = 0, room = r->size + 3 * (PLACE_MAX + TOKEN_MAX);
    if (c->room < room) c->made = need(realloc(c->made, c->room = room));
    for (long i = 0; i < r->head; i++) {
        char mark = r->bytes[i];
        if (mark == 1 || mark == 2) at = put(c, at, c->place);
        if (mark == 1) at = put(c, at, strchr(c->place, '?') ? "&" : "?");
        if (mark == 3) at = put(c, at, c->token);
        if (mark < 1 || mark > 3) c->made[at++] = mark;
        if (at > room - (r->size - i) - PLACE_MAX - TOKEN_MAX) fail("too many marks: %s", asked(c));
    }
    memcpy(c->made + at, r->bytes + r->head, r->size - r->head);
    c->bytes = c->made;
    c->size = at + r->size - r->head;
}

static void push_out(Connection *c) {
    const Request *r = &requests[jobs[c->job].first + c->step];
    long total = c->size + r->length;
    while (c->sent < total) {
        int inside = c->sent < c->size;
        const char *from = inside ? c->bytes + c->sent : body + r->offset + (c->sent - c->size);
        long rest = inside ? c->size - c->sent : total - c->sent;
        ssize_t n = send(c->fd, from, rest, MSG_NOSIGNAL | (inside && r->length ? MSG_MORE : 0));
        if (n < 0 && errno == EAGAIN) {
            if (!c->waiting) watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            c->waiting = 1;
            return;
        }
        // A refusal may come before the body was read: what it says is in the answer.
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) break;
        if (n < 0) fail("%s: %s", asked(c), strerror(errno));
        c->sent += n;
        sent_bytes += n;
    }
    if (c->waiting) watch(c, EPOLL_CTL_MOD, EPOLLIN);
    c->waiting = 0;
    c->phase = HEAD;
}

static void begin_request(Connection *c) {
    fill(c, &requests[jobs[c->job].first + c->step]);
    c->phase = SENDING;
    c->sent = c->filled = 0;
    push_out(c);
}

static int begin_job(Connection *c) {
    if (order == ONCE && next_job >= job_count) return 0;
    if (order == RANDOM) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        next_job = seed % job_count;
    }
    c->job = next_job++ % job_count;
    c->step = 0;
    c->begun = now();
    begin_request(c);
    return 1;
}

static void redial(Connection *c) {
    close(c->fd);
    reconnects++;
    dial(c);
}

static void note(Connection *c) {
    Latencies *l = &latencies[jobs[c->job].class];
    if (l->count == l->room) l->ms = need(realloc(l->ms, (l->room = 2 * l->room + 65536) * sizeof *l->ms));
    l->ms[l->count++] = (now() - c->begun) * 1e3;
    done_jobs++;
}

static void keep_token(Connection *c, const char *data, long size) {
    const char *at = memmem(data, size, "\"token\"", 7), *end = data + size;
    if (at == NULL) fail("%s: no token in the answer", asked(c));
    at = memchr(at + 7, '"', end - at - 7);
    const char *close = at ? memchr(at + 1, '"', end - at - 1) : NULL;
    if (close == NULL || close - at > TOKEN_MAX) fail("%s: the token is cut off or too long", asked(c));
    snprintf(c->token, TOKEN_MAX, "%.*s", (int)(close - at - 1), at + 1);
}

static void end_answer(Connection *c) {
    const Request *r = &requests[jobs[c->job].first + c->step];
    int fits = r->expect < 10 ? c->status / 100 == r->expect : c->status == r->expect;
    if (!fits) fail("%s: answered %d, not %d: %.300s", asked(c), c->status, r->expect, c->in);
    if (c->sent < c->size + r->length) fail("%s: answered before the body was sent", asked(c));
    if (r->token) keep_token(c, c->in, c->filled);
    done_requests++;
    c->fresh = 0;
    if (c->close) redial(c);
    if (++c->step < jobs[c->job].count) {
        begin_request(c);
        return;
    }
    note(c);
    if (!begin_job(c)) close(c->fd);
}

// The value of a header field in the head of the answer, NULL where it is not there.
static const char *field(const Connection *c, const char *name) {
    const char *at = strcasestr(c->in, name);
    return at ? at + strlen(name) + strspn(at + strlen(name), " \t") : NULL;
}

static void keep_place(Connection *c) {
    const char *at = field(c, "\r\nlocation:");
    if (at == NULL) return;
    const char *scheme = strstr(at, "://"), *end = at + strcspn(at, "\r");
    if (scheme && scheme < end) at = scheme + 3 + strcspn(scheme + 3, "/");
    if (end - at >= PLACE_MAX) fail("%s: the Location is too long", asked(c));
    snprintf(c->place, PLACE_MAX, "%.*s", (int)(end - at), at);
}

// Where the body ends (RFC 9112, section 6.3); answers 1 when there is none.
static int read_head(Connection *c) {
    const char *text = asked(c), *length = field(c, "\r\ncontent-length:");
    const char *coding = field(c, "\r\ntransfer-encoding:"), *connection = field(c, "\r\nconnection:");
    if (strncmp(c->in, "HTTP/1.1 ", 9)) fail("%s: no HTTP/1.1 answer: %.60s", text, c->in);
    c->status = atoi(c->in + 9);
    c->close = connection && !strncasecmp(connection, "close", 5);
    keep_place(c);
    if (!strncmp(text, "HEAD ", 5) || c->status == 204 || c->status == 304) return 1;
    if (coding && !strncasecmp(coding, "chunked", 7)) {
        c->phase = CHUNK_SIZE;
        c->left = c->line = 0;
        return 0;
    }
    if (length == NULL) fail("%s: an answer of unknown length", text);
    c->phase = LENGTH;
    c->left = atol(length);
    return c->left == 0;
}

// Take one byte of what stands around chunks (RFC 9112, section 7.1); answers 1 at the end of the body.
static int frame(Connection *c, char byte) {
    if (c->phase == CHUNK_SIZE) {
        if (isxdigit((unsigned char)byte) && c->line >= 0)
            c->left = c->left * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10), c->line++;
        else if (byte == '\n')
            c->phase = c->left ? CHUNK_DATA : TRAILER, c->line = 0;
        else
            c->line = -1;
        return 0;
    }
    if (c->phase == CHUNK_END) {
        if (byte == '\n') c->phase = CHUNK_SIZE, c->left = c->line = 0;
        return 0;
    }
    if (byte == '\n' && c->line == 0) return 1;
    c->line = byte == '\n' ? 0 : c->line + (byte != '\r');
    return 0;
}

// Read on in the body; answers 1 at its end.
static int take(Connection *c, const char *data, long size) {
    received += size;
    long at = 0;
    while (at < size) {
        if (c->phase != LENGTH && c->phase != CHUNK_DATA) {
            if (frame(c, data[at++])) return 1;
            continue;
        }
        long n = c->left < size - at ? c->left : size - at;
        c->left -= n;
        at += n;
        if (c->left == 0 && c->phase == LENGTH) return 1;
        if (c->left == 0) c->phase = CHUNK_END;
    }
    return 0;
}

// Body bytes whose token is wanted are kept behind the head, so that it can be read from there.
static int keep(Connection *c, const char *data, long size) {
    if (requests[jobs[c->job].first + c->step].token) {
        if (c->filled + size >= HEAD_MAX) fail("%s: the answer with the token is too long", asked(c));
        if (data != c->in + c->filled) memcpy(c->in + c->filled, data, size);
        c->filled += size;
    }
    return take(c, data, size);
}

static void ended(Connection *c) {
    if (c->fresh || c->filled || c->phase > HEAD) fail("%s: the connection ended before the answer", asked(c));
    redial(c);  // kept open for another request, and closed by the server just before it came
    begin_request(c);
}

static void pull_in(Connection *c) {
    int in_head = c->phase <= HEAD;
    char *into = in_head ? c->in + c->filled : scratch;
    ssize_t n = recv(c->fd, into, in_head ? HEAD_MAX - 1 - c->filled : SCRATCH, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        ended(c);
        return;
    }
    if (!in_head) {
        if (keep(c, scratch, n)) end_answer(c);
        return;
    }
    c->filled += n;
    c->in[c->filled] = 0;
    const char *end = memmem(c->in, c->filled, "\r\n\r\n", 4);
    if (end == NULL) {
        if (c->filled >= HEAD_MAX - 1) fail("%s: the head of the answer is too long", asked(c));
        return;
    }
    long head = end + 4 - c->in, rest = c->filled - head;
    c->filled = head;
    c->in[head - 2] = 0;  // nobody searches the body for header fields
    int no_body = read_head(c);
    c->in[head - 2] = '\r';
    if (no_body || (rest && keep(c, c->in + head, rest))) end_answer(c);
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print(double seconds) {
    printf("{\"seconds\":%.6f,\"jobs\":%ld,\"requests\":%ld,", seconds, done_jobs, done_requests);
    printf("\"received\":%ld,\"sent\":%ld,\"reconnects\":%ld,\"classes\":[", received, sent_bytes, reconnects);
    for (int i = 0; i < CLASSES; i++) {
        Latencies *l = &latencies[i];
        if (l->count) qsort(l->ms, l->count, sizeof *l->ms, ascending);
        double p[4] = {0};
        for (int k = 0; k < 4 && l->count; k++) p[k] = l->ms[(long)((l->count - 1) * (double[]){.5, .95, .99, 1}[k])];
        printf("%s{\"jobs\":%ld,\"p50\":%.3f,", i ? "," : "", l->count, p[0]);
        printf("\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}", p[1], p[2], p[3]);
    }
    printf("]}\n");
}

// Time is up; but a server that takes turns answers nobody before it answers all, so the first wave is waited for.
static int is_over(double passed, double seconds, int count) {
    return seconds > 0 && passed >= seconds && (done_jobs >= count || passed >= seconds + WAVE_SECONDS);
}

static void run(Connection *all, int count, double seconds) {
    double begun = now();
    struct epoll_event events[EVENTS];
    for (int i = 0; i < count; i++)
        if (!begin_job(&all[i])) break;
    while ((order != ONCE || done_jobs < job_count) && !is_over(now() - begun, seconds, count)) {
        int n = epoll_wait(poll_fd, events, EVENTS, 100);
        for (int i = 0; i < n; i++) {
            Connection *c = events[i].data.ptr;
            if (c->phase == SENDING && events[i].events & EPOLLOUT) push_out(c);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) pull_in(c);
        }
    }
    print(now() - begun);
}

int main(int n, char **words) {
    if (n < 7) fail("hload ADDRESS PORT CONNECTIONS SECONDS once|cycle|random SCRIPT [BODY]");
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    long body_size = 0;
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
    if (inet_pton(AF_INET, words[1], &server.sin_addr) != 1) fail("%s is no IPv4 address", words[1]);
    order = words[5][0] == 'o' ? ONCE : words[5][0] == 'c' ? CYCLE : RANDOM;
    if (n > 7) body = map(words[7], &body_size);
    load(words[6], body_size);
    int count = atoi(words[3]);
    if (order == ONCE && count > job_count) count = job_count;
    if (count < 1) fail("at least one connection");
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    Connection *all = need(calloc(count, sizeof *all));
    for (int i = 0; i < count; i++) dial(&all[i]);
    run(all, count, atof(words[4]));
}
