# SPDX-License-Identifier: MIT OR Apache-2.0

## The words of nim-metrics in a build with `-d:sentry`; see `metrics_compat.nim`. To count is a store that is inlined where
## it is called; with label values it is a hash and a store, and takes no memory. Reading is `compat_read.nim`'s.

import std/[macros, monotimes, times]
import ./abi, ./handles

const
  defaultHistogramBuckets* = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, Inf
  ]
  boundsMax = 32
  labelsMax = 32

type
  Collector* {.inheritable, pure.} = object ## Plain memory of the module that declares it; any thread may use it.
    metric: Metric
    fraction: uint64

  SimpleCollector* = object of Collector
  Counter* = object of SimpleCollector
  Gauge* = object of SimpleCollector
  Summary* = object of SimpleCollector
  Histogram* = object of SimpleCollector

  IgnoredCollector* = object ## No metric is ignored here; for code that names the type.

  Registry* = object ## There is one: which one a declaration names makes no difference.

const defaultRegistry* = Registry()

func newRegistry*(): Registry =
  Registry()

# Names, labels and buckets are looked at by the compiler, where nim-metrics raises when the program starts.

func isName(name: string): bool {.compileTime.} =
  result = name.len > 0 and name[0] notin {'0' .. '9'}
  for c in name:
    result = result and c in {'a' .. 'z', 'A' .. 'Z', '0' .. '9', '_'}

func bounds(buckets: seq[float64]): seq[float64] {.compileTime.} =
  ## Without those that every histogram has, or that nothing falls into.
  for bucket in buckets:
    if bucket != Inf and bucket != -Inf:
      result.add bucket

func areBounds(bounds: seq[float64]): bool {.compileTime.} =
  result = bounds.len in 1 .. boundsMax
  for i in 1 ..< bounds.len:
    result = result and bounds[i - 1] < bounds[i]

func areLabels(labels: seq[string]): bool {.compileTime.} =
  result = labels.len <= labelsMax
  for i, label in labels:
    let isReserved =
      label in ["le", "quantile"] or label.len > 1 and label[0 .. 1] == "__"
    result = result and isName(label) and not isReserved and label notin labels[0 ..< i]

func named(labels: seq[string]): seq[(string, string)] {.compileTime.} =
  ## With the values that come later.
  for label in labels:
    result.add (label, "")

{.push raises: [], gcsafe, stackTrace: off, lineTrace: off, checks: off, profiler: off.}

func nameOf*(collector: Collector): string =
  $collector.metric.name

func kindOf*(collector: Collector): uint32 =
  collector.metric.kind

proc newCollectorOf[T](
    collector: typedesc[T],
    name, help: static string,
    labels: static seq[string],
    buckets: static seq[float64],
): T =
  ## What the declarations below make. Texts, labels and bounds are constants of the program.
  const
    finite = bounds(buckets)
    kind =
      when T is Counter: kindCounter
      elif T is Gauge: kindGauge
      else: kindHistogram
  when not isName(name):
    {.error: "not a name of a metric: letters, digits and underscores, no digit first: " & name.}
  when not areLabels(labels):
    {.error: "not labels of a metric: " & name.}
  when T is Histogram and not areBounds(finite):
    {.error: "not the buckets of a histogram: at most 32, ascending: " & name.}
  result = T(metric: newMetric(kind, "", name, help, "", named(labels), finite))

type ValueArray = object
  count: int
  values: array[labelsMax, Str]

func valuesOf(texts: openArray[string]): ValueArray =
  result.count = texts.len
  for i in 0 ..< min(texts.len, labelsMax):
    result.values[i] = textAt(texts[i])

{.pop.}

template withTexts(
    call: untyped, collector: pointer, amount: SomeNumber, texts: openArray[string]
) =
  ## Label values that are there already.
  block:
    let values = valuesOf(texts)
    if values.count <= values.values.len:
      call(collector, amount, toOpenArray(values.values, 0, values.count - 1))

macro withValues(call, collector, amount, labelValues: untyped): untyped =
  ## Where label values are written down at the call, `[topic, "in"]`, their texts are handed over where they lie; an array
  ## of strings would copy each.
  var list = labelValues
  if list.kind == nnkPrefix and list.len == 2 and list[0].eqIdent("@"):
    list = list[1]
  if list.kind == nnkBracket and list.len in 1 .. labelsMax:
    var values = newTree(nnkBracket)
    for value in list:
      values.add newCall(bindSym"textAt", value)
    newCall(call, collector, amount, values)
  else:
    newCall(bindSym"withTexts", call, collector, amount, labelValues)

# `registry`, `sampleRate` and `timestamp` are taken and make no difference.

func nameOr(name, identifier: static string): string {.compileTime.} =
  if name.len > 0: name else: identifier

template declareCounter*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    sampleRate: float = 1.0,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier {.global.} =
    newCollectorOf(Counter, nameOr(name, astToStr(identifier)), help, static(@labels), static(@[0.0]))

template declarePublicCounter*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    sampleRate: float = 1.0,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier* =
    newCollectorOf(Counter, nameOr(name, astToStr(identifier)), help, static(@labels), static(@[0.0]))

template declareGauge*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier {.global.} =
    newCollectorOf(Gauge, nameOr(name, astToStr(identifier)), help, static(@labels), static(@[0.0]))

template declarePublicGauge*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier* =
    newCollectorOf(Gauge, nameOr(name, astToStr(identifier)), help, static(@labels), static(@[0.0]))

template declareSummary*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier {.global.} =
    newCollectorOf(Summary, nameOr(name, astToStr(identifier)), help, static(@labels), static(@[0.0]))

template declarePublicSummary*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier* =
    newCollectorOf(Summary, nameOr(name, astToStr(identifier)), help, static(@labels), static(@[0.0]))

template declareHistogram*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    buckets: openArray[float64] = defaultHistogramBuckets,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier {.global.} =
    newCollectorOf(Histogram, nameOr(name, astToStr(identifier)), help, static(@labels), static(@buckets))

template declarePublicHistogram*(
    identifier: untyped,
    help: static string,
    labels: openArray[string] = [],
    registry: Registry = defaultRegistry,
    buckets: openArray[float64] = defaultHistogramBuckets,
    name: static string = "",
    timestamp: bool = false,
) =
  var identifier* =
    newCollectorOf(Histogram, nameOr(name, astToStr(identifier)), help, static(@labels), static(@buckets))

# The words without a declaration: one metric for each name that is written down.

proc global[T](collector: typedesc[T], name: static string): ptr T =
  const buckets = when T is Histogram: @defaultHistogramBuckets else: @[0.0]
  var it {.global.} = newCollectorOf(T, name, "", newSeq[string](), buckets)
  addr it

template counter*(name: static string): Counter =
  global(Counter, name)[]

template gauge*(name: static string): Gauge =
  global(Gauge, name)[]

template summary*(name: static string): Summary =
  global(Summary, name)[]

template histogram*(name: static string): Histogram =
  global(Histogram, name)[]

template inc*(counter: Counter, amount: SomeNumber = 1) =
  when amount is SomeFloat:
    counterAddFloat(unsafeAddr counter, float64(amount))
  elif amount is SomeUnsignedInt:
    counterAdd(unsafeAddr counter, uint64(amount))
  else:
    counterAddSigned(unsafeAddr counter, int64(amount))

template inc*(counter: Counter, amount: SomeNumber = 1, labelValues: untyped) =
  if isCounting() != 0:
    withValues(addToCounter, unsafeAddr counter, amount, labelValues)

template countExceptions*(counter: Counter, typ: typedesc, body: untyped) =
  try:
    body
  except typ as error:
    counter.inc()
    raise error

template countExceptions*(
    counter: Counter, typ: typedesc, labelValues: openArray[string], body: untyped
) =
  try:
    body
  except typ as error:
    counter.inc(1, labelValues)
    raise error

template countExceptions*(counter: Counter, labelValues: openArray[string], body: untyped) =
  countExceptions(counter, Exception, labelValues, body)

template countExceptions*(counter: Counter, body: untyped) =
  countExceptions(counter, Exception, body)

template inc*(gauge: Gauge, amount: SomeNumber = 1) =
  gaugeAdd(unsafeAddr gauge, float64(amount))

template inc*(gauge: Gauge, amount: SomeNumber = 1, labelValues: untyped) =
  if isCounting() != 0:
    withValues(addToGauge, unsafeAddr gauge, amount, labelValues)

template dec*(gauge: Gauge, amount: SomeNumber = 1) =
  gaugeAdd(unsafeAddr gauge, -float64(amount))

template dec*(gauge: Gauge, amount: SomeNumber = 1, labelValues: untyped) =
  if isCounting() != 0:
    withValues(addToGauge, unsafeAddr gauge, -float64(amount), labelValues)

template set*(gauge: Gauge, value: SomeNumber, doUpdateSystemMetrics = true) =
  gaugeSet(unsafeAddr gauge, float64(value))

template set*(gauge: Gauge, value: SomeNumber, labelValues: untyped, doUpdateSystemMetrics = true) =
  if isCounting() != 0:
    withValues(setGauge, unsafeAddr gauge, value, labelValues)

proc unixNow(): int64 =
  getTime().toUnix()

template setToCurrentTime*(gauge: Gauge) =
  gauge.set(unixNow())

template setToCurrentTime*(gauge: Gauge, labelValues: untyped) =
  gauge.set(unixNow(), labelValues)

template trackInProgress*(gauge: Gauge, body: untyped) =
  gauge.inc()
  try:
    body
  finally:
    gauge.dec()

template trackInProgress*(gauge: Gauge, labelValues: openArray[string], body: untyped) =
  gauge.inc(1, labelValues)
  try:
    body
  finally:
    gauge.dec(1, labelValues)

template observe*(collector: Summary | Histogram, amount: SomeNumber = 1) =
  histogramObserve(unsafeAddr collector, float64(amount))

template observe*(collector: Summary | Histogram, amount: SomeNumber = 1, labelValues: untyped) =
  if isCounting() != 0:
    withValues(observeIn, unsafeAddr collector, amount, labelValues)

proc tick(): int64 =
  getMonoTime().ticks

proc secondsSince(start: int64): float64 =
  float64(tick() - start) / 1e9

template time*(collector: Gauge | Summary | Histogram, body: untyped) =
  ## In seconds, with their fraction: nim-metrics counts whole ones.
  let start = tick()
  body
  when collector is Gauge:
    collector.set(secondsSince(start))
  else:
    collector.observe(secondsSince(start))

template time*(collector: Gauge | Summary | Histogram, labelValues: openArray[string], body: untyped) =
  let start = tick()
  body
  when collector is Gauge:
    collector.set(secondsSince(start), labelValues)
  else:
    collector.observe(secondsSince(start), labelValues)

# What nim-metrics tells of the runtime. What it tells of the process, the monitor knows by itself.

declareGauge nim_gc_mem_bytes,
  "the number of bytes that are owned by a thread's GC", ["thread_id"]
declareGauge nim_gc_mem_occupied_bytes,
  "the number of bytes that are owned by a thread's GC and hold data", ["thread_id"]

proc updateThreadMetrics*() {.raises: [], gcsafe.} =
  ## Of the calling thread; from its loop. Nothing else calls it.
  if isStarted() != 0:
    # Without threads there is one, and Nim 1.6 has no number for it.
    let id = when compileOption("threads"): $getThreadId() else: "0"
    when declared(getTotalMem):
      nim_gc_mem_bytes.set(getTotalMem(), labelValues = [id])
    when declared(getOccupiedMem):
      nim_gc_mem_occupied_bytes.set(getOccupiedMem(), labelValues = [id])

proc updateSystemMetrics*() {.raises: [], gcsafe.} =
  updateThreadMetrics()

proc getSystemMetricsAutomaticUpdate*(): bool =
  false

proc setSystemMetricsAutomaticUpdate*(value: bool) =
  discard

proc getSystemMetricsUpdateInterval*(): Duration =
  initDuration(seconds = 10)

proc setSystemMetricsUpdateInterval*(value: Duration) =
  discard
