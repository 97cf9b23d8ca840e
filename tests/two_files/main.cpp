// Prints what each file logged, an event a line, under the name of the file.
#include "types.hpp"

#include <cairn/configuration.hpp>
#include <cairn/memory_sink.hpp>
#include <cstdio>
#include <memory>
#include <ostream>

namespace app {

std::ostream& operator<<(std::ostream& out, const Point& point) { return out << "point " << point.x << ' ' << point.y; }
std::ostream& operator<<(std::ostream& out, const Ticket& ticket) { return out << "ticket " << ticket.number_; }

}  // namespace app

void log_bare(const cairn::Logger& log);
void log_with_streams(const cairn::Logger& log);
void log_with_everything(const cairn::Logger& log);

namespace {

void print(const char* file, void (*log_all)(const cairn::Logger&)) {
  const auto sink = std::make_shared<cairn::MemorySink>();
  const auto log = cairn::Configuration{}.write_to(sink).create_logger();
  log_all(log);
  std::printf("%s\n", file);
  for (const auto& event : sink->events()) {
    const std::string line = cairn::to_clef(event.view());
    std::printf("%s\n", line.substr(line.find("\"@mt\"")).c_str());
  }
}

}  // namespace

int main() {
  print("bare.cpp", log_bare);
  print("streams.cpp", log_with_streams);
  print("everything.cpp", log_with_everything);
}
