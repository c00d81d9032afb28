// The checks of arguments.h. Messages count arguments from 1 and say what was wanted.
#include "arguments.h"

#include <cmath>

namespace conduit {

namespace {

std::string Wanted(size_t index, const char* what) {
  return "argument " + std::to_string(index + 1) + " is not " + what;
}

Napi::Error WrongType(const Napi::CallbackInfo& info, size_t index, const char* what) {
  return Napi::TypeError::New(info.Env(), Wanted(index, what));
}

}  // namespace

bool ToInteger(double value, uint64_t max, uint64_t* result) {
  // SAFETY: compared before the cast, which is undefined for what does not fit; 2^53 is the last exact one.
  if (!(value >= 0 && value <= 9007199254740992.0) || value != std::trunc(value)) return false;
  *result = static_cast<uint64_t>(value);
  return *result <= max;
}

uint64_t IntegerArgument(const Napi::CallbackInfo& info, size_t index, uint64_t max) {
  if (!info[index].IsNumber()) throw WrongType(info, index, "a number");
  uint64_t result;
  if (!ToInteger(info[index].As<Napi::Number>().DoubleValue(), max, &result)) {
    throw Napi::RangeError::New(info.Env(), Wanted(index, "an integer in 0…") + std::to_string(max));
  }
  return result;
}

int DescriptorArgument(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<int>(IntegerArgument(info, index, INT32_MAX));
}

bool BooleanArgument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsBoolean()) throw WrongType(info, index, "a boolean");
  return info[index].As<Napi::Boolean>().Value();
}

std::string StringArgument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsString()) throw WrongType(info, index, "a string");
  std::string text = info[index].As<Napi::String>().Utf8Value();
  if (text.find('\0') != std::string::npos) throw WrongType(info, index, "a string without NUL");
  return text;
}

Napi::Uint8Array BytesArgument(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsTypedArray() || info[index].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throw WrongType(info, index, "a Uint8Array");
  }
  return info[index].As<Napi::Uint8Array>();
}

}  // namespace conduit
