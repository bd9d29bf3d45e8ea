#include "cache_file.h"

namespace prelude::search {
namespace {

bool same_file(const sys::FileStatus& a, const sys::FileStatus& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size && a.mtime_s == b.mtime_s &&
         a.mtime_ns == b.mtime_ns && a.ctime_s == b.ctime_s && a.ctime_ns == b.ctime_ns;
}

}  // namespace

const CacheView* CacheFile::view(const char* path) {
  if (stale_) check(path);
  if (status_ == CacheState::kNotAsked) status_ = map(path);
  return status_ == CacheState::kUsable ? &view_ : nullptr;
}

CacheState CacheFile::map(const char* path) {
  const auto fd = sys::open_for_reading(path);
  if (!fd) return CacheState::kAbsent;
  const bool mapped = map_open_file(*fd);
  sys::close(*fd);
  return mapped ? CacheState::kUsable : CacheState::kUnusable;
}

bool CacheFile::map_open_file(int fd) {
  const auto status = sys::status(fd);
  if (!status || !status->regular() || status->size == 0 || status->size > SIZE_MAX / 2)
    return false;
  const auto bytes = static_cast<size_t>(status->size);
  const auto at = sys::map_file(nullptr, bytes, sys::kProtRead, fd, 0, false);
  if (!at) return false;
  const auto view = CacheView::decode(static_cast<const char*>(*at), bytes);
  if (!view) {
    (void)sys::unmap(*at, bytes);
    return false;
  }
  start_ = *at;
  bytes_ = bytes;
  identity_ = *status;
  view_ = *view;
  return true;
}

void CacheFile::drop() {
  if (status_ == CacheState::kUsable) (void)sys::unmap(start_, bytes_);
  start_ = nullptr;
  bytes_ = 0;
  status_ = CacheState::kNotAsked;
}

void CacheFile::check(const char* path) {
  stale_ = false;
  if (status_ == CacheState::kUsable) {
    const auto now = sys::status_of(path);
    if (now && same_file(*now, identity_)) return;
  }
  drop();
}

}  // namespace prelude::search
