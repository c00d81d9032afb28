// Event counters between processes. notify is on the hot path and speaks Node-API directly.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "environment.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

// eventfdCreate(): fd, non-blocking
Napi::Value EventfdCreate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw ErrnoError(env, "eventfd", errno);
  return Napi::Number::New(env, Environment::Of(env)->Own(fd));
}

// eventfdNotify(fd: number): void. EAGAIN, a full counter, means that the other side has yet to look: delivered.
napi_value EventfdNotify(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argv[1];
  int32_t fd = -1;
  napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr);
  if (argc == 1 && napi_get_value_int32(env, argv[0], &fd) == napi_ok && fd >= 0) {
    const uint64_t one = 1;
    ssize_t written;
    do {
      written = write(fd, &one, sizeof one);
    } while (written < 0 && errno == EINTR);
  }
  return nullptr;
}

}  // namespace

void DefineEventfd(Napi::Env env, Napi::Object exports) {
  exports.Set("eventfdCreate", Napi::Function::New<EventfdCreate>(env, "eventfdCreate"));
  napi_value notify;
  napi_create_function(env, "eventfdNotify", NAPI_AUTO_LENGTH, EventfdNotify, nullptr, &notify);
  exports.Set("eventfdNotify", Napi::Value(env, notify));
}

}  // namespace conduit
