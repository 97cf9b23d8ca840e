// What a sink counts of its own, shown in the metrics beside what Cairn counts of it.
//
//   class Kafka : public cairn::Sink {
//    public:
//     std::shared_ptr<cairn::SinkCounters> counters() noexcept override { return counters_; }
//     cairn::EmitResult emit(std::span<const cairn::Event> events) override {
//       if (lost_connection()) counters_->add(reconnects);
//       …
//     }
//    private:
//     enum : std::size_t { reconnects, retries };  // in the order of the names
//     std::shared_ptr<cairn::SinkCounters> counters_ = cairn::SinkCounters::named({"reconnects", "retries"});
//   };
//   log.metrics().sink("kafka")->counters.at("reconnects");
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cairn/detail/template_parser.hpp"

namespace cairn {

/// Counts under fixed names, each of which only grows. Safe from every thread; no call waits or allocates. They outlive
/// the sink, so that metrics of a closed logger still have them.
class SinkCounters {
 public:
  /// All at 0. Throws std::invalid_argument for a name that is empty, no valid UTF-8 or there twice, std::bad_alloc.
  [[nodiscard]] static std::shared_ptr<SinkCounters> named(std::initializer_list<std::string_view> names) {
    std::vector<std::string> list;
    for (const std::string_view name : names) {
      if (name.empty()) throw std::invalid_argument("a counter of a sink needs a name");
      for (std::size_t at = 0; at < name.size();) {
        const std::string_view from = name.substr(at);
        if (detail::next_code_point(name, at) == U'\uFFFD' && !from.starts_with("\xEF\xBF\xBD"))
          throw std::invalid_argument("a counter's name is no valid UTF-8");
      }
      for (const std::string& other : list) {
        if (other == name) throw std::invalid_argument("two counters of a sink are named " + other);
      }
      list.emplace_back(name);
    }
    return std::shared_ptr<SinkCounters>(new SinkCounters(std::move(list)));
  }

  SinkCounters(const SinkCounters&) = delete;
  SinkCounters& operator=(const SinkCounters&) = delete;
  ~SinkCounters() = default;

  /// `which` is a place in the list of names, and must be below size().
  void add(std::size_t which, std::uint64_t by = 1) noexcept {
    values_[which].fetch_add(by, std::memory_order_relaxed);  // a counter: orders nothing
  }
  [[nodiscard]] std::uint64_t value(std::size_t which) const noexcept {
    return values_[which].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::string_view name(std::size_t which) const noexcept { return names_[which]; }
  [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
  /// All to 0: what a process just forked does, whose counts are its own.
  void reset() noexcept {
    for (std::size_t i = 0; i < size(); ++i) values_[i].store(0, std::memory_order_relaxed);
  }

 private:
  explicit SinkCounters(std::vector<std::string> names)
      : names_(std::move(names)), values_(new std::atomic<std::uint64_t>[names_.size()]()) {}
  std::vector<std::string> names_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> values_;
};

}  // namespace cairn
