# SPDX-License-Identifier: MIT OR Apache-2.0

## Exceptions that nobody caught: a hook of this Nim runtime that hands type, message and frames over as last words. Nim
## calls it for every unhandled exception and Defect, in each of its threads, before it prints and ends the process.
##
## Nothing in a hook takes memory of Nim's or raises: the heap may be what is broken. Two things are not in our hands: in a
## library that was loaded later, a thread's first touch of its thread-local values may call malloc, as any touch of
## Nim's own may; and to walk the stack takes the loader's lock, with musl and glibc before 2.35. Nor does a hook call
## any procedure of Nim's but the system module's: with exceptions made of gotos the error flag is still up, and behind
## each such call the compiler asks for it and leaves. Therefore the templates, and the work that is done in C.

import ./abi

const
  framesMax = 96
  parentsMax = 4
  reraised = -10 ## How Nim marks where the frames of a later raise begin.

{.push raises: [], gcsafe, stackTrace: off, lineTrace: off, checks: off, profiler: off.}

template kind(e: ref Exception): cstring =
  (if e.name == nil: cstring"Exception" else: e.name)

template describe(text: ptr Text, e: ref Exception) =
  ## Its message and those of the exceptions that it was made of.
  text.length = 0
  text.bytes[0] = '\0'
  text.addMessage(cstring(e.msg))
  var parent {.cursor.} = e.parent
  for _ in 1 .. parentsMax:
    if parent == nil:
      break
    text.add(if text.length == 0: cstring"caused by " else: cstring"; caused by ")
    text.add(kind(parent))
    text.add(cstring": ")
    text.addMessage(cstring(parent.msg))
    parent = parent.parent

template address(entry: ptr StackTraceEntry): uint64 =
  when defined(nimStackTraceOverride):
    uint64(entry.programCounter)
  else:
    0'u64

template fill(frames: Frames, count: var csize_t, e: ref Exception) =
  ## Nim's own frames: it keeps them outermost first, and those of a later raise behind them.
  template entries(): untyped =
    getStackTraceEntries(e)

  var last = 0
  when ownTrace:
    while last < entries.len and entries[last].line > reraised:
      inc last
  else:
    # The places where it was raised, one after the other: the first is where it began.
    last = min(entries.len, 1)
  while last > 0 and count < framesMax:
    dec last
    let entry = unsafeAddr entries[last]
    setFrame(
      addr frames[count], entry.procname, entry.filename, cint(entry.line), address(entry)
    )
    inc count

template isUnwound(e: ref Exception): bool =
  ## Whether the native stack no longer holds the raise. Else it tells more than the one frame that Nim knows without
  ## traces: an exception that nobody can catch ends the process where it is raised.
  when compileOption("exceptions", "goto"):
    # To compare with the current exception would count references.
    not (defined(nimPanics) and e of Defect)
  else:
    getCurrentException() == e

template fillUncaught(frames: Frames, count: var csize_t, e: ref Exception) =
  when unwinds:
    # Only a Defect's stack was noted; another exception may lie where a Defect lay that is gone.
    if e of Defect:
      count = raised(cast[pointer](e), frames, framesMax)
    if count == 0 and isUnwound(e):
      fill(frames, count, e)
  else:
    fill(frames, count, e)

var previousUncaught: typeof(unhandledExceptionHook)
var isTelling {.threadvar.}: bool

proc noteUncaught(
    e: ref Exception
) {.nimcall, exportc: "lifeboat_nim_on_uncaught", tags: [].} =
  if isTelling:
    # A hook before ours calls ours again: this one has been told of.
    return
  isTelling = true
  if e != nil and isStarted() != 0:
    var text {.noinit.}: Text
    var space {.noinit.}: array[framesMax, Frame]
    var count: csize_t = 0
    let frames = cast[Frames](addr space)
    describe(addr text, e)
    fillUncaught(frames, count, e)
    discard uncaught(kind(e), cast[cstring](addr text.bytes), frames, count)
  if previousUncaught != nil:
    previousUncaught(e)
  isTelling = false

when unwinds:
  var previousRaise: typeof(globalRaiseHook)

  proc noteRaise(
      e: ref Exception
  ): bool {.nimcall, exportc: "lifeboat_nim_on_raise", raises: [Exception].} =
    ## Without traces of Nim's own the stack is looked at where a Defect is raised: by the time that it is known to be
    ## uncaught, it may be unwound. A Defect is rare and hardly ever caught; others may be the ordinary course.
    if e of Defect:
      noteRaised(cast[pointer](e))
    result = previousRaise == nil or previousRaise(e)

var isHooked: bool

proc hookExceptions*() =
  ## Puts the hooks before whichever are there; once, for the node may have put its own before them since, which calls ours.
  template hook(variable, previous, own: untyped) =
    # By a cast: how the type of a hook is written changed between Nim's versions.
    previous = variable
    variable = cast[typeof(variable)](own)

  if isHooked:
    return
  isHooked = true
  hook(unhandledExceptionHook, previousUncaught, noteUncaught)
  when unwinds:
    findUnwinder()
    hook(globalRaiseHook, previousRaise, noteRaise)

proc reportCaught*(level: uint32, e: ref Exception): int32 =
  ## A handled error, with the frames that Nim knows.
  var text {.noinit.}: Text
  var space {.noinit.}: array[framesMax, Frame]
  var count: csize_t = 0
  let frames = cast[Frames](addr space)
  describe(addr text, e)
  fill(frames, count, e)
  error(level, kind(e), cast[cstring](addr text.bytes), frames, count)

{.pop.}
