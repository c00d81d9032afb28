// The life of a poll (construction, readiness, spin, close) and what JavaScript may ask of it.
#include "fd_watcher.h"

#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "arguments.h"
#include "environment.h"
#include "errno_error.h"
#include "spin.h"

namespace conduit {

namespace {
enum Wake : uint32_t { kEvent = 0, kMoved = 1, kIdle = 2 };

// How long one readiness may keep the loop from its other work, spinning included.
constexpr uint64_t kTurnNanos = 1'000'000;
// What a handler may ask for at the most.
constexpr uint32_t kMaxSpinMicros = 1000;
}  // namespace

// Lives from construction until libuv's close callback, which may be later than the JavaScript object.
struct Watch {
  uv_poll_t poll;
  napi_env env = nullptr;
  int fd = -1;
  bool drains_eventfd = false;
  bool closing = false;
  napi_ref callback = nullptr;
  napi_ref state_array = nullptr;
  napi_async_context context = nullptr;
  SpinWords spin;
  void (*done)(void*) = nullptr;
  void* done_data = nullptr;

  // Runs the handler with ticks and microtasks after it; returns the microseconds to spin.
  uint32_t Call(Wake wake, int events);
  void OnReady(int events);
};

uint32_t Watch::Call(Wake wake, int events) {
  Napi::Env napi(env);
  Napi::HandleScope scope(napi);
  napi_value function, receiver, result, argv[2];
  uint32_t micros = 0;
  napi_get_reference_value(env, callback, &function);
  napi_get_global(env, &receiver);
  napi_create_uint32(env, wake, &argv[0]);
  napi_create_int32(env, events, &argv[1]);
  napi_status status = napi_make_callback(env, context, receiver, function, 2, argv, &result);
  if (status == napi_pending_exception) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
    return 0;
  }
  if (status != napi_ok || napi_get_value_uint32(env, result, &micros) != napi_ok) return 0;
  return micros > kMaxSpinMicros ? kMaxSpinMicros : micros;
}

void Watch::OnReady(int events) {
  if (drains_eventfd) {
    uint64_t count;
    // A failed read (EAGAIN) means that the event was taken already: the handler copes with spurious calls.
    if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR) events |= UV_DISCONNECT;
  }
  const uint64_t turn_end = uv_hrtime() + kTurnNanos;
  uint32_t micros = Call(kEvent, events);
  while (micros > 0 && !closing && spin.armed()) {
    const uint64_t now = uv_hrtime();
    const bool moved = now < turn_end && spin.Wait(now + micros * 1000ull);
    micros = closing ? 0 : Call(moved ? kMoved : kIdle, 0);
    // After kIdle the handler has armed its notification: sleeping is safe, and due.
    if (!moved) return;
  }
}

void CloseWatch(Watch* watch, void (*done)(void*), void* data) {
  if (watch->closing) return;
  watch->closing = true;
  watch->done = done;
  watch->done_data = data;
  Environment* environment = Environment::Of(Napi::Env(watch->env));
  if (environment != nullptr) environment->watches.erase(watch->fd);
  napi_delete_reference(watch->env, watch->callback);
  if (watch->state_array != nullptr) napi_delete_reference(watch->env, watch->state_array);
  napi_async_destroy(watch->env, watch->context);
  watch->spin = SpinWords();
  // SAFETY: uv_close takes the descriptor out of epoll at once, so the caller may close it right away; the
  // handle's memory belongs to libuv until the callback.
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll), [](uv_handle_t* handle) {
    auto* closed = static_cast<Watch*>(handle->data);
    if (closed->done != nullptr) closed->done(closed->done_data);
    delete closed;
  });
}

Napi::Function FdWatcher::Define(Napi::Env env) {
  return DefineClass(
      env, "FdWatcher",
      {InstanceMethod<&FdWatcher::Start>("start"), InstanceMethod<&FdWatcher::SpinOn>("spinOn"),
       InstanceMethod<&FdWatcher::Spin>("spin"), InstanceMethod<&FdWatcher::KeepLoop>("ref"),
       InstanceMethod<&FdWatcher::ReleaseLoop>("unref"), InstanceMethod<&FdWatcher::Close>("close")});
}

FdWatcher::FdWatcher(const Napi::CallbackInfo& info) : Napi::ObjectWrap<FdWatcher>(info), watch_(nullptr) {
  Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  const bool drains_eventfd = BooleanArgument(info, 1);
  if (!info[2].IsFunction()) throw Napi::TypeError::New(env, "argument 3 is not a function");
  auto& watches = Environment::Of(env)->watches;
  if (watches.contains(fd)) throw ErrnoError(env, "uv_poll_init", EEXIST);
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto* watch = new Watch;
  watch->env = env;
  watch->fd = fd;
  watch->drains_eventfd = drains_eventfd;
  int error = uv_poll_init(loop, &watch->poll, watch->fd);
  if (error != 0) {
    delete watch;
    throw ErrnoError(env, "uv_poll_init", -error);
  }
  watch->poll.data = watch;
  napi_create_reference(env, info[2], 1, &watch->callback);
  napi_async_init(env, info.This(), Napi::String::New(env, "ConduitFdWatcher"), &watch->context);
  // Nothing keeps the process alive until somebody says ref().
  uv_unref(reinterpret_cast<uv_handle_t*>(&watch->poll));
  watch_ = watch;
  watches.emplace(fd, watch);
  // Like any handle of the event loop it lives until it is closed, whoever still holds the object.
  Ref();
}

void FdWatcher::Start(const Napi::CallbackInfo& info) {
  if (watch_ == nullptr) throw ErrnoError(info.Env(), "uv_poll_start", EBADF);
  // SAFETY: libuv aborts on bits that it does not know.
  const auto events = static_cast<int>(IntegerArgument(info, 0, UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED));
  int error = uv_poll_start(&watch_->poll, events, [](uv_poll_t* handle, int status, int ready) {
    static_cast<Watch*>(handle->data)->OnReady(status < 0 ? UV_DISCONNECT : ready);
  });
  if (error != 0) throw ErrnoError(info.Env(), "uv_poll_start", -error);
}

void FdWatcher::SpinOn(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (watch_ == nullptr) return;
  Mapping* mapping = Mapping::From(info[0]);
  if (mapping == nullptr) throw Napi::TypeError::New(env, "argument 1 is not a Mapping");
  const size_t offsets[2] = {IntegerArgument(info, 1, UINT32_MAX), IntegerArgument(info, 2, UINT32_MAX)};
  if (!info[3].IsTypedArray() || info[3].As<Napi::TypedArray>().TypedArrayType() != napi_int32_array ||
      info[3].As<Napi::Int32Array>().ElementLength() < SpinWords::kStateLength) {
    throw Napi::TypeError::New(env, "argument 4 is not an Int32Array of 4");
  }
  auto state = info[3].As<Napi::Int32Array>();
  for (size_t offset : offsets) {
    if (offset % 4 != 0 || offset + 4 > mapping->region()->bytes) {
      throw Napi::RangeError::New(env, "spinOn: a word lies outside the mapping");
    }
  }
  if (watch_->state_array != nullptr) napi_delete_reference(env, watch_->state_array);
  // SAFETY: the strong reference keeps the array, and with it the memory behind `state`, for as long as we look;
  // the caller never transfers it.
  napi_create_reference(env, state, 1, &watch_->state_array);
  watch_->spin = SpinWords{mapping->region(), {offsets[0], offsets[1]}, state.Data()};
}

Napi::Value FdWatcher::Spin(const Napi::CallbackInfo& info) {
  if (watch_ == nullptr) return Napi::Boolean::New(info.Env(), false);
  const uint32_t micros = info[0].As<Napi::Number>().Uint32Value();
  const bool moved = watch_->spin.Wait(uv_hrtime() + (micros > kMaxSpinMicros ? kMaxSpinMicros : micros) * 1000ull);
  return Napi::Boolean::New(info.Env(), moved);
}

void FdWatcher::KeepLoop(const Napi::CallbackInfo&) {
  if (watch_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t*>(&watch_->poll));
}

void FdWatcher::ReleaseLoop(const Napi::CallbackInfo&) {
  if (watch_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t*>(&watch_->poll));
}

void FdWatcher::Close(const Napi::CallbackInfo&) {
  if (watch_ == nullptr) return;
  CloseWatch(watch_, nullptr, nullptr);
  watch_ = nullptr;
  Unref();
}

}  // namespace conduit
