#include "directories.h"

#include <prelude/base/string.h>

namespace prelude::search {

char* TextBuffer::reserve(Heap& heap, size_t size, size_t used) {
  constexpr size_t kSmallest = 256;
  if (size <= capacity_) return text_;
  size_t capacity = capacity_ == 0 ? kSmallest : capacity_ * 2;
  if (capacity < size) capacity = size;
  char* grown = heap.make_array<char>(capacity);
  if (grown == nullptr) return nullptr;
  if (text_ != nullptr) {
    copy_bytes(grown, text_, used);
    heap.release_array(text_, capacity_);
  }
  text_ = grown;
  capacity_ = capacity;
  return text_;
}

void DirectoryTable::start(Heap& heap, size_t subdirectory_count) {
  heap_ = &heap;
  state_count_ = subdirectory_count + 1;
}

bool DirectoryTable::make_room() {
  constexpr size_t kFewest = 32;
  if (count_ < bucket_count_) return true;
  const size_t wanted = bucket_count_ == 0 ? kFewest : bucket_count_ * 4;
  auto** grown = heap_->make_array<Directory*>(wanted);
  if (grown == nullptr) return false;
  for (size_t i = 0; i < bucket_count_; ++i)
    for (Directory* directory = buckets_[i]; directory != nullptr;) {
      Directory* next = directory->next;
      Directory*& bucket = grown[directory->hash & (wanted - 1)];
      directory->next = bucket;
      bucket = directory;
      directory = next;
    }
  if (buckets_ != nullptr) heap_->release_array(buckets_, bucket_count_);
  buckets_ = grown;
  bucket_count_ = wanted;
  return true;
}

/// One block: the directory, its states, its path with slash and NUL.
Directory* DirectoryTable::add(std::string_view path, uint32_t hash, Source source,
                               const char* source_of) {
  const size_t bytes = sizeof(Directory) + state_count_ + path.size() + 2;
  char* block = static_cast<char*>(heap_->allocate(bytes, alignof(Directory)));
  if (block == nullptr) return nullptr;
  const char* kept_source = nullptr;
  if (source_of != nullptr) {
    kept_source = heap_->copy_string(source_of, string_length(source_of));
    if (kept_source == nullptr) {
      heap_->release(block, bytes, alignof(Directory));
      return nullptr;
    }
  }
  auto* directory = new (block) Directory;
  auto* states = new (block + sizeof(Directory)) Presence[state_count_];
  char* text = block + sizeof(Directory) + state_count_;
  size_t size = path.size();
  if (size != 0) {
    copy_bytes(text, path.data(), size);
    if (text[size - 1] != '/') text[size++] = '/';
  }
  text[size] = 0;
  const bool absolute = text[0] == '/';
  for (size_t i = 0; i < state_count_; ++i)
    states[i] = absolute ? Presence::kUnknown : Presence::kExists;
  Directory*& bucket = buckets_[hash & (bucket_count_ - 1)];
  *directory = {bucket, 0, text, kept_source, size, hash, source, states};
  bucket = directory;
  ++count_;
  if (size > longest_) longest_ = size;
  return directory;
}

Directory* DirectoryTable::find_or_add(std::string_view path, Source source,
                                       const char* source_of) {
  if (!make_room()) return nullptr;
  const uint32_t hash = hash_bytes(path);
  for (Directory* known = buckets_[hash & (bucket_count_ - 1)]; known != nullptr;
       known = known->next)
    if (known->hash == hash && without_trailing_slashes(known->text()) == path) return known;
  return add(path, hash, source, source_of);
}

DirectoryList* DirectoryTable::new_list(size_t capacity) {
  auto* list = heap_->make<DirectoryList>();
  if (list == nullptr) return nullptr;
  *list = {};
  list->serial = ++lists_made_;
  if (capacity == 0) return list;
  list->entries = heap_->make_array<Directory*>(capacity);
  if (list->entries == nullptr) {
    heap_->release(list, sizeof *list, alignof(DirectoryList));
    return nullptr;
  }
  list->capacity = capacity;
  return list;
}

void DirectoryTable::release_list(DirectoryList* list) {
  if (list == nullptr) return;
  if (list->entries != nullptr) heap_->release_array(list->entries, list->capacity);
  heap_->release(list, sizeof *list, alignof(DirectoryList));
}

bool DirectoryTable::append(DirectoryList& list, std::string_view path, Source source,
                            const char* source_of) {
  Directory* directory = find_or_add(without_trailing_slashes(path), source, source_of);
  if (directory == nullptr) return false;
  if (directory->last_list == list.serial) return true;
  if (list.count == list.capacity) return false;
  directory->last_list = list.serial;
  list.entries[list.count++] = directory;
  return true;
}

bool DirectoryTable::append_element(DirectoryList& list, std::string_view element,
                                    const ListRequest& request) {
  std::string_view path = element;
  if (element.find('$') != std::string_view::npos) {
    const Expansion sized = expand_tokens(element, request.tokens, nullptr);
    if (!sized.allowed) return true;
    char* text = buffer_.reserve(*heap_, sized.size + 1);
    if (text == nullptr) return false;
    if (!expand_tokens(element, request.tokens, text).allowed || sized.size == 0) return true;
    path = {text, sized.size};
  }
  // Stricter than glibc 2.36: a secure program takes nothing from its current directory.
  if (request.tokens.secure && (path.empty() || path[0] != '/')) return true;
  return append(list, path, request.source, request.source_of);
}

DirectoryList* DirectoryTable::make_list(const ListRequest& request) {
  std::string_view element;
  size_t count = 0;
  for (ListReader reader(request.text, request.separators); reader.next(element);) ++count;
  DirectoryList* list = new_list(count);
  if (list == nullptr) return nullptr;
  for (ListReader reader(request.text, request.separators); reader.next(element);) {
    if (append_element(*list, element, request)) continue;
    release_list(list);
    return nullptr;
  }
  return list;
}

DirectoryList* DirectoryTable::make_system_list(const char* const* directories) {
  size_t count = 0;
  while (directories[count] != nullptr) ++count;
  DirectoryList* list = new_list(count);
  if (list == nullptr) return nullptr;
  for (size_t i = 0; i < count; ++i) {
    const std::string_view path(directories[i], string_length(directories[i]));
    if (append(*list, path, Source::kSystem, nullptr)) continue;
    release_list(list);
    return nullptr;
  }
  return list;
}

}  // namespace prelude::search
