/* The command line of vchan-peer. */
#include "vchan-peer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "usage: vchan-peer server|client PEER PORT JOB [COUNT] [options]\n"
    "PEER is a domid, or - for a line on stdin. JOB:\n"
    "  send COUNT      write so many bytes of the pattern\n"
    "  receive COUNT   read and check so many; 0: until the other side ends\n"
    "  echo            write back what comes, until the other side ends\n"
    "  exchange COUNT  write so many bytes and check that they come back, both at once\n"
    "  ping COUNT      write a chunk and wait until it has come back, so many times\n"
    "  hold            nothing, until the other side ends\n"
    "  --chunk N       bytes a call (65536)\n"
    "  --ring N        the server's smallest ring in bytes, both ways (0: in the control page); --read-ring, --write-ring\n"
    "  --packet        libxenvchan_send and _recv of whole chunks instead of _write and _read\n"
    "  --nonblocking   never wait in libxenvchan; select() on its descriptor\n"
    "  --blind         receive without looking at the bytes, to measure\n"
    "  --finish HOW    close at once; drain: once the other side has read all; hold: once it has gone; exit, kill: no close;\n"
    "                  stay: never unmap, not even when it has gone\n";

static void usage(const char *why, const char *what)
{
    fprintf(stderr, "vchan-peer: %s%s\n%s", why, what, USAGE);
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0')
        usage("not a number: ", text);
    return value;
}

static bool one_of(const char *text, const char *list)
{
    const char *found = strstr(list, text);
    size_t length = strlen(text);
    return found && length > 0 && (found == list || found[-1] == ' ') && (found[length] == ' ' || !found[length]);
}

static void read_options(int argc, char **argv, struct job *job)
{
    static const struct option options[] = {
        {"chunk", required_argument, NULL, 'c'},     {"ring", required_argument, NULL, 'b'},
        {"read-ring", required_argument, NULL, 'r'}, {"write-ring", required_argument, NULL, 'w'},
        {"packet", no_argument, NULL, 'p'},          {"nonblocking", no_argument, NULL, 'n'},
        {"finish", required_argument, NULL, 'f'},    {"blind", no_argument, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': job->chunk = number(optarg); break;
        case 'b': job->read_ring = job->write_ring = number(optarg); break;
        case 'r': job->read_ring = number(optarg); break;
        case 'w': job->write_ring = number(optarg); break;
        case 'p': job->packet = true; break;
        case 'n': job->blocking = false; break;
        case 'x': job->blind = true; break;
        case 'f': job->finish = optarg; break;
        default: usage("", "");
        }
    }
}

struct job job_from_arguments(int argc, char **argv)
{
    struct job job = {.chunk = 65536, .blocking = true, .finish = "close"};
    read_options(argc, argv, &job);
    argv += optind;
    argc -= optind;
    if (argc < 4 || argc > 5)
        usage("PEER, PORT and JOB are needed", "");
    if (!one_of(argv[0], "server client"))
        usage("server or client, not ", argv[0]);
    job.server = strcmp(argv[0], "server") == 0;
    job.peer = strcmp(argv[1], "-") == 0 ? -1 : (int)number(argv[1]);
    job.port = argv[2];
    job.name = argv[3];
    job.count = argc == 5 ? number(argv[4]) : 0;
    if (!one_of(job.name, "send receive echo exchange ping hold"))
        usage("no job ", job.name);
    if (!one_of(job.finish, "close drain hold exit kill stay"))
        usage("no way to finish ", job.finish);
    if (job.chunk == 0 || job.chunk > CHUNK_MAX)
        usage("a chunk has 1 to 1048576 bytes", "");
    return job;
}
