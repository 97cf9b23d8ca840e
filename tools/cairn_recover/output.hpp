// Where cairn-recover writes its lines. What can be read as a file of whole lines before can be so after, however full
// the disk is and whoever else appends to it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "cairn/event.hpp"
#include "cairn/output_buffer.hpp"
#include "format/clef_formatter.hpp"

/// For one thread. It complains to standard error.
class Output {
 public:
  /// To the end of the file at `path`, which is made where there is none; `-`: to standard output.
  explicit Output(const std::string& path);
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  /// Nothing went wrong yet.
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  /// How many are written.
  [[nodiscard]] unsigned long long events() const noexcept { return settled_events_; }

  void add(const cairn::Event& event) {
    formatter_.format(event, lines_);
    ++events_;
  }
  /// Writes what was added since the last time, and sees it on the disk. False: it is not all there, and shall be
  /// written again another time. It was taken out of the file then or, where others have the file open or wrote to it
  /// meanwhile, only the line that was not whole was, which is blanks now.
  [[nodiscard]] bool settle();

 private:
  struct Written {
    std::size_t bytes = 0;  // of the lines
    std::size_t torn = 0;   // the last of them: the beginning of a line
    off_t end = 0;          // where they end in the file
    bool ended = false;     // a newline was written after them
  };
  /// The lines, until an error.
  void write_to_pipe();
  [[nodiscard]] Written write_to_file();
  void take_back(const Written& written, off_t size_before);
  [[nodiscard]] bool cut(off_t grown_to, off_t size_before);
  [[nodiscard]] bool blank(const Written& written);

  [[nodiscard]] ssize_t write(std::string_view bytes) const;
  /// The file once more, on a descriptor of our own; -1 where it may not be opened so.
  [[nodiscard]] int open_again(int flags) const;
  [[nodiscard]] off_t size() const;
  [[nodiscard]] bool ends_with_newline() const;
  void complain();
  void say(const char* what) const;

  std::string name_;
  int fd_;
  bool ok_ = true;
  bool is_file_ = false;
  unsigned long long events_ = 0;
  unsigned long long settled_events_ = 0;
  cairn::detail::ClefFormatter formatter_;
  cairn::OutputBuffer lines_;
};
