// What one JavaScript environment (the main thread or a worker) owns of the addon. No globals: every
// environment has its own, and its end closes what that environment left open.
#pragma once
#include <napi.h>

#include <unordered_set>

namespace conduit {

class Mapping;
struct Watch;

struct Environment {
  Napi::FunctionReference mapping_class;
  // Live pages and polls, for the cleanup hook.
  std::unordered_set<Mapping*> mappings;
  std::unordered_set<Watch*> watches;

  static Environment* Of(Napi::Env env) { return env.GetInstanceData<Environment>(); }
};

}  // namespace conduit
