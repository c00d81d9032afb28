// Unix sockets that carry descriptors (SCM_RIGHTS) and know their peer (SO_PEERCRED). Message sockets
// (SOCK_SEQPACKET) and pairs; all non-blocking, none inherited by children.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// Descriptors in one message, both ways; linux/net/scm.h allows 253.
constexpr size_t kMaxFds = 64;
constexpr int kFlags = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

sockaddr_un Address(Napi::Env env, const Napi::Value& value) {
  const std::string path = value.As<Napi::String>().Utf8Value();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) throw ErrnoError(env, "bind", ENAMETOOLONG);
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// unixListen(path: string): fd
Napi::Value UnixListen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const sockaddr_un address = Address(env, info[0]);
  const int fd = socket(AF_UNIX, kFlags, 0);
  if (fd < 0) throw ErrnoError(env, "socket", errno);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 || listen(fd, SOMAXCONN) < 0) {
    int error = errno;
    close(fd);
    throw ErrnoError(env, "bind", error);
  }
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// unixConnect(path: string): fd. EAGAIN when the listener's queue is full.
Napi::Value UnixConnect(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const sockaddr_un address = Address(env, info[0]);
  const int fd = socket(AF_UNIX, kFlags, 0);
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
  const int fd = accept4(info[0].As<Napi::Number>().Int32Value(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) throw ErrnoError(env, "accept4", errno);
  return Napi::Number::New(env, fd < 0 ? -1 : Environment::Of(env)->Own(fd));
}

// socketPair(stream: boolean): [fd, fd]
Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int type = info[0].As<Napi::Boolean>().Value() ? SOCK_STREAM : SOCK_SEQPACKET;
  int fds[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) throw ErrnoError(env, "socketpair", errno);
  Napi::Array pair = Napi::Array::New(env, 2);
  for (uint32_t i = 0; i < 2; i++) pair.Set(i, Napi::Number::New(env, Environment::Of(env)->Own(fds[i])));
  return pair;
}

// sendMessage(fd: number, bytes: Uint8Array, fds: number[]): false when the peer's queue is full
Napi::Value SendMessage(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto bytes = info[1].As<Napi::Uint8Array>();
  auto list = info[2].As<Napi::Array>();
  const size_t count = list.Length();
  if (count > kMaxFds) throw ErrnoError(env, "sendmsg", E2BIG);
  int fds[kMaxFds];
  for (uint32_t i = 0; i < count; i++) fds[i] = list.Get(i).As<Napi::Number>().Int32Value();
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
  const ssize_t sent = sendmsg(info[0].As<Napi::Number>().Int32Value(), &message, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) throw ErrnoError(env, "sendmsg", errno);
  return Napi::Boolean::New(env, sent >= 0);
}

void CollectFds(msghdr* message, std::vector<int>* fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const size_t before = fds->size();
    fds->resize(before + count);
    memcpy(fds->data() + before, CMSG_DATA(header), count * sizeof(int));
  }
}

// receiveMessage(fd: number, target: Uint8Array): { bytes, fds } of one message, bytes 0 at the end, null when none waits
Napi::Value ReceiveMessage(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto target = info[1].As<Napi::Uint8Array>();
  iovec part{target.Data(), target.ByteLength()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t received = recvmsg(info[0].As<Napi::Number>().Int32Value(), &message, MSG_CMSG_CLOEXEC);
  if (received < 0) {
    if (errno == EAGAIN || errno == EINTR) return env.Null();
    throw ErrnoError(env, "recvmsg", errno);
  }
  // SAFETY: every descriptor that arrived is ours now: handed to JavaScript, or closed here when the message is cut.
  std::vector<int> fds;
  CollectFds(&message, &fds);
  if ((message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0) {
    for (int fd : fds) close(fd);
    throw ErrnoError(env, "recvmsg", EMSGSIZE);
  }
  Napi::Array list = Napi::Array::New(env, fds.size());
  for (uint32_t i = 0; i < fds.size(); i++) list.Set(i, Napi::Number::New(env, Environment::Of(env)->Own(fds[i])));
  Napi::Object result = Napi::Object::New(env);
  result.Set("bytes", Napi::Number::New(env, static_cast<double>(received)));
  result.Set("fds", list);
  return result;
}

// peerCredentials(fd: number): { pid, uid, gid } of the process that connected
Napi::Value PeerCredentials(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(info[0].As<Napi::Number>().Int32Value(), SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) {
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
