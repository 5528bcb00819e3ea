# SPDX-License-Identifier: MIT OR Apache-2.0

## The calls in a build with `-d:sentry`. Each is a template that asks first whether a reporter is at work: without one, no
## text is made. `disabled.nim` has the same calls for the public build.

import ./abi, ./levels, ./log_lines, ./metrics_on, ./uncaught, ./words

export metrics_on

{.push raises: [], gcsafe.}

const notStarted = int32(statusNotStarted)

proc answered*(status: int32): Status {.discardable, inline.} =
  ## What the templates below end in: an answer that may be ignored.
  Status(status)

template ifStarted(call: untyped): Status =
  answered(if abi.isStarted() != 0: call else: notStarted)

proc startWith*(texts: array[11, string], captureTimeoutMs: uint32, on: bool): Status =
  proc text(value: string): cstring =
    # An empty option is none: the environment or a default decides.
    if value.len == 0: nil else: cstring(value)

  var options = Options(
    structSize: uint32(sizeof(Options)),
    flags: if on: optionOn else: 0'u32,
    app: text(texts[0]),
    version: text(texts[1]),
    commit: text(texts[2]),
    environment: text(texts[3]),
    fleet: text(texts[4]),
    node: text(texts[5]),
    tags: text(texts[6]),
    dsn: text(texts[7]),
    stateDir: text(texts[8]),
    reporter: text(texts[9]),
    monitor: text(texts[10]),
    captureTimeoutMs: captureTimeoutMs,
  )
  result = Status(abi.start(addr options))
  if abi.isStarted() != 0:
    hookExceptions()

proc startDiscardable*(
    texts: array[11, string], captureTimeoutMs: uint32, on: bool
): Status {.discardable, inline.} =
  startWith(texts, captureTimeoutMs, on)

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
  ## Begins, where the environment or `reporter` (load mode) or `on` (link mode) asks for it: starts the reporter and sets
  ## the hook for uncaught exceptions. The first start stays in force. Later than the node's own signal handlers.
  startDiscardable(
    [
      string(app),
      version,
      commit,
      environment,
      fleet,
      node,
      tags,
      dsn,
      stateDir,
      reporter,
      monitor,
    ],
    captureTimeoutMs,
    on,
  )

template stop*(): Status =
  ## A clean end: what comes after is no death.
  answered(abi.stop())

template isOn*(): bool =
  ## Is a reporter at work in this process?
  abi.isOn() != 0

proc threadAttachNamed*(name: string): int32 =
  abi.threadAttach(cstring(name))

template threadAttach*(name: string): Status =
  ## Gives the calling thread a signal stack, so that a stack overflow can be reported, and a name. Once in each thread.
  ifStarted(threadAttachNamed(name))

template rearm*(): Status =
  ## Takes the signal handlers back after something replaced them: `c_signal`, or the `NimMain` of a Nim library.
  answered(abi.rearm())

proc tagged*(key, value: string): int32 =
  abi.tag(cstring(key), cstring(value))

template tag*(key, value: string): Status =
  ## Sets a tag of the node; a later value replaces the earlier.
  ifStarted(tagged(key, value))

proc contextSet*(section, key, value: string): int32 =
  abi.context(cstring(section), cstring(key), cstring(value))

template context*(section, key, value: string): Status =
  ## Sets one value in a context section, such as `"node", "peers", $count`.
  ifStarted(contextSet(section, key, value))

proc breadcrumbLeft*(level: Level, category, message: string): int32 =
  abi.breadcrumb(uint32(ord(level)), cstring(category), cstring(message))

template breadcrumb*(level: Level, category, message: string): Status =
  ## Leaves a breadcrumb, one step of the trail before a death.
  ifStarted(breadcrumbLeft(level, category, message))

proc errorReported*(level: Level, kind, message: string): int32 =
  abi.error(uint32(ord(level)), cstring(kind), cstring(message), nil, 0)

proc exceptionReported*(level: Level, e: ref Exception): int32 =
  if e == nil:
    int32(statusInvalidArgument)
  else:
    reportCaught(uint32(ord(level)), e)

template error*(level: Level, kind, message: string): Status =
  ## Reports a handled error.
  ifStarted(errorReported(level, kind, message))

template error*(level: Level, e: ref Exception): Status =
  ## Reports an exception that was caught, with its frames where Nim knows them.
  ifStarted(exceptionReported(level, e))

proc fatalSaid*(kind, message: string): int32 =
  abi.fatal(cstring(kind), cstring(message), nil, 0)

template fatal*(kind, message: string): Status =
  ## Last words: the process is about to end. Reported once, with the death.
  ifStarted(fatalSaid(kind, message))

template quitWith*(reason: string, code: int = QuitFailure) =
  ## Last words, then `quit(code)`.
  fatal("quit", reason)
  quit(code)

proc checked*(name: string, passed: bool, severity: Level, detail: string): int32 =
  abi.check(cstring(name), cint(passed), uint32(ord(severity)), cstring(detail))

template check*(name: string, passed: bool, severity: Level, detail: string): Status =
  ## An invariant: counted always, reported when it does not hold.
  ifStarted(checked(name, passed, severity, detail))

proc healthSet*(component: string, state: int, detail: string): int32 =
  abi.health(cstring(component), cint(state), cstring(detail))

template health*(component: string, state: int, detail: string): Status =
  ## A component's state: 0 ok, 1 degraded, 2 failing, -1 unknown.
  ifStarted(healthSet(component, state, detail))

proc heartbeatGiven*(name: string, deadlineMs: uint32): int32 =
  abi.heartbeat(cstring(name), deadlineMs)

template heartbeat*(name: string, deadlineMs: uint32): Status =
  ## Proof of life of a loop; the next is due within `deadlineMs`. Takes the signal handlers back too, as `rearm`.
  ifStarted(heartbeatGiven(name, deadlineMs))

proc lineLogged*(level: Level, line: string): int32 =
  breadcrumbLeft(level, "log", bare(line))

template logBreadcrumb*(level: Level, line: string): Status =
  ## A line of the node's log as a breadcrumb. Colours, level and time at the head of a line of chronicles are left out.
  ifStarted(lineLogged(level, line))

template logBreadcrumb*(level: string, line: string): Status =
  ## As above; `level` is a word such as `ERROR` or `wrn`. One that is not known is information.
  ifStarted(lineLogged(levelOf(level), line))

template logBreadcrumb*[L: enum](level: L, line: string): Status =
  ## As above, with the level of a logging library. An enumeration with a name that is not known does not compile.
  ifStarted(lineLogged(levelFrom(level), line))

proc metricsText*(): string =
  ## All metrics of this process as OpenMetrics text, for whoever collects them; empty where there is no reporter.
  var needed = abi.metricsText(nil, 0)
  for _ in 1 .. 3:
    # Between two looks a series may come.
    result.setLen(int(needed + needed div 8))
    if result.len == 0:
      break
    needed = abi.metricsText(addr result[0], csize_t(result.len))
    if needed <= csize_t(result.len):
      result.setLen(max(int(needed) - 1, 0))
      return
  result = ""

proc statusText*(status: Status): string =
  ## The sentence for a status: its cause and remedy.
  $abi.statusText(int32(status))

{.pop.}
