// One datagram to a unix socket, such as the service manager's (sd_notify(3)): Node has no unix sockets that take them.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include "arguments.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// A path, or a name of the abstract namespace behind `@` (unix(7)), whose length is part of it. Returns the address's.
socklen_t Destination(const Napi::CallbackInfo& info, sockaddr_un* address) {
  const std::string name = StringArgument(info, 0);
  const bool abstract = !name.empty() && name[0] == '@';
  // A path needs its terminating NUL, an abstract name does not.
  const size_t longest = sizeof address->sun_path - (abstract ? 0 : 1);
  if (name.empty() || name.size() > longest) {
    throw ErrnoError(info.Env(), "sendto", name.empty() ? ENOENT : ENAMETOOLONG);
  }
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, name.data(), name.size());
  if (abstract) address->sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
}

// unixSendTo(name: string, bytes: Uint8Array): false when the receiver's queue is full
Napi::Value UnixSendTo(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  sockaddr_un address{};
  const socklen_t length = Destination(info, &address);
  Napi::Uint8Array bytes = BytesArgument(info, 1);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) throw ErrnoError(env, "socket", errno);
  const ssize_t sent = sendto(fd, bytes.Data(), bytes.ByteLength(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  const int error = errno;
  close(fd);
  if (sent < 0 && error != EAGAIN && error != EINTR) throw ErrnoError(env, "sendto", error);
  return Napi::Boolean::New(env, sent >= 0);
}

}  // namespace

void DefineUnixDatagram(Napi::Env env, Napi::Object exports) {
  exports.Set("unixSendTo", Napi::Function::New<UnixSendTo>(env, "unixSendTo"));
}

}  // namespace conduit
