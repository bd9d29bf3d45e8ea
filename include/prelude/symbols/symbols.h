// Finding a name and version in one object or along a list of objects (gABI ch. 5 "Hash Table",
// LSB "Symbol Version"). Readers take no lock: lists are published whole and never changed in
// place.
#pragma once

#include <prelude/image/image.h>
#include <prelude/versions/versions.h>

#include <cstdint>

namespace prelude {

struct Module;

/// What a lookup touches of an object, packed into one cache line.
struct alignas(64) LookupRecord {
  const elf::Word* bloom;  ///< never null: objects without a GNU hash table have a one-word filter
  const uint32_t* buckets;
  const uint32_t* chain_zero;
  const elf::Symbol* symbols;
  Module* module;
  uint32_t bloom_mask;
  uint32_t bucket_count;  ///< 0 = no GNU hash table
  uint32_t symbol_limit;
  uint32_t bloom_shift;
  uint32_t first_symbol;  ///< smallest index a bucket may hold, at least 1
};
static_assert(sizeof(LookupRecord) == 64);

/// The parts of a module that a lookup needs after a hash has matched. Every Module begins with
/// one, see symbol_table_of().
struct SymbolTable {
  const Image* image;
  VersionTable versions;
};
inline const SymbolTable& symbol_table_of(const Module& module) {
  return reinterpret_cast<const SymbolTable&>(module);
}

/// A list of objects searched in order. The first two members have the place and size that
/// libc knows of a scope element, which it hands on without a look at it. Lives until the owner has
/// made sure that no reader is left.
struct SearchList {
  Module** modules = nullptr;
  uint32_t count = 0;
  uint32_t capacity = 0;
  LookupRecord* records = nullptr;  ///< one per module, same order
  uint32_t leaving = 0;  ///< its owner is being closed, as the leaving-th of those that go together
};

struct SymbolQuery {
  const char* name;
  uint32_t length;  ///< bytes of name
  uint32_t gnu_hash;
  uint32_t sysv_hash = 0;
  bool sysv_ready = false;
  VersionId version = 0;        ///< 0 = unversioned reference
  bool versioned = false;       ///< a version was asked for (its id may be unknown to everybody)
  bool version_hidden = false;  ///< the reference's version is marked hidden
  bool newest = false;          ///< unversioned dlsym: take the default, never an old base version
  bool function_call = false;   ///< PLT use: an undefined symbol with a value does not count
};

/// Hash and length of a name in one pass.
SymbolQuery make_query(const char* name);
/// The same, faster, for names in mapped string tables: may read up to seven bytes past the NUL.
SymbolQuery make_query_in_table(const char* name);
uint32_t gnu_hash(const char* name);

struct Definition {
  const elf::Symbol* symbol = nullptr;
  Module* module = nullptr;
};

/// The matching definition in one object, or null.
const elf::Symbol* find_in_object(const LookupRecord& record, SymbolQuery& query);

/// Searches list[from..] and gives the first object that defines the name. `skip` (may be null) is
/// passed over.
Definition find_in_list(const SearchList& list, SymbolQuery& query, uint32_t from,
                        const Module* skip);

/// Searches the lists of a null-terminated array, in order.
Definition find_in_lists(SearchList* const* lists, SymbolQuery& query, const Module* skip);

LookupRecord make_record(Module& module, const Image& image);

}  // namespace prelude
