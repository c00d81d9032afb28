// Character devices: opened non-blocking, read and written without a thread of libuv's. What the bytes mean is the
// caller's: event ports of /dev/xen/evtchn, store messages of /dev/xen/xenbus.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "arguments.h"
#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// deviceOpen(path: string): fd
Napi::Value DeviceOpen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = open(StringArgument(info, 0).c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) throw ErrnoError(env, "open", errno);
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// -1 for "not now", else the bytes moved.
Napi::Value Moved(Napi::Env env, const char* syscall, ssize_t bytes, int error) {
  if (bytes < 0 && error != EAGAIN && error != EINTR) throw ErrnoError(env, syscall, error);
  return Napi::Number::New(env, bytes < 0 ? -1 : static_cast<double>(bytes));
}

// readBytes(fd: number, target: Uint8Array): bytes, or -1 when there are none yet
Napi::Value ReadBytes(const Napi::CallbackInfo& info) {
  const int fd = DescriptorArgument(info, 0);
  Napi::Uint8Array target = BytesArgument(info, 1);
  const ssize_t bytes = read(fd, target.Data(), target.ByteLength());
  return Moved(info.Env(), "read", bytes, errno);
}

// writeBytes(fd: number, bytes: Uint8Array): bytes taken, or -1 when none can be taken yet
Napi::Value WriteBytes(const Napi::CallbackInfo& info) {
  const int fd = DescriptorArgument(info, 0);
  const Napi::Uint8Array source = BytesArgument(info, 1);
  const ssize_t bytes = write(fd, source.Data(), source.ByteLength());
  return Moved(info.Env(), "write", bytes, errno);
}

}  // namespace

void DefineDevice(Napi::Env env, Napi::Object exports) {
  exports.Set("deviceOpen", Napi::Function::New<DeviceOpen>(env, "deviceOpen"));
  exports.Set("readBytes", Napi::Function::New<ReadBytes>(env, "readBytes"));
  exports.Set("writeBytes", Napi::Function::New<WriteBytes>(env, "writeBytes"));
}

}  // namespace conduit
