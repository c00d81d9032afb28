// Codes are libuv's, so that they are spelt as Node's own errors spell them; node exports it, whatever the C library.
#include "errno_error.h"

#include <uv.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace conduit {

namespace {

std::string CodeOf(int error) {
  // What sendmsg and flock may answer and libuv has no name for.
  if (error == ETOOMANYREFS) return "ETOOMANYREFS";
  if (error == ENOLCK) return "ENOLCK";
  char name[64];
  uv_err_name_r(-error, name, sizeof name);
  return name[0] == 'E' ? name : "EUNKNOWN";
}

}  // namespace

Napi::Error ErrnoError(Napi::Env env, const char* syscall, int error) {
  Napi::Error result = Napi::Error::New(env, std::string(syscall) + ": " + std::generic_category().message(error));
  result.Set("code", Napi::String::New(env, CodeOf(error)));
  result.Set("errno", Napi::Number::New(env, error));
  result.Set("syscall", Napi::String::New(env, syscall));
  return result;
}

}  // namespace conduit
