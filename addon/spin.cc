// The loop that looks at the words; between looks it pauses, between rounds it looks at the clock, and now and then it
// lets others run.
#include "spin.h"

#include <sched.h>
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
// The peer may wait for this very CPU, and then comes only when we give way: first after so long, then after four
// times as long, and so on. Not oftener: a kernel since 6.6 puts off the next turn of whoever yields in a tight loop.
constexpr uint64_t kFirstYieldNanos = 2000;
constexpr uint64_t kYieldFactor = 4;
// A yield that took this long gave the CPU to a third process, which a sleeper would have been woken past.
constexpr uint64_t kCrowdedNanos = 300'000;
}  // namespace

bool SpinWords::Moved() const {
  for (int i = 0; i < 2; i++) {
    if ((state[kMask] & (1 << i)) == 0) continue;
    // SAFETY: offsets were checked against the region's size and alignment; the peer may write at any time, so
    // this is an atomic load, and its value is only compared.
    auto* word = reinterpret_cast<const int32_t*>(region->base + offsets[i]);
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != state[i]) return true;
  }
  return false;
}

bool SpinWords::Wait(uint64_t deadline) const {
  if (!armed()) return false;
  const uint64_t start = uv_hrtime();
  for (uint64_t yield_at = start + kFirstYieldNanos;;) {
    for (int look = 0; look < kLooksPerClock; look++) {
      if (Moved()) return true;
      Pause();
    }
    const uint64_t now = uv_hrtime();
    if (now >= deadline) return false;
    if (now < yield_at) continue;
    sched_yield();
    if (uv_hrtime() - now > kCrowdedNanos) {
      state[kCrowded] = 1;
      return Moved();
    }
    yield_at = now + (now - start) * (kYieldFactor - 1);
  }
}

}  // namespace conduit
