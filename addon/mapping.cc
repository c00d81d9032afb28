// Mapping and unmapping, and the ArrayBuffer on top: attach, detach, renew.
#include "mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "arguments.h"
#include "environment.h"
#include "errno_error.h"
#include "memfd.h"

namespace conduit {

namespace {

// More than any vchan needs. SAFETY: node frees the finalizer's hint itself where a buffer exceeds its own limit.
constexpr uint64_t kMaxBytes = 1ull << 30;

constexpr napi_type_tag kTag = {0x0c0d15f4e2b74a0bull, 0x9d0c6a3ee1f25a77ull};

// SAFETY: copied before they are checked: the array may be shared with a thread that writes to it.
std::vector<Segment> Segments(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    throw Napi::TypeError::New(env, "segments are a Float64Array of (fd, byte offset, bytes) triples");
  }
  const auto numbers = info[0].As<Napi::Float64Array>();
  const std::vector<double> copy(numbers.Data(), numbers.Data() + numbers.ElementLength());
  if (copy.empty() || copy.size() % 3 != 0) throw Napi::TypeError::New(env, "segments are triples");
  std::vector<Segment> segments;
  uint64_t total = 0;
  for (size_t i = 0; i < copy.size(); i += 3) {
    uint64_t fd, offset, bytes;
    if (!ToInteger(copy[i], INT32_MAX, &fd) || !ToInteger(copy[i + 1], INT64_MAX, &offset) ||
        !ToInteger(copy[i + 2], kMaxBytes - total, &bytes) || bytes == 0) {
      throw Napi::RangeError::New(env, "a segment is no range of a file, or all are more than 1 GiB");
    }
    total += bytes;
    segments.push_back({static_cast<int>(fd), offset, bytes});
  }
  return segments;
}

// SAFETY: a page beyond the end of its file is SIGBUS, at once or after a shrink. The pages of devices are their drivers' care.
void RequireBacking(Napi::Env env, const Segment& segment) {
  struct stat status;
  if (fstat(segment.fd, &status) < 0) throw ErrnoError(env, "fstat", errno);
  if (S_ISCHR(status.st_mode)) return;
  // A TCP socket can be mapped (net/ipv4/tcp.c, tcp_mmap), and has no page to show.
  if (!S_ISREG(status.st_mode)) throw ErrnoError(env, "mmap", ENODEV);
  if (segment.offset + segment.bytes > SealedBytesOf(env, segment.fd)) throw ErrnoError(env, "mmap", ENXIO);
}

}  // namespace

void Region::Unmap() {
  if (base == nullptr) return;
  munmap(base, bytes);
  base = nullptr;
}

Napi::Function Mapping::Define(Napi::Env env) {
  Napi::Function mapping =
      DefineClass(env, "Mapping", {InstanceMethod<&Mapping::Renew>("renew"), InstanceMethod<&Mapping::Close>("close")});
  // V8 checks what methods are called on, and not what a class's accessors are.
  mapping.Get("prototype").As<Napi::Object>().DefineProperty(
      Napi::PropertyDescriptor::Accessor<&Mapping::Buffer>("buffer", napi_enumerable));
  return mapping;
}

Mapping::Mapping(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Mapping>(info) {
  Napi::Env env = info.Env();
  MapSegments(env, Segments(info), BooleanArgument(info, 1));
  Attach(env);
  info.This().As<Napi::Object>().TypeTag(&kTag);
  Environment::Of(env)->mappings.insert(this);
}

Mapping::~Mapping() {
  // Collected without close(): views may still be alive in JavaScript, so the region stays mapped until the
  // buffer's own finalizer lets go of it.
  Environment* environment = Environment::Of(Env());
  if (environment != nullptr) environment->mappings.erase(this);
}

Mapping* Mapping::From(const Napi::Value& value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTag)) return nullptr;
  return Unwrap(value.As<Napi::Object>());
}

void Mapping::MapSegments(Napi::Env env, const std::vector<Segment>& segments, bool writable) {
  size_t total = 0;
  for (const Segment& segment : segments) {
    RequireBacking(env, segment);
    total += segment.bytes;
  }
  const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  if (segments.size() == 1) {
    void* base = mmap(nullptr, total, protection, MAP_SHARED, segments[0].fd, static_cast<off_t>(segments[0].offset));
    if (base == MAP_FAILED) throw ErrnoError(env, "mmap", errno);
    region_->base = static_cast<unsigned char*>(base);
    region_->bytes = total;
    return;
  }
  // SAFETY: the whole range is reserved first, so MAP_FIXED below replaces nothing but our own reservation.
  void* base = mmap(nullptr, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) throw ErrnoError(env, "mmap", errno);
  region_->base = static_cast<unsigned char*>(base);
  region_->bytes = total;
  size_t at = 0;
  for (const Segment& segment : segments) {
    void* here = mmap(region_->base + at, segment.bytes, protection, MAP_SHARED | MAP_FIXED, segment.fd,
                      static_cast<off_t>(segment.offset));
    if (here == MAP_FAILED) {
      int error = errno;
      // SAFETY: a driver that refuses may have taken the reservation away first, and another thread may have the range by now:
      // what failed is not touched, and at the worst an empty reservation stays.
      munmap(region_->base, at);
      munmap(region_->base + at + segment.bytes, total - at - segment.bytes);
      region_->base = nullptr;
      throw ErrnoError(env, "mmap", error);
    }
    at += segment.bytes;
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
  Napi::ArrayBuffer buffer = buffer_.Value();
  // SAFETY: whoever detached it before us (ArrayBuffer.prototype.transfer) has the pages under another name: they stay
  // mapped until that buffer's own finalizer lets go of them.
  if (buffer.IsDetached()) {
    region_ = std::make_shared<Region>();
  } else {
    buffer.Detach();
  }
  buffer_.Reset();
}

Napi::Value Mapping::Buffer(const Napi::CallbackInfo& info) {
  Mapping* mapping = From(info.This());
  if (mapping == nullptr) throw Napi::TypeError::New(info.Env(), "Illegal invocation");
  return mapping->buffer_.IsEmpty() ? Napi::ArrayBuffer::New(info.Env(), 0) : mapping->buffer_.Value();
}

void Mapping::Renew(const Napi::CallbackInfo& info) {
  Detach(info.Env());
  if (region_->base == nullptr) throw ErrnoError(info.Env(), "renew", EBADF);
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
