#include "tests/fakes/sys_fake.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

namespace prelude::sys {
namespace fake {
namespace {

constexpr uint32_t kRegular = 0100000, kDirectory = 0040000, kLink = 0120000, kTypeMask = 0170000;
constexpr int kMaxLinks = 40;
constexpr Errno kELOOP{40}, kENOEXEC{8}, kEISDIR{21};

struct Node {
  uint32_t mode = 0;
  uint32_t owner = 0;
  uint64_t inode = 0;
  int64_t time = 0;
  std::string content;  // of a file; target of a link
};
using NodePointer = std::shared_ptr<Node>;

struct Descriptor {
  NodePointer node;
  bool append = false;
};
struct Script {
  std::string call;
  std::string path;  // empty = any
  Errno error{};
  int skip = 0;
  int times = 0;  // below zero = for ever
};
struct Mapping {
  void* start;
  size_t bytes;
};

struct World {
  std::map<std::string, NodePointer, std::less<>> nodes;
  std::map<int, Descriptor> descriptors;
  std::map<int, std::string> outputs;
  std::vector<Script> scripts;
  std::vector<std::string> log;
  std::vector<Mapping> mappings;
  std::string directory = "/";
  uint64_t next_inode = 2;
  int64_t clock = 1000;
  uint64_t now = 0;
  size_t read_limit = 0;

  World() { nodes["/"] = make(kDirectory | 0755, ""); }
  NodePointer make(uint32_t mode, std::string_view content) {
    auto node = std::make_shared<Node>();
    node->mode = mode;
    node->inode = next_inode++;
    node->time = clock++;
    node->content = content;
    return node;
  }
};

World& world() {
  static World* the_world = new World;
  return *the_world;
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  std::string part;
  for (const char c : path) {
    if (c != '/') {
      part += c;
    } else if (!part.empty()) {
      parts.push_back(part);
      part.clear();
    }
  }
  if (!part.empty()) parts.push_back(part);
  return parts;
}

enum class LastLink { kFollow, kKeep };

/// The canonical path of an existing node or of a missing one in an existing directory.
Ret<Done> resolve(std::string_view path, LastLink last, std::string& out) {
  if (path.empty()) return kENOENT;
  std::vector<std::string> left = split(path);
  std::reverse(left.begin(), left.end());
  const bool wants_directory = path.back() == '/';
  out = path[0] == '/' ? "/" : world().directory;
  int links = 0;
  while (!left.empty()) {
    const std::string part = left.back();
    left.pop_back();
    const auto here = world().nodes.find(out);
    if (here == world().nodes.end()) return kENOENT;
    if ((here->second->mode & kTypeMask) != kDirectory) return kENOTDIR;
    if (part == ".") continue;
    if (part == "..") {
      out.erase(std::max<size_t>(out.rfind('/'), 1));
      continue;
    }
    const std::string parent = out;
    out += (out == "/" ? "" : "/") + part;
    const auto node = world().nodes.find(out);
    if (node == world().nodes.end() || (node->second->mode & kTypeMask) != kLink) continue;
    if (left.empty() && last == LastLink::kKeep && !wants_directory) continue;
    if (++links > kMaxLinks) return kELOOP;
    const std::string& target = node->second->content;
    out = target[0] == '/' ? "/" : parent;
    std::vector<std::string> more = split(target);
    left.insert(left.end(), more.rbegin(), more.rend());
  }
  const auto node = world().nodes.find(out);
  if (wants_directory && node != world().nodes.end() &&
      (node->second->mode & kTypeMask) != kDirectory)
    return kENOTDIR;
  return Done{};
}

Ret<const NodePointer*> find(std::string_view path, LastLink last = LastLink::kFollow) {
  std::string where;
  if (auto found = resolve(path, last, where); !found) return found.error();
  const auto node = world().nodes.find(where);
  if (node == world().nodes.end()) return kENOENT;
  return static_cast<const NodePointer*>(&node->second);
}

/// Logs the call; gives the scripted error or zero.
Errno enter(std::string_view call, std::string_view path = {}) {
  std::string line(call);
  if (!path.empty()) (line += ' ') += path;
  world().log.push_back(line);
  for (Script& script : world().scripts) {
    if (script.call != call || script.times == 0) continue;
    if (!script.path.empty() && script.path != path) continue;
    if (script.skip > 0) {
      --script.skip;
      continue;
    }
    if (script.times > 0) --script.times;
    return script.error;
  }
  return Errno{};
}

int new_descriptor(const Descriptor& descriptor) {
  int fd = 3;
  while (world().descriptors.count(fd) != 0) ++fd;
  world().descriptors[fd] = descriptor;
  return fd;
}

FileStatus status_of_node(const Node& node) {
  return {.device = 1,
          .inode = node.inode,
          .size = node.content.size(),
          .mode = node.mode,
          .owner = node.owner,
          .links = 1,
          .special_device = 0,
          .mtime_s = node.time,
          .mtime_ns = 0,
          .ctime_s = node.time,
          .ctime_ns = 0};
}

void put_node(std::string_view path, const NodePointer& node) {
  std::string where(path);
  world().nodes[where] = node;
  while (where.rfind('/') > 0) {
    where.erase(where.rfind('/'));
    if (world().nodes.count(where) == 0) world().nodes[where] = world().make(kDirectory | 0755, "");
  }
}

Ret<void*> map_memory(void* at, size_t bytes, int flags) {
  if (bytes == 0) return kEINVAL;
  void* start = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (start == MAP_FAILED) return kENOMEM;
  if (flags != MAP_FIXED) world().mappings.push_back({start, (bytes + 4095) & ~size_t{4095}});
  return start;
}

Ret<void*> map_content(void* at, size_t bytes, int prot, int fd, uint64_t offset, int flags) {
  const auto found = world().descriptors.find(fd);
  if (found == world().descriptors.end()) return kEBADF;
  const auto start = map_memory(at, bytes, flags);
  if (!start) return start;
  const std::string& content = found->second.node->content;
  if (offset < content.size()) {
    const size_t room = content.size() - static_cast<size_t>(offset);
    memcpy(*start, content.data() + offset, std::min(bytes, room));
  }
  if (mprotect(*start, bytes, prot) != 0) return kEACCES;
  return start;
}

/// Takes a range out of the known mappings; what is left of them stays known.
void forget_range(void* at, size_t bytes) {
  auto* start = static_cast<char*>(at);
  char* end = start + bytes;
  std::vector<Mapping> kept;
  for (const Mapping& mapping : world().mappings) {
    auto* from = static_cast<char*>(mapping.start);
    char* to = from + mapping.bytes;
    if (to <= start || from >= end) {
      kept.push_back(mapping);
      continue;
    }
    if (from < start) kept.push_back({from, static_cast<size_t>(start - from)});
    if (to > end) kept.push_back({end, static_cast<size_t>(to - end)});
  }
  world().mappings = kept;
}

}  // namespace

void reset() {
  for (const Mapping& mapping : world().mappings) munmap(mapping.start, mapping.bytes);
  world() = World();
}

void add_file(std::string_view path, std::string_view content, uint32_t permissions) {
  put_node(path, world().make(kRegular | permissions, content));
}
void add_directory(std::string_view path) { put_node(path, world().make(kDirectory | 0755, "")); }
void add_link(std::string_view path, std::string_view target) {
  put_node(path, world().make(kLink | 0777, target));
}
void add_node(std::string_view path, uint32_t mode) { put_node(path, world().make(mode, "")); }
void replace_file(std::string_view path, std::string_view content) { add_file(path, content); }

void remove(std::string_view path) {
  const std::string below = std::string(path) + "/";
  std::erase_if(world().nodes, [&](const auto& entry) {
    return entry.first == path || entry.first.starts_with(below);
  });
}

void set_owner(std::string_view path, uint32_t owner) {
  if (const auto node = find(path, LastLink::kKeep); node) (**node)->owner = owner;
}

std::string content(std::string_view path) {
  const auto node = find(path);
  return node ? (**node)->content : std::string();
}

void set_current_directory(std::string_view path) { world().directory = path; }

void fail(std::string_view call, Errno error, int skip, int times) {
  world().scripts.push_back({std::string(call), "", error, skip, times});
}
void fail_path(std::string_view call, std::string_view path, Errno error) {
  world().scripts.push_back({std::string(call), std::string(path), error, 0, -1});
}
void limit_reads(size_t bytes) { world().read_limit = bytes; }

const std::vector<std::string>& log() { return world().log; }
void clear_log() { world().log.clear(); }
int count(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(
      world().log, [&](const std::string& line) { return line.starts_with(text); }));
}
int open_descriptors() { return static_cast<int>(world().descriptors.size()); }
int mappings() { return static_cast<int>(world().mappings.size()); }
std::string output(int fd) { return world().outputs[fd]; }
void set_time_ns(uint64_t now) { world().now = now; }

}  // namespace fake

using namespace fake;

#define FAKE_ENTER(...) \
  if (const Errno scripted = enter(__VA_ARGS__); raw(scripted) != 0) return scripted

Ret<int> open_for_reading(const char* path) {
  FAKE_ENTER("open_for_reading", path);
  const auto node = find(path);
  if (!node) return node.error();
  return new_descriptor({**node});
}

Ret<int> open_for_trace(const char* path) {
  FAKE_ENTER("open_for_trace", path);
  std::string where;
  if (auto found = resolve(path, LastLink::kKeep, where); !found) return found.error();
  NodePointer& node = world().nodes[where];
  if (node == nullptr) node = world().make(kRegular | 0644, "");
  if ((node->mode & kTypeMask) == kLink) return kELOOP;
  if ((node->mode & kTypeMask) == kDirectory) return kEISDIR;
  return new_descriptor({node, true});
}

Ret<int> create_file(const char* path) { return open_for_trace(path); }
Ret<int> create_memory_file() {
  FAKE_ENTER("create_memory_file");
  return new_descriptor({world().make(kRegular | 0600, ""), true});
}

Ret<int> open_device(const char* path, bool /*writable*/) {
  FAKE_ENTER("open_device", path);
  const auto node = find(path);
  if (!node) return node.error();
  return new_descriptor({**node});
}

void close(int fd) {
  enter("close");
  world().descriptors.erase(fd);
}

Ret<size_t> read_at(int fd, void* to, size_t bytes, uint64_t offset) {
  FAKE_ENTER("read_at");
  const auto found = world().descriptors.find(fd);
  if (found == world().descriptors.end()) return kEBADF;
  const Node& node = *found->second.node;
  if ((node.mode & kTypeMask) == kDirectory) return kEISDIR;
  if (offset >= node.content.size()) return size_t{0};
  size_t size = std::min(bytes, node.content.size() - static_cast<size_t>(offset));
  if (world().read_limit != 0) size = std::min(size, world().read_limit);
  memcpy(to, node.content.data() + offset, size);
  return size;
}

Ret<FileStatus> status(int fd) {
  FAKE_ENTER("status");
  const auto found = world().descriptors.find(fd);
  if (found == world().descriptors.end()) return kEBADF;
  return status_of_node(*found->second.node);
}

Ret<FileStatus> status_of(const char* path) {
  FAKE_ENTER("status_of", path);
  const auto node = find(path);
  if (!node) return node.error();
  return status_of_node(***node);
}

Ret<size_t> read_link(const char* path, char* to, size_t capacity) {
  FAKE_ENTER("read_link", path);
  const auto node = find(path, LastLink::kKeep);
  if (!node) return node.error();
  if (((**node)->mode & kTypeMask) != kLink) return kEINVAL;
  const std::string& target = (**node)->content;
  const size_t size = std::min(capacity, target.size());
  memcpy(to, target.data(), size);
  return size;
}

Ret<size_t> current_directory(char* to, size_t capacity) {
  FAKE_ENTER("current_directory");
  const std::string& directory = world().directory;
  if (directory.size() + 1 > capacity) return Errno{34};
  memcpy(to, directory.c_str(), directory.size() + 1);
  return directory.size();
}

Ret<void*> map_file(void* at, size_t bytes, int prot, int fd, uint64_t offset, bool fixed) {
  FAKE_ENTER("map_file");
  return map_content(at, bytes, prot, fd, offset, fixed ? MAP_FIXED : 0);
}

Ret<void*> map_anonymous(void* at, size_t bytes, int prot, bool fixed) {
  FAKE_ENTER("map_anonymous");
  const auto start = map_memory(at, bytes, fixed ? MAP_FIXED : 0);
  if (start && mprotect(*start, bytes, prot) != 0) return kEACCES;
  return start;
}

Ret<void*> map_file_low(size_t bytes, int prot, int fd, uint64_t offset) {
  FAKE_ENTER("map_file_low");
  return map_content(nullptr, bytes, prot, fd, offset, MAP_32BIT);
}

Ret<void*> map_anonymous_low(size_t bytes, int prot) {
  FAKE_ENTER("map_anonymous_low");
  const auto start = map_memory(nullptr, bytes, MAP_32BIT);
  if (start && mprotect(*start, bytes, prot) != 0) return kEACCES;
  return start;
}

Ret<void*> map_file_exactly(void* at, size_t bytes, int prot, int fd, uint64_t offset) {
  FAKE_ENTER("map_file_exactly");
  const auto start = map_content(at, bytes, prot, fd, offset, MAP_FIXED_NOREPLACE);
  return start ? start : Ret<void*>(kEEXIST);
}

Ret<void*> map_anonymous_exactly(void* at, size_t bytes, int prot) {
  FAKE_ENTER("map_anonymous_exactly");
  const auto start = map_memory(at, bytes, MAP_FIXED_NOREPLACE);
  if (start && mprotect(*start, bytes, prot) != 0) return kEACCES;
  return start ? start : Ret<void*>(kEEXIST);
}

Ret<Done> unmap(void* at, size_t bytes) {
  FAKE_ENTER("unmap");
  constexpr size_t kPageMask = 4095;
  forget_range(at, (bytes + kPageMask) & ~kPageMask);
  return munmap(at, bytes) == 0 ? Ret<Done>(Done{}) : Ret<Done>(kEINVAL);
}

Ret<Done> protect(void* at, size_t bytes, int prot) {
  FAKE_ENTER("protect");
  return mprotect(at, bytes, prot) == 0 ? Ret<Done>(Done{}) : Ret<Done>(kEINVAL);
}

Ret<Done> move_mapping(void*, size_t, void*) {
  FAKE_ENTER("move_mapping");
  return Done{};
}

Ret<Done> show_process(const ProcessView&, int) {
  FAKE_ENTER("show_process");
  return Done{};
}

bool can_read(const void*) { return true; }

Ret<Done> seal(void*, size_t) {
  FAKE_ENTER("seal");
  return Done{};
}

Ret<void*> map_file_present(void* at, size_t, int, uint64_t) {
  FAKE_ENTER("map_file_present");
  return at;
}

void write_all(int fd, const char* text, size_t bytes) {
  enter("write_all");
  world().outputs[fd].append(text, bytes);
  const auto found = world().descriptors.find(fd);
  if (found != world().descriptors.end() && found->second.append)
    found->second.node->content.append(text, bytes);
}

void exit_group(int status) { _exit(status); }
int process_id() { return 1234; }
int thread_id() { return 1234; }

Ret<Done> execute(const char* path, char* const[], char* const[]) {
  FAKE_ENTER("execute", path);
  return kENOEXEC;
}

Ret<int> fork() {
  FAKE_ENTER("fork");
  return kENOSYS;
}
Ret<int> wait_for(int) {
  FAKE_ENTER("wait_for");
  return kENOSYS;
}

Ret<Done> set_thread_pointer(void*) {
  FAKE_ENTER("set_thread_pointer");
  return Done{};
}
int set_tid_address(void*) { return 1234; }
Ret<Done> set_robust_list(void*, size_t) {
  FAKE_ENTER("set_robust_list");
  return Done{};
}
Ret<Done> register_rseq(void*, uint32_t, uint32_t) {
  FAKE_ENTER("register_rseq");
  return Done{};
}

void futex_wait(uint32_t*, uint32_t) { enter("futex_wait"); }
void futex_wake(uint32_t*, int) { enter("futex_wake"); }

void yield() { enter("yield"); }

Ret<size_t> allowed_processors(uint64_t* bits, size_t) {
  FAKE_ENTER("allowed_processors");
  bits[0] = 1;
  return sizeof *bits;
}

Ret<Done> run_on_processor(uint32_t) {
  FAKE_ENTER("run_on_processor");
  return Done{};
}

Ret<ProcessorNumber> current_processor() {
  FAKE_ENTER("current_processor");
  return ProcessorNumber{0, 0};
}

uint64_t now_ns() { return ++world().now; }

Ret<SystemName> system_name() {
  FAKE_ENTER("system_name");
  SystemName name = {};
  memcpy(name.sysname, "Linux", 6);
  memcpy(name.machine, "x86_64", 7);
  return name;
}

}  // namespace prelude::sys
