// What one JavaScript environment (the main thread or a worker) owns of the addon. No globals: every
// environment has its own, and its end closes what that environment left open.
#pragma once
#include <napi.h>

#include <unordered_map>
#include <unordered_set>

namespace conduit {

class Mapping;
struct Watch;

struct Environment {
  // Live pages, and polls by their descriptor, for the cleanup hook.
  std::unordered_set<Mapping*> mappings;
  std::unordered_map<int, Watch*> watches;
  // Descriptors handed to JavaScript and not closed yet. They are the process's, which a worker's end leaves alive:
  // what the worker held open would stay open, and its peers would never see it hang up.
  std::unordered_set<int> files;

  int Own(int fd) {
    files.insert(fd);
    return fd;
  }

  static Environment* Of(Napi::Env env) { return env.GetInstanceData<Environment>(); }
};

}  // namespace conduit
