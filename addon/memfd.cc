// Shared memory files: made sealed, and refused when a peer's are not.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "environment.h"
#include "errno_error.h"
#include "functions.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // linux/memfd.h, since Linux 6.3
#endif

namespace conduit {

namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

// memfdCreate(name: string, bytes: number): fd of a zeroed file that can neither shrink nor grow
Napi::Value MemfdCreate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::string name = info[0].As<Napi::String>().Utf8Value();
  const int64_t bytes = info[1].As<Napi::Number>().Int64Value();
  int fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  // Kernels before 6.3 do not know the last flag.
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw ErrnoError(env, "memfd_create", errno);
  if (ftruncate(fd, bytes) < 0 || fcntl(fd, F_ADD_SEALS, kSeals | F_SEAL_SEAL) < 0) {
    int error = errno;
    close(fd);
    throw ErrnoError(env, "ftruncate", error);
  }
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// sealedBytes(fd: number): size of the file; throws EPERM when it could shrink under a mapping
Napi::Value SealedBytes(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = info[0].As<Napi::Number>().Int32Value();
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) throw ErrnoError(env, "fcntl(F_GET_SEALS)", errno);
  if ((seals & kSeals) != kSeals) throw ErrnoError(env, "fcntl(F_GET_SEALS)", EPERM);
  struct stat status;
  if (fstat(fd, &status) < 0) throw ErrnoError(env, "fstat", errno);
  return Napi::Number::New(env, static_cast<double>(status.st_size));
}

}  // namespace

void DefineMemfd(Napi::Env env, Napi::Object exports) {
  exports.Set("memfdCreate", Napi::Function::New<MemfdCreate>(env, "memfdCreate"));
  exports.Set("sealedBytes", Napi::Function::New<SealedBytes>(env, "sealedBytes"));
}

}  // namespace conduit
