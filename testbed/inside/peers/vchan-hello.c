/* The smallest check that Debian's libxenvchan works here: a server that sends back the first word it gets, and a client
 * that sends one and compares. vchan-hello server DOMID PATH | client DOMID PATH WORD */
#include <libxenvchan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what) {
  perror(what);
  return 1;
}

static int serve(int domid, const char *path) {
  struct libxenvchan *channel = libxenvchan_server_init(NULL, domid, path, 4096, 4096);
  if (channel == NULL) return fail("libxenvchan_server_init");
  channel->blocking = 1;
  puts("listening");
  fflush(stdout);
  char word[256];
  int got = libxenvchan_read(channel, word, sizeof word);
  if (got <= 0 || libxenvchan_send(channel, word, (size_t)got) != got) return fail("echo");
  /* The client closes first, when it has the answer. */
  while (libxenvchan_is_open(channel) == 1) libxenvchan_wait(channel);
  libxenvchan_close(channel);
  return 0;
}

static int ask(int domid, const char *path, const char *word) {
  struct libxenvchan *channel = libxenvchan_client_init(NULL, domid, path);
  if (channel == NULL) return fail("libxenvchan_client_init");
  channel->blocking = 1;
  fputs("connected\n", stderr);
  char answer[256] = "";
  int length = (int)strlen(word);
  if (libxenvchan_send(channel, word, (size_t)length) != length) return fail("send");
  if (libxenvchan_recv(channel, answer, (size_t)length) != length) return fail("recv");
  libxenvchan_close(channel);
  puts(answer);
  return strcmp(answer, word) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "server") == 0) return serve(atoi(argv[2]), argv[3]);
  if (argc == 5 && strcmp(argv[1], "client") == 0) return ask(atoi(argv[2]), argv[3], argv[4]);
  fprintf(stderr, "usage: vchan-hello server DOMID PATH | client DOMID PATH WORD\n");
  return 2;
}
