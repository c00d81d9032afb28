// Busy-waiting on two 32-bit words of a mapping, for as long as it may pay. What the words mean is the caller's affair.
#pragma once
#include <cstdint>
#include <memory>

#include "mapping.h"

namespace conduit {

struct SpinWords {
  std::shared_ptr<Region> region;
  size_t offsets[2] = {0, 0};
  // Int32s in JavaScript's memory: expected value of each word, a mask of the words to look at, and a flag that Wait
  // sets when the CPU went to others for longer than spinning can be worth.
  enum { kMask = 2, kCrowded = 3, kStateLength = 4 };
  int32_t* state = nullptr;

  bool armed() const { return region != nullptr && region->base != nullptr; }
  bool Moved() const;
  // True when a word moved before `deadline` (uv_hrtime, nanoseconds).
  bool Wait(uint64_t deadline) const;
};

}  // namespace conduit
