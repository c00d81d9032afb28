// Names and texts come from the C library (strerrorname_np), so that codes are spelt as the kernel's headers spell them.
#include "errno_error.h"

#include <cstring>
#include <string>

namespace conduit {

Napi::Error ErrnoError(Napi::Env env, const char* syscall, int error) {
  const char* name = strerrorname_np(error);
  std::string code = name == nullptr ? "EUNKNOWN" : name;
  Napi::Error result = Napi::Error::New(env, std::string(syscall) + ": " + strerrordesc_np(error));
  result.Set("code", Napi::String::New(env, code));
  result.Set("errno", Napi::Number::New(env, error));
  result.Set("syscall", Napi::String::New(env, syscall));
  return result;
}

}  // namespace conduit
