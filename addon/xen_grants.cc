// Grants: pages of this domain's for one other (/dev/xen/gntalloc) and of others for this one (/dev/xen/gntdev), by the
// kernel's own ioctls. Both make records; mapping.cc maps them, like any range of a file.
#include <linux/types.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>
#include <vector>

// xen/include/public/xen.h and grant_table.h; the kernel's headers use them without a definition.
typedef __u16 domid_t;
typedef __u32 grant_ref_t;
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#include "arguments.h"
#include "errno_error.h"
#include "functions.h"

namespace conduit {

namespace {

static_assert(IOCTL_GNTDEV_MAP_GRANT_REF == 0x00184700 && IOCTL_GNTDEV_UNMAP_GRANT_REF == 0x00104701);
static_assert(IOCTL_GNTALLOC_ALLOC_GREF == 0x00184705 && IOCTL_GNTALLOC_DEALLOC_GREF == 0x00104706);
// One number for both devices.
static_assert(IOCTL_GNTDEV_SET_UNMAP_NOTIFY == 0x00104707 && IOCTL_GNTALLOC_SET_UNMAP_NOTIFY == 0x00104707);
static_assert(UNMAP_NOTIFY_CLEAR_BYTE == 1 && UNMAP_NOTIFY_SEND_EVENT == 2);

// The largest vchan has 513 pages; a record of more is a mistake.
constexpr uint64_t kMaxPages = 4096;
constexpr uint64_t kMaxIndex = 1ull << 52;

// SAFETY: a request and the list of u32 that follows it in one block, aligned for the request's 64-bit fields.
template <typename Request, typename Item>
class Block {
 public:
  explicit Block(size_t items, size_t list_offset)
      : words_((list_offset + items * sizeof(Item) + sizeof(Request) + 7) / 8), list_offset_(list_offset) {}
  Request* request() { return reinterpret_cast<Request*>(words_.data()); }
  Item* list() { return reinterpret_cast<Item*>(reinterpret_cast<unsigned char*>(words_.data()) + list_offset_); }

 private:
  std::vector<uint64_t> words_;
  size_t list_offset_;
};

Napi::Value Index(const Napi::CallbackInfo& info, uint64_t index) {
  return Napi::Number::New(info.Env(), static_cast<double>(index));
}

// gntdevMap(fd: number, domid: number, grefs: Uint32Array): byte offset at which the record is to be mapped. Nothing is
// asked of the hypervisor before that.
Napi::Value GntdevMap(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  const auto domid = static_cast<domid_t>(IntegerArgument(info, 1, UINT16_MAX));
  if (!info[2].IsTypedArray() || info[2].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    throw Napi::TypeError::New(env, "argument 3 is not a Uint32Array");
  }
  const auto grefs = info[2].As<Napi::Uint32Array>();
  const size_t count = grefs.ElementLength();
  if (count == 0 || count > kMaxPages) throw Napi::RangeError::New(env, "argument 3 has no or too many references");
  Block<ioctl_gntdev_map_grant_ref, ioctl_gntdev_grant_ref> block(count, offsetof(ioctl_gntdev_map_grant_ref, refs));
  block.request()->count = static_cast<__u32>(count);
  for (size_t i = 0; i < count; i++) block.list()[i] = {domid, grefs[i]};
  if (ioctl(fd, IOCTL_GNTDEV_MAP_GRANT_REF, block.request()) < 0) {
    throw ErrnoError(env, "ioctl(GNTDEV_MAP_GRANT_REF)", errno);
  }
  return Index(info, block.request()->index);
}

// gntdevUnmap(fd: number, index: number, pages: number): void. The pages have been unmapped, or never were mapped.
void GntdevUnmap(const Napi::CallbackInfo& info) {
  ioctl_gntdev_unmap_grant_ref request{};
  const int fd = DescriptorArgument(info, 0);
  request.index = IntegerArgument(info, 1, kMaxIndex);
  request.count = static_cast<__u32>(IntegerArgument(info, 2, kMaxPages));
  if (ioctl(fd, IOCTL_GNTDEV_UNMAP_GRANT_REF, &request) < 0) {
    throw ErrnoError(info.Env(), "ioctl(GNTDEV_UNMAP_GRANT_REF)", errno);
  }
}

// gntallocAllocate(fd: number, domid: number, pages: number, writable: boolean): [byte offset at which the pages are to be
// mapped, one reference a page]
Napi::Value GntallocAllocate(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const int fd = DescriptorArgument(info, 0);
  const auto domid = static_cast<__u16>(IntegerArgument(info, 1, UINT16_MAX));
  const auto pages = static_cast<__u32>(IntegerArgument(info, 2, kMaxPages));
  const bool writable = BooleanArgument(info, 3);
  Block<ioctl_gntalloc_alloc_gref, __u32> block(pages, offsetof(ioctl_gntalloc_alloc_gref, gref_ids));
  block.request()->domid = domid;
  block.request()->flags = writable ? GNTALLOC_FLAG_WRITABLE : 0;
  block.request()->count = pages;
  if (ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, block.request()) < 0) {
    throw ErrnoError(env, "ioctl(GNTALLOC_ALLOC_GREF)", errno);
  }
  Napi::Array result = Napi::Array::New(env, pages + 1);
  result.Set(0u, Index(info, block.request()->index));
  for (uint32_t i = 0; i < pages; i++) result.Set(i + 1, Napi::Number::New(env, block.list()[i]));
  return result;
}

// gntallocRelease(fd: number, index: number, pages: number): void. Pages that are mapped stay until they are unmapped.
void GntallocRelease(const Napi::CallbackInfo& info) {
  ioctl_gntalloc_dealloc_gref request{};
  const int fd = DescriptorArgument(info, 0);
  request.index = IntegerArgument(info, 1, kMaxIndex);
  request.count = static_cast<__u32>(IntegerArgument(info, 2, kMaxPages));
  if (ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &request) < 0) {
    throw ErrnoError(info.Env(), "ioctl(GNTALLOC_DEALLOC_GREF)", errno);
  }
}

// setUnmapNotify(fd: number, index: number, port: number): void. When the page around that byte offset is unmapped, by
// whatever cause, the kernel clears the byte and kicks the port. Of gntdev and of gntalloc.
void SetUnmapNotify(const Napi::CallbackInfo& info) {
  ioctl_gntdev_unmap_notify request{};
  const int fd = DescriptorArgument(info, 0);
  request.index = IntegerArgument(info, 1, kMaxIndex);
  request.action = UNMAP_NOTIFY_CLEAR_BYTE | UNMAP_NOTIFY_SEND_EVENT;
  request.event_channel_port = static_cast<__u32>(IntegerArgument(info, 2, UINT32_MAX));
  if (ioctl(fd, IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &request) < 0) {
    throw ErrnoError(info.Env(), "ioctl(SET_UNMAP_NOTIFY)", errno);
  }
}

}  // namespace

void DefineXenGrants(Napi::Env env, Napi::Object exports) {
  exports.Set("gntdevMap", Napi::Function::New<GntdevMap>(env, "gntdevMap"));
  exports.Set("gntdevUnmap", Napi::Function::New<GntdevUnmap>(env, "gntdevUnmap"));
  exports.Set("gntallocAllocate", Napi::Function::New<GntallocAllocate>(env, "gntallocAllocate"));
  exports.Set("gntallocRelease", Napi::Function::New<GntallocRelease>(env, "gntallocRelease"));
  exports.Set("setUnmapNotify", Napi::Function::New<SetUnmapNotify>(env, "setUnmapNotify"));
}

}  // namespace conduit
