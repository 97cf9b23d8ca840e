#include "capture/site_table.hpp"

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cairn/detail/fork_mutex.hpp"
#include "cairn/value.hpp"
#include "platform/made_once.hpp"

namespace cairn::detail {

namespace {

/// What it is known by stays what it is: a library that logs is not unloaded.
struct Node {
  const void* key = nullptr;  // the CallSite, or the literal
  const ValueType* const* types = nullptr;
  std::uint32_t line = 0;
  bool is_function = false;
  Level level{};
  std::string text;
  BoundTemplate bound;
  Node* next = nullptr;
};

constexpr std::size_t buckets = 4096;
std::atomic<Node*> table[buckets];

std::size_t bucket_of(const void* key, const void* types) noexcept {
  auto mixed = reinterpret_cast<std::uintptr_t>(key) * 0x9E3779B97F4A7C15ULL ^ reinterpret_cast<std::uintptr_t>(types);
  mixed ^= mixed >> 32U;
  return static_cast<std::size_t>((mixed * 0x9E3779B97F4A7C15ULL) >> 52U) % buckets;
}

/// `Text`: a template as a CallSite has it, or as a C string, which nobody has to measure to find it.
template <class Text>
const BoundTemplate& find_or_bind(const void* key, const ValueType* const* types, Text text,
                                  std::string_view expressions, const SourcePlace& place, Level level) {
  std::atomic<Node*>& bucket = table[bucket_of(key, types)];
  const std::uint32_t line = place.line;
  const auto find = [&](Node* node) -> Node* {
    for (; node != nullptr; node = node->next) {
      if (node->key == key && node->types == types && node->line == line) return node;
    }
    return nullptr;
  };
  Node* head = bucket.load(std::memory_order_acquire);  // pairs with the release below: the node is whole
  if (const Node* found = find(head)) return found->bound;
  auto made = std::make_unique<Node>();
  made->key = key;
  made->types = types;
  made->line = line;
  made->text = text;
  made->is_function = std::is_same_v<Text, const char*>;
  made->level = level;
  made->bound.bind(text, expressions, types, place);
  made->next = head;
  // release: publishes the node; a site bound by two threads at once is kept twice, which harms nobody
  while (!bucket.compare_exchange_weak(made->next, made.get(), std::memory_order_release, std::memory_order_acquire)) {
    if (const Node* found = find(made->next)) return found->bound;
  }
  return made.release()->bound;
}

struct DynamicKey {
  std::string text;
  const void* types;
  bool operator==(const DynamicKey&) const = default;
};
struct DynamicHash {
  std::size_t operator()(const DynamicKey& key) const noexcept {
    return std::hash<std::string_view>{}(key.text) ^ reinterpret_cast<std::uintptr_t>(key.types);
  }
};
struct DynamicCache {
  ForkMutex mutex;
  std::unordered_map<DynamicKey, std::shared_ptr<const BoundTemplate>, DynamicHash> entries;
};
DynamicCache& dynamic_cache() {
  static constinit MadeOnce<DynamicCache> made;  // never destroyed: static destructors may still log
  return made.get();
}

}  // namespace

const BoundTemplate& bound_site(const CallSite& site) {
  return find_or_bind(&site, site.types, std::string_view(site.text, site.text_size), site.expressions(), site.place(),
                      site.level);
}

const BoundTemplate& bound_site(const char* text, const FunctionFormHeader& function, Level level) {
  return find_or_bind(text, function.types, text, {}, SourcePlace::of(function.location), level);
}

void for_each_function_site(const std::function<void(const FunctionSite&)>& visit) {
  for (const std::atomic<Node*>& bucket : table) {
    // acquire: as in find_or_bind
    for (const Node* node = bucket.load(std::memory_order_acquire); node != nullptr; node = node->next) {
      if (!node->is_function) continue;
      // One that two threads bound at once is there twice; older ones stand further on.
      const Node* same = node->next;
      while (same != nullptr && !(same->key == node->key && same->types == node->types && same->line == node->line))
        same = same->next;
      if (same == nullptr) visit({node->text, node->types, node->level, node->bound.place()});
    }
  }
}

std::shared_ptr<const BoundTemplate> bound_dynamic(std::string_view text, const FunctionFormHeader& function) {
  const auto bind = [&] {
    auto bound = std::make_shared<BoundTemplate>();
    bound->bind(text, {}, function.types, SourcePlace::of(function.location));
    return bound;
  };
  if (text.size() > max_cached_template_size) return bind();
  DynamicCache& cache = dynamic_cache();
  DynamicKey key{std::string(text), function.types};
  {
    const std::lock_guard lock(cache.mutex);
    if (const auto found = cache.entries.find(key); found != cache.entries.end()) return found->second;
  }
  std::shared_ptr<const BoundTemplate> bound = bind();
  const std::lock_guard lock(cache.mutex);
  if (cache.entries.size() >= max_cached_templates)
    cache.entries.clear();  // who brings so many would keep bringing others
  cache.entries.emplace(std::move(key), bound);
  return bound;
}

const BoundTemplate& bound_template(const RecordHeader& record, std::shared_ptr<const BoundTemplate>& dynamic) {
  if (record.is(RecordHeader::function_form)) {
    return bound_site(static_cast<const char*>(record.site), *reinterpret_cast<const FunctionFormHeader*>(&record + 1),
                      record.level());
  }
  if (!record.is(RecordHeader::dynamic_form)) return bound_site(*static_cast<const CallSite*>(record.site));
  const auto* after = reinterpret_cast<const std::byte*>(&record + 1);
  const Value text(string_type, after + sizeof(FunctionFormHeader));
  dynamic = bound_dynamic(*text.as_string(), *reinterpret_cast<const FunctionFormHeader*>(after));
  return *dynamic;
}

}  // namespace cairn::detail
