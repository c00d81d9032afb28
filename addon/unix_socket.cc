// Unix sockets that carry descriptors (SCM_RIGHTS) and know their peer (SO_PEERCRED). Message sockets
// (SOCK_SEQPACKET) and pairs; all non-blocking, none inherited by children.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "arguments.h"
#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// Most descriptors in one message (linux/net/scm.h, SCM_MAX_FD), both ways. Room for fewer on arrival would look like a
// process that may open no more.
constexpr size_t kMaxFds = 253;
constexpr int kFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

// The first argument as an address for `syscall`.
sockaddr_un Address(const Napi::CallbackInfo& info, const char* syscall) {
  const std::string path = StringArgument(info, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw ErrnoError(info.Env(), syscall, path.empty() ? ENOENT : ENAMETOOLONG);
  }
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Descriptors as an array of numbers, owned by the environment from here on.
Napi::Array Owned(Napi::Env env, const int* fds, size_t count) {
  for (size_t i = 0; i < count; i++) Environment::Of(env)->Own(fds[i]);
  Napi::Array list = Napi::Array::New(env, count);
  for (uint32_t i = 0; i < count; i++) list.Set(i, Napi::Number::New(env, fds[i]));
  return list;
}

// unixListen(path: string, stream: boolean): fd
Napi::Value UnixListen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const sockaddr_un address = Address(info, "bind");
  const int fd = socket(AF_UNIX, (BooleanArgument(info, 1) ? SOCK_STREAM : SOCK_SEQPACKET) | kFlags, 0);
  if (fd < 0) throw ErrnoError(env, "socket", errno);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  if (!bound || listen(fd, SOMAXCONN) < 0) {
    int error = errno;
    close(fd);
    throw ErrnoError(env, bound ? "listen" : "bind", error);
  }
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// unixConnect(path: string): fd. EAGAIN when the listener's queue is full.
Napi::Value UnixConnect(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const sockaddr_un address = Address(info, "connect");
  const int fd = socket(AF_UNIX, SOCK_SEQPACKET | kFlags, 0);
  if (fd < 0) throw ErrnoError(env, "socket", errno);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    int error = errno;
    close(fd);
    throw ErrnoError(env, "connect", error);
  }
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// unixAccept(fd: number): fd, or -1 when nobody waits
Napi::Value UnixAccept(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = accept4(DescriptorArgument(info, 0), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) throw ErrnoError(env, "accept4", errno);
  return Napi::Number::New(env, fd < 0 ? -1 : Environment::Of(env)->Own(fd));
}

// socketPair(stream: boolean): [fd, fd]
Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int type = BooleanArgument(info, 0) ? SOCK_STREAM : SOCK_SEQPACKET;
  int fds[2];
  if (socketpair(AF_UNIX, type | kFlags, 0, fds) < 0) throw ErrnoError(env, "socketpair", errno);
  return Owned(env, fds, 2);
}

// The descriptors of an array argument; returns how many.
size_t Descriptors(const Napi::CallbackInfo& info, size_t index, int* fds) {
  if (!info[index].IsArray()) throw Napi::TypeError::New(info.Env(), "descriptors are an array of numbers");
  auto list = info[index].As<Napi::Array>();
  const size_t count = list.Length();
  if (count > kMaxFds) throw ErrnoError(info.Env(), "sendmsg", E2BIG);
  for (uint32_t i = 0; i < count; i++) {
    const Napi::Value fd = list.Get(i);
    uint64_t number;
    if (!fd.IsNumber() || !ToInteger(fd.As<Napi::Number>().DoubleValue(), INT32_MAX, &number)) {
      throw Napi::TypeError::New(info.Env(), "descriptors are an array of numbers");
    }
    fds[i] = static_cast<int>(number);
  }
  return count;
}

// sendMessage(fd: number, bytes: Uint8Array, fds: number[]): false when the peer's queue is full
Napi::Value SendMessage(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  int fds[kMaxFds];
  const size_t count = Descriptors(info, 2, fds);
  // SAFETY: last, since reading the list may run JavaScript that detaches the bytes.
  Napi::Uint8Array bytes = BytesArgument(info, 1);
  // No bytes are how the other side sees the end.
  if (bytes.ByteLength() == 0) throw ErrnoError(env, "sendmsg", EINVAL);
  iovec part{bytes.Data(), bytes.ByteLength()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) throw ErrnoError(env, "sendmsg", errno);
  return Napi::Boolean::New(env, sent >= 0);
}

// The descriptors that came with a message; `fds` holds as many as its control buffer does. Returns how many.
size_t CollectFds(msghdr* message, int* fds) {
  size_t count = 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds + count, CMSG_DATA(header), bytes);
    count += bytes / sizeof(int);
  }
  return count;
}

// receiveMessage(fd: number, target: Uint8Array): { bytes, fds, fdsLost } of one message, null when none waits. bytes is 0 at
// the end. fdsLost: this process may open no more descriptors and has got none of those sent along; the kernel dropped them.
Napi::Value ReceiveMessage(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  Napi::Uint8Array target = BytesArgument(info, 1);
  iovec part{target.Data(), target.ByteLength()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) return env.Null();
    throw ErrnoError(env, "recvmsg", errno);
  }
  // SAFETY: every descriptor that arrived is ours now: handed to JavaScript, or closed here when message or list is cut.
  int fds[kMaxFds];
  size_t count = CollectFds(&message, fds);
  const bool cut = (message.msg_flags & MSG_TRUNC) != 0;
  const bool fds_lost = (message.msg_flags & MSG_CTRUNC) != 0;
  if (cut || fds_lost || received == 0) {
    for (size_t i = 0; i < count; i++) close(fds[i]);
    count = 0;
  }
  if (cut) throw ErrnoError(env, "recvmsg", EMSGSIZE);
  Napi::Array list = Owned(env, fds, count);
  Napi::Object result = Napi::Object::New(env);
  result.Set("bytes", Napi::Number::New(env, static_cast<double>(received)));
  result.Set("fds", list);
  result.Set("fdsLost", Napi::Boolean::New(env, fds_lost));
  return result;
}

// peerCredentials(fd: number): { pid, uid, gid } of the process that connected
Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(DescriptorArgument(info, 0), SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) {
    throw ErrnoError(env, "getsockopt(SO_PEERCRED)", errno);
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("pid", Napi::Number::New(env, credentials.pid));
  result.Set("uid", Napi::Number::New(env, credentials.uid));
  result.Set("gid", Napi::Number::New(env, credentials.gid));
  return result;
}

}  // namespace

void DefineUnixSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("unixListen", Napi::Function::New<UnixListen>(env, "unixListen"));
  exports.Set("unixConnect", Napi::Function::New<UnixConnect>(env, "unixConnect"));
  exports.Set("unixAccept", Napi::Function::New<UnixAccept>(env, "unixAccept"));
  exports.Set("socketPair", Napi::Function::New<SocketPair>(env, "socketPair"));
  exports.Set("sendMessage", Napi::Function::New<SendMessage>(env, "sendMessage"));
  exports.Set("receiveMessage", Napi::Function::New<ReceiveMessage>(env, "receiveMessage"));
  exports.Set("peerCredentials", Napi::Function::New<PeerCredentials>(env, "peerCredentials"));
}

}  // namespace conduit
