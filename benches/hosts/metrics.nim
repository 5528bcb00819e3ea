# SPDX-License-Identifier: MIT OR Apache-2.0

## What a node in Nim pays for counting, as `metrics.c` tells it of a node in C; the debug build of it is what fleets run.
##
##     metrics SERIES THREADS ROUNDS OPERATION...
##
## Says what `start` answered, then for each operation its name and the nanoseconds that one took: the least of all turns
## and the median. `compat_` is the same in nim-metrics' words.

from lifeboat import inc, add, set, observe
import lifeboat/metrics_compat
import std/[algorithm, math, os, posix, random, strutils]

const
  turns = 21
  threadsMax = 64
  valuesCount = 32768

lifeboat.declareCounter messages, "bench", "messages", "Messages."
lifeboat.declareCounter topics, "bench", "topics", "Messages of a topic.",
  labels = {"topic": "/waku/2/rs/1/4", "kind": "relay"}
lifeboat.declareCounter late, "bench", "late", "Messages of a late topic."
lifeboat.declareGauge peers, "bench", "peers", "Peers."
lifeboat.declareHistogram delay, "bench", "delay", "Delay.", "seconds"

declareCounter countedOld, "Messages."
declareCounter lateOld, "Messages of a late topic.", ["topic", "kind"]
declareGauge peersOld, "Peers."
declareHistogram delayOld, "Delay."

type
  Operation = enum
    nothing = "nothing"
    counter = "counter"
    labelled = "labelled"
    lateLabels = "late"
    gaugeSet = "gauge_set"
    gaugeAdd = "gauge_add"
    histogram = "histogram"
    compatCounter = "compat_counter"
    compatLate = "compat_late"
    compatGauge = "compat_gauge_set"
    compatHistogram = "compat_histogram"

  Work = object
    operation: Operation
    rounds: int
    took: array[turns, float]

var
  # From 50 us to 100 s, every order of magnitude alike: one value alone would be foreseen.
  values: array[valuesCount, float]
  work: array[threadsMax, Work]

template loop(rounds: int, body: untyped) =
  var i {.inject.} = 0
  while i < rounds:
    body
    # The compiler must not make one addition of many.
    {.emit: "__asm__ volatile(\"\" ::: \"memory\");".}
    inc i

proc run(operation: Operation, rounds: int) =
  let topic {.noinit, used.} = "/waku/2/rs/1/4"
  case operation
  of nothing:
    loop(rounds):
      discard
  of counter:
    loop(rounds):
      messages.inc()
  of labelled:
    loop(rounds):
      topics.inc()
  of lateLabels:
    loop(rounds):
      late.add(1, {"topic": topic, "kind": "relay"})
  of gaugeSet:
    loop(rounds):
      peers.set(48)
  of gaugeAdd:
    loop(rounds):
      peers.add(1)
  of histogram:
    loop(rounds):
      delay.observe(values[i and (valuesCount - 1)])
  of compatCounter:
    loop(rounds):
      countedOld.inc()
  of compatLate:
    loop(rounds):
      lateOld.inc(labelValues = [topic, "relay"])
  of compatGauge:
    loop(rounds):
      peersOld.set(48)
  of compatHistogram:
    loop(rounds):
      delayOld.observe(values[i and (valuesCount - 1)])

proc cpuNs(): float =
  ## The thread's own processor time: others run on this machine too.
  var now: Timespec
  discard clock_gettime(CLOCK_THREAD_CPUTIME_ID, now)
  float(now.tv_sec.int64) * 1e9 + float(now.tv_nsec)

proc measureInThread(index: int) {.thread.} =
  let (operation, rounds) = (work[index].operation, work[index].rounds)
  run(operation, 1000)
  for turn in 0 ..< turns:
    let before = cpuNs()
    run(operation, rounds)
    work[index].took[turn] = cpuNs() - before

proc measure(operation: Operation, threads, rounds: int) =
  var ids: array[threadsMax, Thread[int]]
  for i in 0 ..< threads:
    work[i] = Work(operation: operation, rounds: rounds)
    ids[i].createThread(measureInThread, i)
  var all: seq[float]
  for i in 0 ..< threads:
    ids[i].joinThread()
    all.add work[i].took
  all.sort()
  let (least, median) = (all[0] / float(rounds), all[all.len div 2] / float(rounds))
  echo operation, " ", formatFloat(least, ffDecimal, 3), " ", formatFloat(median, ffDecimal, 3)
  stdout.flushFile()

proc main() =
  if paramCount() < 4:
    quit("usage: metrics SERIES THREADS ROUNDS OPERATION...", 2)
  randomize(7)
  for value in values.mitems:
    value = exp(ln(50e-6) + rand(ln(100.0) - ln(50e-6)))
  echo "start ", int32(lifeboat.start(app = "bench")), " 0"
  stdout.flushFile()
  for i in 0 ..< parseInt(paramStr(1)):
    late.add(i, {"topic": $i})
  for i in 4 .. paramCount():
    measure(parseEnum[Operation](paramStr(i)), min(parseInt(paramStr(2)), threadsMax), parseInt(paramStr(3)))
  echo "rest 0 0"
  stdout.flushFile()
  # It ends as its input does.
  discard stdin.readAll()

main()
