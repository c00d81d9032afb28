// Which files may be mapped: those that keep their pages whatever a peer does to them.
#pragma once
#include <napi.h>

#include <cstdint>

namespace conduit {
// Bytes of a file sealed against shrinking and growing. Throws EPERM for one that is not, and for huge pages.
uint64_t SealedBytesOf(Napi::Env env, int fd);
}  // namespace conduit
