/* The agent, process 1 of dom0 and of guests: starts commands for whoever is at the other end of a character device (a
 * virtio port, or a guest's console), and tells what they print and how they end. A line is a message:
 *   to it:    start ID COMMAND     signal ID NUMBER        (COMMAND for sh -c, in base64)
 *   from it:  ready     out ID BYTES     err ID BYTES     exit ID STATUS       (BYTES in base64, STATUS as a shell's $?)
 * `exit` comes after all that the command itself has printed; what its orphans print may follow. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { CHUNK = 12288, LINE_MAX_BYTES = 1 << 20, JOBS_MAX = 256 };

struct job {
  int id;
  pid_t pid; /* 0 once reaped */
  int output[2]; /* read ends of its stdout and stderr; -1 once at their end */
};

static struct job jobs[JOBS_MAX];
static int job_count;
static int device;

/* Without its device the agent serves nobody: the machine goes off, so that none is left running. */
static void power_off(void) {
  sync();
  reboot(RB_POWER_OFF);
  _exit(1);
}

/* A virtio port without its host would block a writer for ever, and tell only who polls. */
static void wait_for_room(void) {
  struct pollfd room = {.fd = device, .events = POLLOUT};
  poll(&room, 1, -1);
  if (room.revents & (POLLHUP | POLLERR)) power_off();
}

static void send_all(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(device, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) {
      wait_for_room();
      continue;
    }
    if (written <= 0) power_off();
    bytes += written;
    length -= (size_t)written;
  }
}

static void send_bytes(const char *kind, int id, const unsigned char *bytes, size_t length) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static char line[CHUNK / 3 * 4 + 64];
  size_t at = (size_t)sprintf(line, "%s %d ", kind, id);
  for (size_t i = 0; i < length; i += 3) {
    size_t left = length - i;
    unsigned word = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    line[at++] = digits[word >> 18];
    line[at++] = digits[word >> 12 & 63];
    line[at++] = left > 1 ? digits[word >> 6 & 63] : '=';
    line[at++] = left > 2 ? digits[word & 63] : '=';
  }
  line[at++] = '\n';
  send_all(line, at);
}

static void send_exit(int id, int status) {
  char line[64];
  send_all(line, (size_t)sprintf(line, "exit %d %d\n", id, status));
}

/* In place; what is no base64 digit is passed over. */
static void decode(char *text) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *out = text;
  unsigned word = 0, bits = 0;
  for (; *text != '\0' && *text != '='; text++) {
    const char *digit = strchr(digits, *text);
    if (digit == NULL) continue;
    word = word << 6 | (unsigned)(digit - digits);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    *out++ = (char)(word >> bits);
  }
  *out = '\0';
}

static void become(const char *command, int out, int err) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, 0);
  dup2(out, 1);
  dup2(err, 2);
  execl("/bin/sh", "sh", "-c", command, (char *)NULL);
  _exit(127);
}

static void start(int id, const char *command) {
  int out[2], err[2];
  if (job_count == JOBS_MAX || pipe2(out, O_CLOEXEC) != 0) return send_exit(id, 126);
  if (pipe2(err, O_CLOEXEC) != 0) {
    close(out[0]);
    close(out[1]);
    return send_exit(id, 126);
  }
  pid_t pid = fork();
  if (pid == 0) become(command, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  if (pid > 0) {
    jobs[job_count++] = (struct job){.id = id, .pid = pid, .output = {out[0], err[0]}};
    return;
  }
  close(out[0]);
  close(err[0]);
  send_exit(id, 126);
}

/* The whole session that the command leads, unless it was reaped: then its number may be another's. */
static void send_signal(int id, int number) {
  for (int i = 0; i < job_count; i++)
    if (jobs[i].id == id && jobs[i].pid > 0) kill(-jobs[i].pid, number);
}

static void obey(char *line) {
  int id = 0, number = 0, at = 0;
  if (sscanf(line, "start %d %n", &id, &at) == 1 && at > 0) {
    decode(line + at);
    start(id, line + at);
  } else if (sscanf(line, "signal %d %d", &id, &number) == 2) {
    send_signal(id, number);
  }
}

/* Cut what has come into lines, whatever the pieces were. */
static void receive(void) {
  static char pending[LINE_MAX_BYTES];
  static size_t held;
  ssize_t got = read(device, pending + held, sizeof pending - held);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) power_off();
  held += (size_t)got;
  char *from = pending, *end;
  while ((end = memchr(from, '\n', held - (size_t)(from - pending))) != NULL) {
    *end = '\0';
    obey(from);
    from = end + 1;
  }
  held -= (size_t)(from - pending);
  memmove(pending, from, held);
  if (held == sizeof pending) held = 0;
}

/* One piece of one stream, at most `most` bytes; how many it was. */
static size_t forward(struct job *job, int stream, size_t most) {
  static unsigned char bytes[CHUNK];
  ssize_t got;
  do got = read(job->output[stream], bytes, most < sizeof bytes ? most : sizeof bytes);
  while (got < 0 && errno == EINTR);
  if (got <= 0) {
    close(job->output[stream]);
    job->output[stream] = -1;
    return 0;
  }
  send_bytes(stream == 0 ? "out" : "err", job->id, bytes, (size_t)got);
  return (size_t)got;
}

/* Order matters: first what is in the pipes now (orphans may write on for ever), then the exit. */
static void finish(struct job *job, int status) {
  for (int stream = 0; stream < 2; stream++) {
    int waiting = 0;
    if (job->output[stream] < 0 || ioctl(job->output[stream], FIONREAD, &waiting) != 0) continue;
    for (size_t left = (size_t)waiting, got = 1; left > 0 && got > 0; left -= got) got = forward(job, stream, left);
  }
  send_exit(job->id, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  job->pid = 0;
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < job_count; i++)
      if (jobs[i].pid == pid) finish(&jobs[i], status);
}

static void forget_finished(void) {
  for (int i = 0; i < job_count; i++)
    if (jobs[i].pid == 0 && jobs[i].output[0] < 0 && jobs[i].output[1] < 0) jobs[i--] = jobs[--job_count];
}

static int open_device(const char *path) {
  int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct termios mode;
  if (fd >= 0 && tcgetattr(fd, &mode) == 0) {
    cfmakeraw(&mode);
    tcsetattr(fd, TCSANOW, &mode);
  }
  return fd;
}

static int watch_children(void) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, NULL);
  return signalfd(-1, &child, SFD_CLOEXEC);
}

int main(int argc, char **argv) {
  if (argc != 2 || (device = open_device(argv[1])) < 0) {
    fprintf(stderr, "agent: needs a character device that can be opened\n");
    power_off();
  }
  int children = watch_children();
  send_all("ready\n", 6);
  for (;;) {
    struct pollfd polls[2 + 2 * JOBS_MAX];
    nfds_t count = 0;
    polls[count++] = (struct pollfd){.fd = device, .events = POLLIN};
    polls[count++] = (struct pollfd){.fd = children, .events = POLLIN};
    int polled = job_count;
    for (int i = 0; i < polled; i++)
      for (int stream = 0; stream < 2; stream++) polls[count++] = (struct pollfd){.fd = jobs[i].output[stream], .events = POLLIN};
    if (poll(polls, count, -1) < 0) continue;
    for (int i = 0; i < polled; i++)
      for (int stream = 0; stream < 2; stream++)
        if (polls[2 + 2 * i + stream].revents != 0) forward(&jobs[i], stream, CHUNK);
    struct signalfd_siginfo info;
    if (polls[1].revents != 0 && read(children, &info, sizeof info) > 0) reap();
    forget_finished();
    if (polls[0].revents & POLLIN) receive();
    else if (polls[0].revents & (POLLHUP | POLLERR)) power_off();
  }
}
