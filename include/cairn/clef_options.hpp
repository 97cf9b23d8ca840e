// What a CLEF line carries beside what every line carries (`@t`, `@mt`, `@r` for holes with a format, `@l` unless
// Information, `@x`,
// `@tr`, `@sp`, the properties). Plain data.
//
//   cairn::FileOptions options{.clef = {.with_message = true}};
#pragma once

namespace cairn {

struct ClefOptions {
  /// The rendered form: `@m`, the message, and `@i`, the template's identity, in place of `@mt` and `@r`.
  bool rendered = false;
  /// `@m` beside `@mt`.
  bool with_message = false;
  /// `@i` beside `@mt`: a 32-bit identity of the template, for readers that group by it.
  bool with_event_id = false;
  /// Nine decimals of a second in `@t` in place of seven.
  bool nanoseconds = false;
};

}  // namespace cairn
