# SPDX-License-Identifier: MIT OR Apache-2.0

## The calls in the public build: nothing. Arguments are checked by the compiler and never evaluated; no text and no
## symbol is left. `enabled.nim` has the same calls for a build with `-d:sentry`.

import ./levels, ./metrics_off, ./words

export metrics_off

proc constant*(
  status: int32
): Status {.importc: "(NI32)", nodecl, discardable, noSideEffect, gcsafe, raises: [].}
  ## A cast in C: no function is called, and unlike a bare constant the answer may be ignored.

template nothing(): Status =
  constant(1)

template start*(
    app = "",
    version = "",
    commit = "",
    environment = "",
    fleet = "",
    node = "",
    tags = "",
    dsn = "",
    stateDir = "",
    reporter = "",
    monitor = "",
    captureTimeoutMs = 0'u32,
    on = false,
): Status =
  nothing()

template stop*(): Status =
  nothing()

template isOn*(): bool =
  false

template threadAttach*(name: string): Status =
  nothing()

template rearm*(): Status =
  nothing()

template tag*(key, value: string): Status =
  nothing()

template context*(section, key, value: string): Status =
  nothing()

template breadcrumb*(level: Level, category, message: string): Status =
  nothing()

template error*(level: Level, kind, message: string): Status =
  nothing()

template error*(level: Level, e: ref Exception): Status =
  nothing()

template fatal*(kind, message: string): Status =
  nothing()

template quitWith*(reason: string, code: int = QuitFailure) =
  quit(code)

template check*(name: string, passed: bool, severity: Level, detail: string): Status =
  nothing()

template health*(component: string, state: int, detail: string): Status =
  nothing()

template heartbeat*(name: string, deadlineMs: uint32): Status =
  nothing()

template logBreadcrumb*(level: Level, line: string): Status =
  nothing()

template logBreadcrumb*(level: string, line: string): Status =
  nothing()

template logBreadcrumb*[L: enum](level: L, line: string): Status =
  # Here too the compiler refuses what it refuses in a build for a fleet.
  static:
    discard sizeof(typeof(levelFrom(level)))
  nothing()

template metricsText*(): string =
  ""

template statusText*(status: Status): string =
  ""
