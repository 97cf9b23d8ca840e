#include "comparison.hpp"

#include <algorithm>
#include <map>
#include <string_view>

namespace {

using cairn::CatalogEvent;
using cairn::CatalogProperty;
using Events = std::vector<CatalogEvent>;

bool alike(const CatalogEvent& a, const CatalogEvent& b) { return a.level == b.level && a.properties == b.properties; }

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool same_place(const CatalogEvent& a, const CatalogEvent& b) {
  return file_name(a.file) == file_name(b.file) && a.function == b.function;
}

/// By template; an event that is logged from several places, always alike, once.
std::map<std::string_view, Events> by_template(std::span<const CatalogEvent> events) {
  std::map<std::string_view, Events> grouped;
  for (const CatalogEvent& event : events) {
    Events& group = grouped[event.message_template];
    const auto like_it = [&](const CatalogEvent& other) { return alike(event, other); };
    if (std::none_of(group.begin(), group.end(), like_it)) group.push_back(event);
  }
  return grouped;
}

/// Takes each pair that `match` holds for out of both.
template <class Match>
std::vector<ChangedEvent> take_pairs(Events& before, Events& after, Match match) {
  std::vector<ChangedEvent> pairs;
  std::erase_if(before, [&](const CatalogEvent& old) {
    const auto found =
        std::find_if(after.begin(), after.end(), [&](const CatalogEvent& now) { return match(old, now); });
    if (found == after.end()) return false;
    pairs.push_back({old, *found});
    after.erase(found);
    return true;
  });
  return pairs;
}

void append(Events& to, const Events& from) { to.insert(to.end(), from.begin(), from.end()); }

std::string property_change(const CatalogProperty* before, const CatalogProperty* after) {
  if (before == nullptr) return "    property " + after->name + ": added, " + after->type + "\n";
  if (after == nullptr) return "    property " + before->name + ": removed, was " + before->type + "\n";
  return "    property " + after->name + ": " + before->type + " -> " + after->type + "\n";
}

const CatalogProperty* find(const CatalogEvent& event, std::string_view name) {
  for (const CatalogProperty& property : event.properties) {
    if (property.name == name) return &property;
  }
  return nullptr;
}

std::string changes(const CatalogEvent& before, const CatalogEvent& after) {
  std::string out;
  if (before.message_template != after.message_template) out += "    template: was " + cairn::to_text(before) + "\n";
  if (before.level != after.level)
    out += "    level: " + std::string(to_string(before.level)) + " -> " + std::string(to_string(after.level)) + "\n";
  for (const CatalogProperty& property : before.properties) {
    const CatalogProperty* now = find(after, property.name);
    if (now == nullptr || now->type != property.type) out += property_change(&property, now);
  }
  for (const CatalogProperty& property : after.properties) {
    if (find(before, property.name) == nullptr) out += property_change(nullptr, &property);
  }
  return out.empty() ? "    properties: in another order\n" : out;
}

}  // namespace

Comparison compare(std::span<const CatalogEvent> before, std::span<const CatalogEvent> after) {
  Comparison result;
  auto olds = by_template(before);
  auto news = by_template(after);
  Events only_before;
  Events only_after;
  for (auto& [text, old] : olds) {
    const auto found = news.find(text);
    if (found == news.end()) {
      append(only_before, old);
      continue;
    }
    (void)take_pairs(old, found->second, alike);
    for (ChangedEvent& pair : take_pairs(old, found->second, same_place)) result.changed.push_back(std::move(pair));
    const auto any = [](const CatalogEvent&, const CatalogEvent&) { return true; };
    for (ChangedEvent& pair : take_pairs(old, found->second, any)) result.changed.push_back(std::move(pair));
    append(result.removed, old);
    append(result.added, found->second);
  }
  for (const auto& [text, now] : news) {
    if (!olds.contains(text)) append(only_after, now);
  }
  const auto reworded = [](const CatalogEvent& a, const CatalogEvent& b) { return same_place(a, b) && alike(a, b); };
  for (ChangedEvent& pair : take_pairs(only_before, only_after, reworded)) result.changed.push_back(std::move(pair));
  append(result.removed, only_before);
  append(result.added, only_after);
  return result;
}

std::string to_text(const Comparison& comparison) {
  std::string out;
  for (const ChangedEvent& event : comparison.changed)
    out += "changed  " + cairn::to_text(event.after) + "\n" + changes(event.before, event.after);
  for (const CatalogEvent& event : comparison.added) out += "added    " + cairn::to_text(event) + "\n";
  for (const CatalogEvent& event : comparison.removed) out += "removed  " + cairn::to_text(event) + "\n";
  return out;
}

std::string to_json(const Comparison& comparison) {
  std::string out = "{\"changed\":[";
  for (const ChangedEvent& event : comparison.changed) {
    out += &event == comparison.changed.data() ? "\n" : ",\n";
    out += "{\"before\":" + cairn::to_json(event.before) + ",\n \"after\":" + cairn::to_json(event.after) + "}";
  }
  out += "\n],\n\"added\":" + cairn::to_json(std::span(comparison.added));
  out += ",\n\"removed\":" + cairn::to_json(std::span(comparison.removed)) + "}";
  return out;
}
