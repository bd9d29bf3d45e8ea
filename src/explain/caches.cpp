// --cache-status: what a start was spared because a cache knew the answer, and why not the rest.
// There is one cache so far, ld.so.cache: whole starts (launch plans) are kept by nobody.
#include <prelude/base/string.h>

#include "answers.h"

namespace prelude::explain {
namespace {

enum class Answered : uint8_t { kHit, kMiss, kNotAsked };

/// One search, as its steps tell.
struct Search {
  const char* name = nullptr;
  Answered answered = Answered::kNotAsked;
  const char* found = nullptr;    ///< null = nowhere
  const char* where = nullptr;    ///< directories it was found in: where they come from
  const char* stale = nullptr;    ///< what the cache had, and was not taken
  const char* refused = nullptr;  ///< why
};

// The steps of one search begin with its name. Gives the index behind them.
size_t read_search(const Array<SearchLog::Step>& steps, size_t at, Search& search) {
  search.name = steps[at++].text;
  bool in_cache = false;
  for (; at < steps.size() && steps[at].kind != EventKind::kSearchBegin; ++at) {
    const SearchLog::Step& step = steps[at];
    switch (step.kind) {
      case EventKind::kSearchPath:
        // Tried, not refused, and the search went on: a default directory (DF_1_NODEFLIB).
        if (in_cache && search.answered == Answered::kHit) {
          search.answered = Answered::kMiss;
          search.stale = search.found;
          search.refused = "in a directory that its user does not want";
        }
        in_cache = false;
        search.where = step.detail;
        break;
      case EventKind::kSearchCache:
        in_cache = true;
        search.answered = Answered::kMiss;
        break;
      case EventKind::kTryFile:
        search.found = step.text;
        if (in_cache) search.answered = Answered::kHit;
        break;
      default:
        search.found = nullptr;
        if (!in_cache) break;
        search.answered = Answered::kMiss;
        search.stale = step.text;
        search.refused = step.detail;
        break;
    }
  }
  return at;
}

const char* word_of(Answered answered) {
  switch (answered) {
    case Answered::kHit:
      return "hit";
    case Answered::kMiss:
      return "miss";
    default:
      return "not asked";
  }
}

const char* reason_of(const Search& search, const CacheFacts& facts) {
  if (search.answered == Answered::kHit) return nullptr;
  if (search.answered == Answered::kNotAsked)
    return facts.path == nullptr ? "the cache is not to be used" : "found before its turn came";
  if (search.stale != nullptr) return search.refused;
  return facts.state == CacheState::kUsable ? "the cache does not have it" : "there is no cache";
}

const char* word_of(CacheState state) {
  switch (state) {
    case CacheState::kUsable:
      return "usable";
    case CacheState::kUnusable:
      return "damaged, or of a form that is not known";
    case CacheState::kAbsent:
      return "cannot be opened";
    default:
      return "not asked";
  }
}

void tell_search(Answer& answer, const Search& search, const CacheFacts& facts) {
  const char* reason = reason_of(search, facts);
  if (answer.as_json()) {
    answer.json.object()
        .text("library", search.name)
        .text("cache", word_of(search.answered))
        .text("reason", reason)
        .text("cached", search.answered == Answered::kHit ? search.found : search.stale)
        .text("path", search.found)
        .close();
    return;
  }
  answer.say("  ", search.name).put(": ").put(word_of(search.answered));
  if (search.stale != nullptr) answer.say(", ", search.stale).put(':');
  if (reason != nullptr) answer.say(search.stale != nullptr ? " " : ", ", reason);
  if (search.answered == Answered::kHit) {
    answer.say(", ", search.found);
  } else if (search.found != nullptr) {
    answer.say("; taken: ", search.found);
    if (search.where != nullptr) answer.say(" (", search.where).put(')');
  }
  answer.out.put('\n');
}

constexpr const char* kNoPlans = "this loader keeps none: each start searches and relocates anew";

void tell_file(Answer& answer, const CacheFacts& facts) {
  if (answer.as_json()) {
    answer.json.object("launch_plan").text("cache", "miss").text("reason", kNoPlans).close();
    answer.json.object("library_cache")
        .text("path", facts.path)
        .text("state", word_of(facts.state))
        .number("entries", facts.entries)
        .number("bytes", facts.bytes)
        .close();
    return;
  }
  answer.out.put("launch plan: miss, ").put(kNoPlans).put('\n');
  if (facts.path == nullptr) {
    answer.out.put("library cache: not to be used\n");
    return;
  }
  answer.say("library cache: ", facts.path).put(", ").put(word_of(facts.state));
  if (facts.state == CacheState::kUsable)
    answer.out.put(", ")
        .decimal(facts.entries)
        .put(" entries, ")
        .decimal(facts.bytes)
        .put(" bytes");
  answer.out.put('\n');
}

}  // namespace

int tell_caches(Answer& answer, const SearchLog& log) {
  const CacheFacts facts = answer.linker.searcher.cache_facts();
  if (answer.as_json()) answer.json.object();
  tell_file(answer, facts);
  if (answer.as_json()) answer.json.array("libraries");
  const auto& steps = log.steps();
  for (size_t at = 0; at < steps.size();) {
    Search search;
    at = read_search(steps, at, search);
    tell_search(answer, search, facts);
  }
  if (answer.as_json()) answer.json.close().close();
  return kAnswered;
}

}  // namespace prelude::explain
