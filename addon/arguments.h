// What JavaScript passed, checked: TypeError for another type, RangeError for a number that cannot be meant. Nothing is
// wrapped or cut off: NaN is not descriptor 0, and 2^32 + 5 is not 5.
#pragma once
#include <napi.h>

#include <cstdint>
#include <string>

namespace conduit {
// Whether `value` is an integer in 0…max, and which.
bool ToInteger(double value, uint64_t max, uint64_t* result);

uint64_t IntegerArgument(const Napi::CallbackInfo& info, size_t index, uint64_t max);
int DescriptorArgument(const Napi::CallbackInfo& info, size_t index);
bool BooleanArgument(const Napi::CallbackInfo& info, size_t index);
// Without a NUL, which would end it early on its way to the kernel.
std::string StringArgument(const Napi::CallbackInfo& info, size_t index);
// Any JavaScript that runs after this call may take the bytes away: it is the last argument to be read.
Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index);
}  // namespace conduit
