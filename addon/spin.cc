// The loop that looks at the words; between looks it pauses, between rounds it looks at the clock.
#include "spin.h"

#include <uv.h>

namespace conduit {

namespace {
inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Looks at the words between two looks at the clock.
constexpr int kLooksPerClock = 8;
}  // namespace

bool SpinWords::Moved() const {
  for (int i = 0; i < 2; i++) {
    if ((state[2] & (1 << i)) == 0) continue;
    // SAFETY: offsets were checked against the region's size and alignment; the peer may write at any time, so
    // this is an atomic load, and its value is only compared.
    auto* word = reinterpret_cast<const int32_t*>(region->base + offsets[i]);
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != state[i]) return true;
  }
  return false;
}

bool SpinWords::Wait(uint64_t deadline) const {
  if (!armed()) return false;
  do {
    for (int look = 0; look < kLooksPerClock; look++) {
      if (Moved()) return true;
      Pause();
    }
  } while (uv_hrtime() < deadline);
  return false;
}

}  // namespace conduit
