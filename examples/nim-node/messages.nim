# SPDX-License-Identifier: MIT OR Apache-2.0

## The worker thread of the example nodes in Nim: it decodes each line, remembers what was seen, and says what shall become
## of it. The thread that speaks to the network is `gossip.nim`'s.

from lifeboat import nil
import std/[deques, hashes, sets, strutils, unicode]

const
  lineBytesMax* = 1024
  seenMax = 1024
  own* = -1 ## The sender of what this node says itself.

type
  Death* = enum
    dieNot = "none"
    dieNull = "null"
    dieMain = "main"
    dieExit = "exit"
    dieQuit = "quit"
    dieException = "exception"
    dieDefect = "defect"
    dieDefectThread = "defect-thread"

  Line* = object ## What a peer sent, or this node says.
    text*: string
    peer*: int

  Verdict* = object
    line*: Line
    id*: string
    isValid*, isNew*: bool

  Message = object
    id, text: string
    checksum: uint32

  Seen = object ## The last ids, oldest first.
    order: Deque[Hash]
    ids: HashSet[Hash]

var
  inbox*: Channel[Line]
  outbox*: Channel[Verdict]
  death*: Death ## How the next message ends the thread that handles it.

proc checksum(bytes: ptr UncheckedArray[byte], length: int): uint32 {.noinline.} =
  result = 2166136261'u32
  for i in 0 ..< length:
    result = (result xor bytes[i]) * 16777619'u32

proc partsOf(text: string): array[2, string] {.noinline.} =
  let parts = text.split(' ', maxsplit = 2)
  [parts[1], parts[2]] # The node's mistake, if nobody looked whether there are so many.

proc isWellFormed(text: string): bool =
  text.len <= lineBytesMax and text.startsWith("gossip ") and text.count(' ') >= 2 and
    not text.startsWith("gossip  ") and validateUtf8(text) == -1

proc decodeMessage(text: string): Message {.noinline.} =
  let parts = partsOf(if death in {dieDefect, dieDefectThread}: "gossip" else: text)
  let bytes =
    if death in {dieNull, dieMain}: nil
    else: cast[ptr UncheckedArray[byte]](unsafeAddr text[0])
  Message(id: parts[0], text: parts[1], checksum: checksum(bytes, text.len))

proc remember(seen: var Seen, id: string): bool =
  let id = hash(id)
  result = not seen.ids.containsOrIncl(id)
  if result:
    seen.order.addLast id
    if seen.order.len > seenMax:
      seen.ids.excl seen.order.popFirst

proc deliver(line: Line, seen: var Seen): Verdict {.noinline.} =
  result = Verdict(line: line, isValid: isWellFormed(line.text))
  if result.isValid:
    let message = decodeMessage(line.text)
    result.id = message.id
    result.isNew = seen.remember(message.id)

proc handleMessages*() {.thread.} =
  ## Until an empty line from this node itself says that it is over.
  lifeboat.threadAttach("messages")
  var seen: Seen
  while true:
    let line = inbox.recv
    if line.peer == own and line.text.len == 0:
      break
    outbox.send deliver(line, seen)

proc handleOneHere*() {.noinline.} =
  ## What the worker does, in the thread that calls.
  var seen: Seen
  discard deliver(Line(text: "gossip last one", peer: own), seen)
