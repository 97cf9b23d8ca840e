// What a CLEF line carries beside what every line carries (`@t`, `@mt`, `@l` unless Information, `@x`, `@tr`, `@sp`,
// the properties). Plain data: copy it freely, no function here allocates or throws.
//
//   cairn::FileOptions options{.clef = {.rendered = true}};
#pragma once

namespace cairn {

struct ClefOptions {
  /// Adds `@r`, the holes that have a format specifier, as rendered.
  bool rendered = false;
  /// Writes `@m`, the rendered message, in place of `@mt` and `@r`.
  bool with_message = false;
  /// Adds `@i`, a 32-bit identity of the template, for readers that group by it.
  bool with_event_id = false;
  /// Nine decimals of a second in `@t` in place of seven.
  bool nanoseconds = false;
};

}  // namespace cairn
