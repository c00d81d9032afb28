// flock and descriptors: a lock lives with its open file description, so a child that inherits the descriptor holds it on.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// tryLock(fd: number): true when the exclusive lock is ours
Napi::Value TryLock(const Napi::CallbackInfo& info) {
  const int fd = DescriptorArgument(info, 0);
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK || errno == EINTR) return Napi::Boolean::New(info.Env(), false);
  throw ErrnoError(info.Env(), "flock", errno);
}

// duplicate(fd: number): a second descriptor, close-on-exec
Napi::Value Duplicate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = fcntl(DescriptorArgument(info, 0), F_DUPFD_CLOEXEC, 3);
  if (fd < 0) throw ErrnoError(env, "fcntl(F_DUPFD_CLOEXEC)", errno);
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// Takes a descriptor out of what the environment owns.
int Disown(const Napi::CallbackInfo& info, const char* syscall) {
  const int fd = DescriptorArgument(info, 0);
  Environment* environment = Environment::Of(info.Env());
  // SAFETY: a number that is not ours, or not any more, may be somebody else's descriptor by now.
  if (!environment->files.contains(fd)) throw ErrnoError(info.Env(), syscall, EBADF);
  // SAFETY: libuv aborts the process when a descriptor that it polls is gone.
  if (environment->watches.contains(fd)) throw ErrnoError(info.Env(), syscall, EBUSY);
  environment->files.erase(fd);
  return fd;
}

// closeFd(fd: number): void. EBADF for what the addon did not hand out here, EBUSY while a watcher polls it.
void CloseFd(const Napi::CallbackInfo& info) {
  const int fd = Disown(info, "close");
  // On Linux the descriptor is gone whatever close() returns, EINTR included.
  close(fd);
}

// releaseFd(fd: number): void. Somebody else, such as a net.Socket, closes it from now on.
void ReleaseFd(const Napi::CallbackInfo& info) {
  Disown(info, "release");
}

}  // namespace

void DefineFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLock", Napi::Function::New<TryLock>(env, "tryLock"));
  exports.Set("duplicate", Napi::Function::New<Duplicate>(env, "duplicate"));
  exports.Set("closeFd", Napi::Function::New<CloseFd>(env, "closeFd"));
  exports.Set("releaseFd", Napi::Function::New<ReleaseFd>(env, "releaseFd"));
}

}  // namespace conduit
