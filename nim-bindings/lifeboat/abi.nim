# SPDX-License-Identifier: MIT OR Apache-2.0

## The C side as it is: the structs of `lifeboat_abi.h` and the functions of `shim.c`, which this module compiles and, in
## link mode, links. Everything nicer is `enabled.nim`'s.

import std/os

const here = currentSourcePath().parentDir

when defined(lifeboatLink):
  const lifeboatLib {.strdefine.} = ""
  # As delivered, dist/nim/lifeboat beside dist/lib; or in the repository, after scripts/build.
  const delivered = here / "../../lib/liblifeboat_reporter.a"
  const built = here / "../../dist/lib/liblifeboat_reporter.a"
  const archive =
    when lifeboatLib.len > 0: lifeboatLib
    elif fileExists(delivered): delivered
    else: built
  when not fileExists(archive):
    {.
      error:
        "liblifeboat_reporter.a is not at " & archive &
        ": say where it is with -d:lifeboatLib=/path/liblifeboat_reporter.a"
    .}
  const mode = "-DLIFEBOAT_LINK"
  {.passL: quoteShell(archive).}
else:
  const mode = "-DLIFEBOAT_LOAD"
  when defined(linux):
    # A libc of its own before glibc 2.34.
    {.passL: "-ldl".}

const ownTrace* = compileOption("stacktrace") or defined(nimStackTraceOverride)
  ## Nim keeps a trace of its own: no need to look at the native stack where something is raised.
const unwinds* = defined(linux) and not ownTrace
# Optimised in a debug build too: a node that counts a lot pays for it.
const flags = mode & " -O2" & (when unwinds: " -DLIFEBOAT_NIM_UNWIND" else: "")
const metricsHeader = "\"" & here / "metrics.h" & "\""

{.compile(here / "shim.c", flags).}

{.push raises: [], gcsafe.}

type
  Options* {.bycopy.} = object
    structSize*, flags*: uint32
    app*, version*, commit*, environment*, fleet*, node*, tags*: cstring
    dsn*, stateDir*, reporter*, monitor*: cstring
    captureTimeoutMs*, seriesMax*: uint32
    environ*: pointer

  Str* {.bycopy.} = object ## Borrowed for the call alone.
    data*: cstring
    length*: uint64

  Frame* {.bycopy.} = object
    function*, file*: Str
    line*, column*: uint32
    address*: uint64

  Frames* = ptr UncheckedArray[Frame]

  Text* {.bycopy.} = object ## A message that is put together from pieces.
    length*: csize_t
    bytes*: array[1016, char]

  Label* {.bycopy.} = object
    name*, value*: Str

  Metric* {.bycopy.} = object
    structSize*, kind*, slot*, labelsCount*: uint32
    labels*: ptr Label
    module*, name*, help*, unit*: cstring
    bounds*: ptr float64
    boundsCount*, reserved*: uint32

const
  optionOn* = 1'u32
  kindCounter* = 1'u32
  kindGauge* = 2'u32
  kindHistogram* = 3'u32
  kindInfo* = 4'u32

static:
  doAssert sizeof(pointer) != 8 or sizeof(Options) == 112, "lifeboat_options of ABI 1"
  doAssert sizeof(pointer) != 8 or sizeof(Frame) == 48, "lifeboat_frame of ABI 1"
  doAssert sizeof(pointer) != 8 or sizeof(Metric) == 72, "lifeboat_metric of ABI 1"

{.push cdecl, tags: [].}

proc start*(options: ptr Options): int32 {.importc: "lifeboat_nim_start".}
proc stop*(): int32 {.importc: "lifeboat_nim_stop".}
proc isOn*(): cint {.importc: "lifeboat_nim_is_on".}
proc isStarted*(): cint {.importc: "lifeboat_nim_is_started".}
proc threadAttach*(name: cstring): int32 {.importc: "lifeboat_nim_thread_attach".}
proc rearm*(): int32 {.importc: "lifeboat_nim_rearm".}
proc tag*(key, value: cstring): int32 {.importc: "lifeboat_nim_tag".}
proc context*(section, key, value: cstring): int32 {.importc: "lifeboat_nim_context".}
proc breadcrumb*(
  level: uint32, category, message: cstring
): int32 {.importc: "lifeboat_nim_breadcrumb".}

proc error*(
  level: uint32, kind, message: cstring, frames: Frames, framesCount: csize_t
): int32 {.importc: "lifeboat_nim_error".}

proc fatal*(
  kind, message: cstring, frames: Frames, framesCount: csize_t
): int32 {.importc: "lifeboat_nim_fatal".}

proc uncaught*(
  kind, message: cstring, frames: Frames, framesCount: csize_t
): int32 {.importc: "lifeboat_nim_uncaught".}

proc check*(
  name: cstring, passed: cint, severity: uint32, detail: cstring
): int32 {.importc: "lifeboat_nim_check".}

proc health*(
  component: cstring, state: cint, detail: cstring
): int32 {.importc: "lifeboat_nim_health".}

proc heartbeat*(
  name: cstring, deadlineMs: uint32
): int32 {.importc: "lifeboat_nim_heartbeat".}

proc statusText*(status: int32): cstring {.importc: "lifeboat_nim_status_text".}

proc metricsText*(
  buffer: pointer, size: csize_t
): csize_t {.importc: "lifeboat_nim_metrics_text".}

proc add*(text: ptr Text, piece: cstring) {.importc: "lifeboat_nim_text_add".}
proc addMessage*(
  text: ptr Text, message: cstring
) {.importc: "lifeboat_nim_text_add_message".}

proc setFrame*(
  frame: ptr Frame, function, file: cstring, line: cint, address: uint64
) {.importc: "lifeboat_nim_frame".}

when unwinds:
  proc findUnwinder*(
    raiseAssert, failedAssert: pointer
  ) {.importc: "lifeboat_nim_find_unwinder".}
  proc noteRaised*(exception: pointer) {.importc: "lifeboat_nim_note_raise".}
  proc raised*(
    exception: pointer, frames: Frames, max: csize_t
  ): csize_t {.importc: "lifeboat_nim_raised".}

# Handles of metrics are handed over as pointers: C has one struct for them, Nim one for each of its types.
{.push header: metricsHeader.}
proc isCounting*(): cint {.importc: "lifeboat_nim_is_counting".}
proc counterAdd*(counter: pointer, amount: uint64) {.importc: "lifeboat_nim_counter_add".}
proc counterAddSigned*(
  counter: pointer, amount: int64
) {.importc: "lifeboat_nim_counter_add_signed".}
proc gaugeSet*(gauge: pointer, value: float64) {.importc: "lifeboat_nim_gauge_set".}
proc gaugeAdd*(gauge: pointer, value: float64) {.importc: "lifeboat_nim_gauge_add".}
proc histogramObserve*(
  histogram: pointer, value: float64
) {.importc: "lifeboat_nim_observe".}
{.pop.}

proc counterAddFloat*(
  collector: pointer, amount: float64
) {.importc: "lifeboat_nim_counter_add_float".}

# With labels, and with values for the labels that the metric has, in their order.
type
  Labels* = ptr UncheckedArray[Label]
  Values* = ptr UncheckedArray[Str]

proc counterAddLabels*(
  metric: pointer, amount: uint64, labels: Labels, count: csize_t
) {.importc: "lifeboat_nim_counter_add_labels".}

proc counterAddValues*(
  metric: pointer, amount: uint64, values: Values, count: csize_t
) {.importc: "lifeboat_nim_counter_add_values".}

proc gaugeSetLabels*(
  metric: pointer, amount: float64, labels: Labels, count: csize_t
) {.importc: "lifeboat_nim_gauge_set_labels".}

proc gaugeSetValues*(
  metric: pointer, amount: float64, values: Values, count: csize_t
) {.importc: "lifeboat_nim_gauge_set_values".}

proc gaugeAddLabels*(
  metric: pointer, amount: float64, labels: Labels, count: csize_t
) {.importc: "lifeboat_nim_gauge_add_labels".}

proc gaugeAddValues*(
  metric: pointer, amount: float64, values: Values, count: csize_t
) {.importc: "lifeboat_nim_gauge_add_values".}

proc histogramObserveLabels*(
  metric: pointer, amount: float64, labels: Labels, count: csize_t
) {.importc: "lifeboat_nim_observe_labels".}

proc histogramObserveValues*(
  metric: pointer, amount: float64, values: Values, count: csize_t
) {.importc: "lifeboat_nim_observe_values".}

proc counterAddFloatValues*(
  metric: pointer, amount: float64, values: Values, count: csize_t
) {.importc: "lifeboat_nim_counter_add_float_values".}

proc get*(
  metric: pointer, labels: Labels, count: csize_t, outHandle: pointer
) {.importc: "lifeboat_nim_get".}

proc infoSet*(
  info: pointer, labels: Labels, count: csize_t
) {.importc: "lifeboat_nim_info_set".}

{.pop.}
{.pop.}
