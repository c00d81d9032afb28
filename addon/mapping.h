// Pages of shared memory as one ArrayBuffer. Owns the address range: close() detaches the buffer, then unmaps,
// once. Knows nothing of what lies in the pages.
#pragma once
#include <napi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace conduit {

// An address range. Shared by the Mapping, by the finalizers of its ArrayBuffers (which run long after a
// buffer was detached) and by a watcher that spins on it; whoever unmaps it first leaves base == nullptr.
struct Region {
  unsigned char* base = nullptr;
  size_t bytes = 0;

  Region() = default;
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() { Unmap(); }
  void Unmap();
};

// A run of bytes of a file.
struct Segment {
  int fd;
  uint64_t offset;
  uint64_t bytes;
};

class Mapping : public Napi::ObjectWrap<Mapping> {
 public:
  static Napi::Function Define(Napi::Env env);

  // new Mapping(segments: Float64Array of (fd, byte offset, bytes) triples, writable: boolean)
  explicit Mapping(const Napi::CallbackInfo& info);
  ~Mapping() override;

  // The Mapping behind a JavaScript value, or nullptr when there is none: a prototype proves nothing.
  static Mapping* From(const Napi::Value& value);

  const std::shared_ptr<Region>& region() const { return region_; }
  // For the end of the environment, when JavaScript runs no more.
  void Unmap() { region_->Unmap(); }

 private:
  static Napi::Value Buffer(const Napi::CallbackInfo& info);
  void Renew(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);
  void MapSegments(Napi::Env env, const std::vector<Segment>& segments, bool writable);
  void Attach(Napi::Env env);
  void Detach(Napi::Env env);

  std::shared_ptr<Region> region_ = std::make_shared<Region>();
  Napi::Reference<Napi::ArrayBuffer> buffer_;
};

}  // namespace conduit
