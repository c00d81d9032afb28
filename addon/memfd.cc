// Shared memory files: made sealed, and refused when a peer's are not.
#include "memfd.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
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
  const std::string name = StringArgument(info, 0);
  const auto bytes = static_cast<off_t>(IntegerArgument(info, 1, INT64_MAX));
  int fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  // Kernels before 6.3 do not know the last flag.
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw ErrnoError(env, "memfd_create", errno);
  const bool sized = ftruncate(fd, bytes) == 0;
  if (!sized || fcntl(fd, F_ADD_SEALS, kSeals | F_SEAL_SEAL) < 0) {
    int error = errno;
    close(fd);
    throw ErrnoError(env, sized ? "fcntl(F_ADD_SEALS)" : "ftruncate", error);
  }
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// sealedBytes(fd: number): size of the file; throws EPERM when it could shrink under a mapping or is of huge pages, EINVAL
// when it is no memfd
Napi::Value SealedBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(SealedBytesOf(info.Env(), DescriptorArgument(info, 0))));
}

}  // namespace

uint64_t SealedBytesOf(Napi::Env env, int fd) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) throw ErrnoError(env, "fcntl(F_GET_SEALS)", errno);
  if ((seals & kSeals) != kSeals) throw ErrnoError(env, "fcntl(F_GET_SEALS)", EPERM);
  struct statfs system;
  struct stat status;
  if (fstatfs(fd, &system) < 0) throw ErrnoError(env, "fstatfs", errno);
  // SAFETY: the kernel rounds a mapping of huge pages up to whole ones, beyond the range that was reserved for it, and
  // a hole punched into the file is SIGBUS where no free huge page is left.
  if (system.f_type == HUGETLBFS_MAGIC) throw ErrnoError(env, "fstatfs", EPERM);
  if (fstat(fd, &status) < 0) throw ErrnoError(env, "fstat", errno);
  return static_cast<uint64_t>(status.st_size);
}

void DefineMemfd(Napi::Env env, Napi::Object exports) {
  exports.Set("memfdCreate", Napi::Function::New<MemfdCreate>(env, "memfdCreate"));
  exports.Set("sealedBytes", Napi::Function::New<SealedBytes>(env, "sealedBytes"));
}

}  // namespace conduit
