/*
 * Where the user's local hypervisor is, and how to start one. The rules are those of src/substrate/local/runtime-dir.ts and
 * start-hypervisor.ts. Without node there is none to start: CONDUIT_HYPERVISOR holds the command, and gets the directory as
 * its argument and the lock as descriptor 3.
 */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* src/substrate/local/start-hypervisor.ts, LOCK_FD. */
#define LOCK_FD 3

const char *runtime_directory(void)
{
    static char directory[108];
    const char *own = getenv("CONDUIT_RUNTIME_DIR"), *session = getenv("XDG_RUNTIME_DIR");
    struct stat status;
    int length;
    if (own && *own)
        length = snprintf(directory, sizeof directory, "%s", own);
    else if (session && *session == '/' && stat(session, &status) == 0 && status.st_uid == getuid())
        length = snprintf(directory, sizeof directory, "%s/conduit", session);
    else
        length = snprintf(directory, sizeof directory, "/tmp/conduit-%u", (unsigned)getuid());
    if ((size_t)length >= sizeof directory)
        directory[0] = '\0';
    return directory;
}

/* This user's alone, or EACCES: others could have prepared it. lstat, since a symbolic link may be another user's. */
static int check_directory(const char *directory)
{
    struct stat status;
    if (*directory != '/') {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (lstat(directory, &status) < 0)
        return -1;
    if (S_ISDIR(status.st_mode) && status.st_uid == getuid() && (status.st_mode & 077) == 0)
        return 0;
    errno = EACCES;
    return -1;
}

int hypervisor_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *directory = runtime_directory();
    if (check_directory(directory) < 0)
        return -1;
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/" CONDUIT_CONTROL_SOCKET_NAME, directory);
    if ((size_t)length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct ucred owner;
    socklen_t size = sizeof owner;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0) {
        if (owner.uid == getuid())
            return fd;
        errno = EACCES;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool hypervisor_can_be_started(void)
{
    const char *command = getenv("CONDUIT_HYPERVISOR");
    return command && *command;
}

/* A shell starts it in the background and ends: nobody's child is left to be waited for. Not preloaded itself. */
static void spawn_with_lock(const char *directory, int lock)
{
    char command[4096], path[4096], home[4096];
    snprintf(command, sizeof command, "%s \"$0\" </dev/null >/dev/null 2>&1 &", getenv("CONDUIT_HYPERVISOR"));
    snprintf(path, sizeof path, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    snprintf(home, sizeof home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    char *arguments[] = {"sh", "-c", command, (char *)directory, NULL};
    char *environment[] = {path, home, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, lock, LOCK_FD);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    if (posix_spawn(&pid, "/bin/sh", &actions, &attributes, arguments, environment) == 0)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
}

void hypervisor_start(void)
{
    const char *directory = runtime_directory();
    char path[160];
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return;
    if (check_directory(directory) < 0)
        return;
    snprintf(path, sizeof path, "%s/" CONDUIT_LOCK_FILE_NAME, directory);
    int lock = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0)
        return;
    /* Whoever holds the lock starts it, and it holds the lock for as long as it lives. */
    if (flock(lock, LOCK_EX | LOCK_NB) == 0)
        spawn_with_lock(directory, lock);
    close(lock);
}
