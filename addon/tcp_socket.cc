// TCP sockets that pass from one process to another before anybody has read them: listening, accepting, looking at how a
// connection stands without touching it. All non-blocking, none inherited by children.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "arguments.h"
#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

constexpr int kFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

// An IP literal and a port as the kernel takes them; how many bytes of `storage` they are, 0 for what is no address.
socklen_t ParseAddress(const char* address, int port, sockaddr_storage* storage) {
  if (uv_ip4_addr(address, port, reinterpret_cast<sockaddr_in*>(storage)) == 0) return sizeof(sockaddr_in);
  if (uv_ip6_addr(address, port, reinterpret_cast<sockaddr_in6*>(storage)) == 0) return sizeof(sockaddr_in6);
  return 0;
}

// tcpListen(address: string, port: number, backlog: number): fd. Port 0 for one of the kernel's choice.
Napi::Value TcpListen(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  sockaddr_storage storage{};
  const int port = static_cast<int>(IntegerArgument(info, 1, 65535));
  const int backlog = static_cast<int>(IntegerArgument(info, 2, INT32_MAX));
  const socklen_t length = ParseAddress(StringArgument(info, 0).c_str(), port, &storage);
  if (length == 0) throw ErrnoError(env, "bind", EINVAL);
  const int fd = socket(storage.ss_family, SOCK_STREAM | kFlags, 0);
  if (fd < 0) throw ErrnoError(env, "socket", errno);
  // As libuv does: connections of an earlier listener that linger in TIME_WAIT do not keep the port.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&storage), length) == 0;
  if (!bound || listen(fd, backlog) < 0) {
    const int error = errno;
    close(fd);
    throw ErrnoError(env, bound ? "listen" : "bind", error);
  }
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// Whether accept() speaks of the connection that came, or of nothing at all, and not of this process (accept(2), "Error
// handling": errors already pending on the network are to be treated like EAGAIN).
bool IsOfConnection(int error) {
  switch (error) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

// tcpAccept(fd: number): fd, or -1 when nobody waits
Napi::Value TcpAccept(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = accept4(DescriptorArgument(info, 0), nullptr, nullptr, kFlags);
  if (fd < 0 && !IsOfConnection(errno)) throw ErrnoError(env, "accept4", errno);
  return Napi::Number::New(env, fd < 0 ? -1 : Environment::Of(env)->Own(fd));
}

// tcpLocalPort(fd: number): the port that it is bound to
Napi::Value TcpLocalPort(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(DescriptorArgument(info, 0), reinterpret_cast<sockaddr*>(&storage), &length) < 0) {
    throw ErrnoError(env, "getsockname", errno);
  }
  uint16_t port = 0;
  if (storage.ss_family == AF_INET) port = reinterpret_cast<const sockaddr_in*>(&storage)->sin_port;
  if (storage.ss_family == AF_INET6) port = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port;
  return Napi::Number::New(env, ntohs(port));
}

// tcpState(fd: number): where the connection is, as netinet/tcp.h numbers it
Napi::Value TcpState(const Napi::CallbackInfo& info) {
  tcp_info state{};
  socklen_t length = sizeof state;
  if (getsockopt(DescriptorArgument(info, 0), IPPROTO_TCP, TCP_INFO, &state, &length) < 0) {
    throw ErrnoError(info.Env(), "getsockopt(TCP_INFO)", errno);
  }
  return Napi::Number::New(info.Env(), state.tcpi_state);
}

// tcpReset(fd: number): void. The connection ends with an RST now, whichever process has descriptors of it: a close would wait
// for the last of them. The descriptor stays the caller's.
void TcpReset(const Napi::CallbackInfo& info) {
  // connect(2): AF_UNSPEC dissolves the association, for which TCP has only the reset (net/ipv4/tcp.c, tcp_disconnect).
  const sockaddr nowhere{AF_UNSPEC, {}};
  if (connect(DescriptorArgument(info, 0), &nowhere, sizeof nowhere) < 0) {
    throw ErrnoError(info.Env(), "connect(AF_UNSPEC)", errno);
  }
}

// resetOnClose(fd: number, resets: boolean): void. Whether the last close() of it, by whichever process, is an RST that throws
// away what was not sent, or the end that it is otherwise.
void ResetOnClose(const Napi::CallbackInfo& info) {
  const linger option{BooleanArgument(info, 1), 0};
  if (setsockopt(DescriptorArgument(info, 0), SOL_SOCKET, SO_LINGER, &option, sizeof option) < 0) {
    throw ErrnoError(info.Env(), "setsockopt(SO_LINGER)", errno);
  }
}

}  // namespace

void DefineTcpSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("tcpListen", Napi::Function::New<TcpListen>(env, "tcpListen"));
  exports.Set("tcpAccept", Napi::Function::New<TcpAccept>(env, "tcpAccept"));
  exports.Set("tcpLocalPort", Napi::Function::New<TcpLocalPort>(env, "tcpLocalPort"));
  exports.Set("tcpState", Napi::Function::New<TcpState>(env, "tcpState"));
  exports.Set("tcpReset", Napi::Function::New<TcpReset>(env, "tcpReset"));
  exports.Set("resetOnClose", Napi::Function::New<ResetOnClose>(env, "resetOnClose"));
}

}  // namespace conduit
