// Event channels by the ioctls of /dev/xen/evtchn. Ports that fired are read, and unmasked by writing them back
// (device.cc); one descriptor serves all ports of an environment.
#include <linux/types.h>
#include <sys/ioctl.h>

#include <cerrno>

// xen/include/public/xen.h; the kernel's header uses it without a definition.
typedef __u16 domid_t;
#include <xen/evtchn.h>

#include "arguments.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

static_assert(IOCTL_EVTCHN_BIND_INTERDOMAIN == 0x00084501 && IOCTL_EVTCHN_BIND_UNBOUND_PORT == 0x00044502);
static_assert(IOCTL_EVTCHN_UNBIND == 0x00044503 && IOCTL_EVTCHN_NOTIFY == 0x00044504 && IOCTL_EVTCHN_RESET == 0x00004505);

// evtchnListen(fd: number, domid: number): port that only that domain may bind
Napi::Value EvtchnListen(const Napi::CallbackInfo& info) {
  ioctl_evtchn_bind_unbound_port request{};
  const int fd = DescriptorArgument(info, 0);
  request.remote_domain = static_cast<unsigned>(IntegerArgument(info, 1, UINT16_MAX));
  const int port = ioctl(fd, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &request);
  if (port < 0) throw ErrnoError(info.Env(), "ioctl(EVTCHN_BIND_UNBOUND_PORT)", errno);
  return Napi::Number::New(info.Env(), port);
}

// evtchnBind(fd: number, domid: number, port: number): own port
Napi::Value EvtchnBind(const Napi::CallbackInfo& info) {
  ioctl_evtchn_bind_interdomain request{};
  const int fd = DescriptorArgument(info, 0);
  request.remote_domain = static_cast<unsigned>(IntegerArgument(info, 1, UINT16_MAX));
  request.remote_port = static_cast<unsigned>(IntegerArgument(info, 2, UINT32_MAX));
  const int port = ioctl(fd, IOCTL_EVTCHN_BIND_INTERDOMAIN, &request);
  if (port < 0) throw ErrnoError(info.Env(), "ioctl(EVTCHN_BIND_INTERDOMAIN)", errno);
  return Napi::Number::New(info.Env(), port);
}

// evtchnUnbind(fd: number, port: number): void
void EvtchnUnbind(const Napi::CallbackInfo& info) {
  ioctl_evtchn_unbind request{};
  const int fd = DescriptorArgument(info, 0);
  request.port = static_cast<unsigned>(IntegerArgument(info, 1, UINT32_MAX));
  if (ioctl(fd, IOCTL_EVTCHN_UNBIND, &request) < 0) throw ErrnoError(info.Env(), "ioctl(EVTCHN_UNBIND)", errno);
}

// evtchnReset(fd: number): void. Empties the descriptor's queue of ports, and its overflow.
void EvtchnReset(const Napi::CallbackInfo& info) {
  if (ioctl(DescriptorArgument(info, 0), IOCTL_EVTCHN_RESET) < 0) {
    throw ErrnoError(info.Env(), "ioctl(EVTCHN_RESET)", errno);
  }
}

// evtchnNotify(fd: number, port: number): void. A port that is closed, or whose other end is, drops the kick.
napi_value EvtchnNotify(napi_env env, napi_callback_info info) {
  size_t argc = 2;
  napi_value argv[2];
  int32_t fd = -1;
  ioctl_evtchn_notify request{};
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  if (argc == 2 && napi_get_value_int32(env, argv[0], &fd) == napi_ok && fd >= 0 &&
      napi_get_value_uint32(env, argv[1], &request.port) == napi_ok) {
    ioctl(fd, IOCTL_EVTCHN_NOTIFY, &request);
  }
  return nullptr;
}

}  // namespace

void DefineXenEvents(Napi::Env env, Napi::Object exports) {
  exports.Set("evtchnListen", Napi::Function::New<EvtchnListen>(env, "evtchnListen"));
  exports.Set("evtchnBind", Napi::Function::New<EvtchnBind>(env, "evtchnBind"));
  exports.Set("evtchnUnbind", Napi::Function::New<EvtchnUnbind>(env, "evtchnUnbind"));
  exports.Set("evtchnReset", Napi::Function::New<EvtchnReset>(env, "evtchnReset"));
  napi_value notify;
  napi_create_function(env, "evtchnNotify", NAPI_AUTO_LENGTH, EvtchnNotify, nullptr, &notify);
  exports.Set("evtchnNotify", Napi::Value(env, notify));
}

}  // namespace conduit
