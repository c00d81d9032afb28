// The addon's entry: what it exports, and what happens when a JavaScript environment ends. It maps pages, polls
// and passes descriptors. Knows nothing of rings, names or xenstore.
#include <napi.h>
#include <unistd.h>

#include "environment.h"
#include "fd_watcher.h"
#include "functions.h"
#include "mapping.h"

namespace conduit {

namespace {

struct Cleanup {
  napi_async_cleanup_hook_handle hook;
  size_t open;
};

void Finish(void* data) {
  auto* cleanup = static_cast<Cleanup*>(data);
  if (--cleanup->open > 0) return;
  napi_remove_async_cleanup_hook(cleanup->hook);
  delete cleanup;
}

// Runs when the main thread exits or a worker ends, in whatever state: JavaScript runs no more. Node waits until
// the hook is removed, which is when libuv has let go of the last poll handle; a worker's loop could not end before.
void OnEnvironmentEnd(napi_async_cleanup_hook_handle hook, void* data) {
  auto* environment = static_cast<Environment*>(data);
  for (Mapping* mapping : environment->mappings) mapping->Unmap();
  environment->mappings.clear();
  auto* cleanup = new Cleanup{hook, environment->watches.size() + 1};
  const auto watches = environment->watches;
  for (const auto& [fd, watch] : watches) CloseWatch(watch, Finish, cleanup);
  // SAFETY: after the polls, which have let go of their descriptors, and before anybody can reuse the numbers.
  for (int fd : environment->files) close(fd);
  environment->files.clear();
  Finish(cleanup);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  napi_add_async_cleanup_hook(env, OnEnvironmentEnd, environment, nullptr);
  exports.Set("Mapping", Mapping::Define(env));
  exports.Set("FdWatcher", FdWatcher::Define(env));
  DefineMemfd(env, exports);
  DefineEventfd(env, exports);
  DefineUnixSocket(env, exports);
  DefineTcpSocket(env, exports);
  DefineUnixDatagram(env, exports);
  DefineFileLock(env, exports);
  DefineDevice(env, exports);
  DefineXenGrants(env, exports);
  DefineXenEvents(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(conduit, Init)

}  // namespace conduit
