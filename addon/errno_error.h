// The one kind of error the addon throws: Error with `code` (ENOENT …), `errno` (a positive number) and `syscall`.
#pragma once
#include <napi.h>

namespace conduit {
// Builds the error for `error` as left by `syscall`; the caller throws it.
Napi::Error ErrnoError(Napi::Env env, const char* syscall, int error);
}  // namespace conduit
