// Watches a file descriptor on the environment's own event loop and, where asked, spins on two words of a mapping
// before it lets the loop sleep. Does not own the descriptor: the caller closes it after close().
#pragma once
#include <napi.h>

namespace conduit {
struct Watch;

class FdWatcher : public Napi::ObjectWrap<FdWatcher> {
 public:
  static Napi::Function Define(Napi::Env env);

  // new FdWatcher(fd, drainsEventfd: boolean, callback: (wake: number, events: number) => number)
  explicit FdWatcher(const Napi::CallbackInfo& info);

 private:
  void Start(const Napi::CallbackInfo& info);
  void SpinOn(const Napi::CallbackInfo& info);
  Napi::Value Spin(const Napi::CallbackInfo& info);
  void KeepLoop(const Napi::CallbackInfo& info);
  void ReleaseLoop(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  Watch* watch_;  // nullptr once closed
};

// Ends a watch from the environment's cleanup; `done` runs when libuv has let go of it.
void CloseWatch(Watch* watch, void (*done)(void*), void* data);
}  // namespace conduit
