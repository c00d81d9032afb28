// flock and descriptors: a lock lives with its open file description, so a child that inherits the descriptor holds it on.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// tryLock(fd: number): true when the exclusive lock is ours
Napi::Value TryLock(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return Napi::Boolean::New(info.Env(), true);
  if (errno == EWOULDBLOCK || errno == EINTR) return Napi::Boolean::New(info.Env(), false);
  throw ErrnoError(info.Env(), "flock", errno);
}

// duplicate(fd: number): a second descriptor, close-on-exec
Napi::Value Duplicate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 3);
  if (fd < 0) throw ErrnoError(env, "fcntl(F_DUPFD_CLOEXEC)", errno);
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// closeFd(fd: number): void
void CloseFd(const Napi::CallbackInfo& info) {
  const int fd = info[0].As<Napi::Number>().Int32Value();
  Environment::Of(info.Env())->files.erase(fd);
  // On Linux the descriptor is gone whatever close() returns, EINTR included.
  close(fd);
}

// releaseFd(fd: number): void. Somebody else, such as a net.Socket, closes it from now on.
void ReleaseFd(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env())->files.erase(info[0].As<Napi::Number>().Int32Value());
}

}  // namespace

void DefineFileLock(Napi::Env env, Napi::Object exports) {
  exports.Set("tryLock", Napi::Function::New<TryLock>(env, "tryLock"));
  exports.Set("duplicate", Napi::Function::New<Duplicate>(env, "duplicate"));
  exports.Set("closeFd", Napi::Function::New<CloseFd>(env, "closeFd"));
  exports.Set("releaseFd", Napi::Function::New<ReleaseFd>(env, "releaseFd"));
}

}  // namespace conduit
