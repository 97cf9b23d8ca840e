// What may be wrong with where sinks write: the options of each output, and files that get into each other's way.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "logger/plan.hpp"
#include "sinks/file_names.hpp"

namespace cairn::detail {

class OutputChecker {
 public:
  /// Problems are added to `problems`, which must outlive this.
  explicit OutputChecker(std::vector<std::string>& problems) : problems_(problems) {}

  /// One sink of the configuration, a fallback or not.
  void check(const SinkPlan& plan);
  /// What can be told only once all are known: two sinks that write to one file.
  void check_together();

 private:
  struct Log {
    std::string sink;
    std::string path;    // absolute, without links
    std::string folder;  // of the path
    std::string file;    // the last part of the path
    FileNames names;
    std::vector<std::string> written;  // one name of each form that it writes
  };

  void add(const SinkPlan& plan, const std::string& problem);
  /// An enumeration whose values are 0, 1, … in the order of `names`.
  template <class Enum, std::size_t N>
  void choice(const SinkPlan& plan, std::string_view option, Enum value, const std::string_view (&names)[N]);
  void layout(const SinkPlan& plan, const std::string& output_template, bool clef, std::string_view why_clef);
  void check(const SinkPlan& plan, const NullPlan&) { (void)plan; }
  void check(const SinkPlan& plan, const ConsolePlan& console);
  void check(const SinkPlan& plan, const FilePlan& file);
  void check(const SinkPlan& plan, const CallbackPlan& callback);
  void check(const SinkPlan& plan, const SharedPlan& shared);
  void check(const SinkPlan& plan, const LoggerPlan& logger);
  void check(const SinkPlan& plan, const StreamPlan& stream);
  void path(const SinkPlan& plan, const FilePlan& file);
  bool rolled_names(const Log& rolling, const Log& other);

  std::vector<std::string>& problems_;
  std::set<const void*> objects_;
  std::vector<Log> logs_;
};

}  // namespace cairn::detail
