# SPDX-License-Identifier: MIT OR Apache-2.0

## Metrics in a build with `-d:sentry`: handles are plain memory of the module that declares them, and to count is a store
## that is inlined where it is called, in debug builds too. `metrics_off.nim` has the same for the public build.

import ./abi

export abi.counterAdd, abi.counterAddSigned, abi.gaugeSet, abi.gaugeAdd, abi.histogramObserve

{.push raises: [], gcsafe, stackTrace: off, lineTrace: off, checks: off, profiler: off.}

type
  Counter* = object ## Only grows: `inc`, `add`.
    metric: Metric

  Gauge* = object ## Goes up and down: `set`, `add`.
    metric: Metric

  Histogram* = object ## Counts observations by size: `observe`.
    metric: Metric

func literal(text: string): Str =
  Str(data: cstring(text), length: uint64(text.len))

proc newMetric*(
    kind: uint32,
    module, name, help, unit: static string,
    labels: static seq[(string, string)],
    bounds: static seq[float64],
): Metric =
  ## Texts, labels and bounds are constants of the program: they outlive the handle.
  const all = labels
  result = Metric(
    structSize: uint32(sizeof(Metric)),
    kind: kind,
    module: cstring(module),
    name: cstring(name),
    help: cstring(help),
    unit: cstring(unit),
  )
  when labels.len > 0:
    var space {.global.}: array[labels.len, Label]
    for i in 0 ..< labels.len:
      space[i] = Label(name: literal(all[i][0]), value: literal(all[i][1]))
    result.labels = addr space[0]
    result.labelsCount = uint32(labels.len)
  when bounds.len > 0:
    var numbers {.global.}: array[bounds.len, float64]
    for i in 0 ..< bounds.len:
      numbers[i] = bounds[i]
    result.bounds = addr numbers[0]
    result.boundsCount = uint32(bounds.len)

template newCounter*(module, name, help, unit, labels: untyped): Counter =
  Counter(metric: newMetric(kindCounter, module, name, help, unit, static(@labels), @[]))

template newGauge*(module, name, help, unit, labels: untyped): Gauge =
  Gauge(metric: newMetric(kindGauge, module, name, help, unit, static(@labels), @[]))

template newHistogram*(module, name, help, unit, labels, bounds: untyped): Histogram =
  Histogram(
    metric: newMetric(
      kindHistogram, module, name, help, unit, static(@labels), static(@bounds)
    )
  )

{.pop.}

template declareCounter*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  ## Declares `identifier`, a counter exposed as `<module>_<name>[_<unit>]_total`, with these labels. Before `start` or
  ## after; what is counted before is not kept.
  var identifier {.global.} = newCounter(module, name, help, unit, labels)

template declarePublicCounter*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  ## As `declareCounter`, for other modules too.
  var identifier* = newCounter(module, name, help, unit, labels)

template declareGauge*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  ## Declares `identifier`, a gauge exposed as `<module>_<name>[_<unit>]`.
  var identifier {.global.} = newGauge(module, name, help, unit, labels)

template declarePublicGauge*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  ## As `declareGauge`, for other modules too.
  var identifier* = newGauge(module, name, help, unit, labels)

template declareHistogram*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
    bounds: openArray[float64] = [],
) =
  ## Declares `identifier`, a histogram with these upper bounds, ascending; without any: from 100 us to 50 s, in seconds.
  var identifier {.global.} = newHistogram(module, name, help, unit, labels, bounds)

template declarePublicHistogram*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
    bounds: openArray[float64] = [],
) =
  ## As `declareHistogram`, for other modules too.
  var identifier* = newHistogram(module, name, help, unit, labels, bounds)

template add*(counter: Counter, amount: SomeInteger) =
  ## Adds to a counter; a negative amount adds nothing.
  when amount is SomeUnsignedInt:
    counterAdd(unsafeAddr counter, uint64(amount))
  else:
    counterAddSigned(unsafeAddr counter, int64(amount))

template inc*(counter: Counter, amount: SomeInteger = 1) =
  ## As `add`.
  counter.add(amount)

template set*(gauge: Gauge, value: SomeNumber) =
  ## Sets a gauge.
  gaugeSet(unsafeAddr gauge, float64(value))

template add*(gauge: Gauge, amount: SomeNumber) =
  ## Adds to a gauge; `amount` may be negative.
  gaugeAdd(unsafeAddr gauge, float64(amount))

template inc*(gauge: Gauge, amount: SomeNumber = 1) =
  ## As `add`.
  gaugeAdd(unsafeAddr gauge, float64(amount))

template dec*(gauge: Gauge, amount: SomeNumber = 1) =
  ## As `add` of the negative.
  gaugeAdd(unsafeAddr gauge, -float64(amount))

template observe*(histogram: Histogram, value: SomeNumber) =
  ## Observes one value.
  histogramObserve(unsafeAddr histogram, float64(value))
