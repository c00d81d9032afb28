// Mapping and unmapping, and the ArrayBuffer on top: attach, detach, renew.
#include "mapping.h"

#include <sys/mman.h>

#include <cerrno>

#include "environment.h"
#include "errno_error.h"

namespace conduit {

void Region::Unmap() {
  if (base == nullptr) return;
  munmap(base, bytes);
  base = nullptr;
}

Napi::Function Mapping::Define(Napi::Env env) {
  return DefineClass(env, "Mapping",
                     {InstanceAccessor<&Mapping::Buffer>("buffer"), InstanceMethod<&Mapping::Renew>("renew"),
                      InstanceMethod<&Mapping::Close>("close")});
}

Mapping::Mapping(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Mapping>(info) {
  Napi::Env env = info.Env();
  if (info.Length() != 2 || !info[0].IsTypedArray() || !info[1].IsBoolean()) {
    throw Napi::TypeError::New(env, "new Mapping(segments: Float64Array, writable: boolean)");
  }
  auto segments = info[0].As<Napi::Float64Array>();
  if (segments.TypedArrayType() != napi_float64_array || segments.ElementLength() == 0 ||
      segments.ElementLength() % 3 != 0) {
    throw Napi::TypeError::New(env, "segments are (fd, byte offset, bytes) triples");
  }
  MapSegments(env, segments.Data(), segments.ElementLength() / 3, info[1].As<Napi::Boolean>().Value());
  Attach(env);
  Environment::Of(env)->mappings.insert(this);
}

Mapping::~Mapping() {
  // Collected without close(): views may still be alive in JavaScript, so the region stays mapped until the
  // buffer's own finalizer lets go of it.
  Environment* environment = Environment::Of(Env());
  if (environment != nullptr) environment->mappings.erase(this);
}

void Mapping::MapSegments(Napi::Env env, const double* triples, size_t count, bool writable) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += static_cast<size_t>(triples[i * 3 + 2]);
  // SAFETY: the whole range is reserved first, so MAP_FIXED below replaces nothing but our own reservation.
  void* base = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw ErrnoError(env, "mmap", errno);
  region_->base = static_cast<unsigned char*>(base);
  region_->bytes = total;
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    // SAFETY: the caller has checked that the file is sealed against shrinking and holds the range; a page
    // beyond its end would be SIGBUS.
    size_t bytes = static_cast<size_t>(triples[i * 3 + 2]);
    void* here = mmap(region_->base + at, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_FIXED,
                      static_cast<int>(triples[i * 3]), static_cast<off_t>(triples[i * 3 + 1]));
    if (here == MAP_FAILED) {
      int error = errno;
      region_->Unmap();
      throw ErrnoError(env, "mmap", error);
    }
    at += bytes;
  }
}

void Mapping::Attach(Napi::Env env) {
  // The finalizer's share keeps the address range reserved for as long as V8 may still hold the buffer's
  // backing store; after close() it only drops a count.
  auto* share = new std::shared_ptr<Region>(region_);
  napi_value value;
  napi_status status = napi_create_external_arraybuffer(
      env, region_->base, region_->bytes,
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Region>*>(hint); }, share, &value);
  if (status != napi_ok) {
    delete share;
    region_->Unmap();
    // Electron and builds with compressed pointers refuse memory outside their cage.
    throw Napi::Error::New(env, status == napi_no_external_buffers_allowed
                                    ? "this JavaScript engine does not allow external ArrayBuffers"
                                    : "napi_create_external_arraybuffer failed");
  }
  buffer_ = Napi::Persistent(Napi::ArrayBuffer(env, value));
}

void Mapping::Detach(Napi::Env env) {
  if (buffer_.IsEmpty()) return;
  Napi::HandleScope scope(env);
  buffer_.Value().Detach();
  buffer_.Reset();
}

Napi::Value Mapping::Buffer(const Napi::CallbackInfo& info) {
  return buffer_.IsEmpty() ? Napi::ArrayBuffer::New(info.Env(), 0) : buffer_.Value();
}

void Mapping::Renew(const Napi::CallbackInfo& info) {
  if (region_->base == nullptr) throw ErrnoError(info.Env(), "renew", EBADF);
  Detach(info.Env());
  Attach(info.Env());
}

void Mapping::Close(const Napi::CallbackInfo& info) {
  // SAFETY: detached first: from here on JavaScript sees a buffer of length 0, so nothing can touch the
  // pages that munmap takes away.
  Detach(info.Env());
  region_->Unmap();
  Environment::Of(info.Env())->mappings.erase(this);
}

}  // namespace conduit
