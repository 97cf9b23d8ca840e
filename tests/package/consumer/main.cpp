// A consumer of the installed library: configures a logger, logs, and looks at what arrived.
#include <cairn/all.hpp>
#include <cstdio>
#include <string>

int main() {
  std::string seen;
  {
    auto log = cairn::Configuration{}
                   .write_to_callback([&](const cairn::Event& event) { seen += event.message_template(); })
                   .create_logger();
    log.information("{User} has {Count} items", "Ann", 42);
    CAIRN_DEBUG(log, "not {Seen}", seen);
  }
  std::printf("%s\n", seen.c_str());
  return seen == "{User} has {Count} items" ? 0 : 1;
}
