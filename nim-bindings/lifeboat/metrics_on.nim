# SPDX-License-Identifier: MIT OR Apache-2.0

## Metrics in a build with `-d:sentry`: handles are plain memory of the module that declares them, and to count is a store
## that is inlined where it is called, in debug builds too. `metrics_off.nim` has the same for the public build.

import ./abi, ./handles

type
  Counter* = object ## Only grows: `inc`, `add`.
    metric: Metric

  Gauge* = object ## Goes up and down: `set`, `add`.
    metric: Metric

  Histogram* = object ## Counts observations by size: `observe`.
    metric: Metric

  Info* = object ## Says by its labels what is true of the node: `set`.
    metric: Metric

template newCounter(module, name, help, unit, labels: untyped): Counter =
  Counter(metric: newMetric(kindCounter, module, name, help, unit, static(@labels), @[]))

template newGauge(module, name, help, unit, labels: untyped): Gauge =
  Gauge(metric: newMetric(kindGauge, module, name, help, unit, static(@labels), @[]))

template newHistogram(module, name, help, unit, labels, bounds: untyped): Histogram =
  Histogram(
    metric: newMetric(
      kindHistogram, module, name, help, unit, static(@labels), static(@bounds)
    )
  )

template newInfo(module, name, help: untyped): Info =
  Info(metric: newMetric(kindInfo, module, name, help, "", @[], @[]))

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

template declareInfo*(identifier: untyped, module, name, help: static string) =
  ## Declares `identifier`, an info exposed as `<module>_<name>_info`; `set` gives it its labels.
  var identifier {.global.} = newInfo(module, name, help)

template declarePublicInfo*(identifier: untyped, module, name, help: static string) =
  ## As `declareInfo`, for other modules too.
  var identifier* = newInfo(module, name, help)

# Labels that come with the call stand in the place of the declared ones. They cost a hash and a look-up in what the thread
# remembers; a series' first use registers it. Their texts are made only while a reporter is at work.

template add*(counter: Counter, amount: SomeInteger) =
  ## Adds to a counter; a negative amount adds nothing.
  when amount is SomeUnsignedInt:
    counterAdd(unsafeAddr counter, uint64(amount))
  else:
    counterAddSigned(unsafeAddr counter, int64(amount))

template add*(counter: Counter, amount: SomeInteger, labels: untyped) =
  ## To the series with these labels: `messages.add(1, {"topic": topic})`.
  if isCounting() != 0:
    addToCounter(unsafeAddr counter, amount, labelArray(labels))

template inc*(counter: Counter, amount: SomeInteger = 1) =
  ## As `add`.
  counter.add(amount)

template set*(gauge: Gauge, value: SomeNumber) =
  ## Sets a gauge.
  gaugeSet(unsafeAddr gauge, float64(value))

template set*(gauge: Gauge, value: SomeNumber, labels: untyped) =
  if isCounting() != 0:
    setGauge(unsafeAddr gauge, value, labelArray(labels))

template add*(gauge: Gauge, amount: SomeNumber) =
  ## Adds to a gauge; `amount` may be negative.
  gaugeAdd(unsafeAddr gauge, float64(amount))

template add*(gauge: Gauge, amount: SomeNumber, labels: untyped) =
  if isCounting() != 0:
    addToGauge(unsafeAddr gauge, amount, labelArray(labels))

template inc*(gauge: Gauge, amount: SomeNumber = 1) =
  ## As `add`.
  gaugeAdd(unsafeAddr gauge, float64(amount))

template dec*(gauge: Gauge, amount: SomeNumber = 1) =
  ## As `add` of the negative.
  gaugeAdd(unsafeAddr gauge, -float64(amount))

template observe*(histogram: Histogram, value: SomeNumber) =
  ## Observes one value.
  histogramObserve(unsafeAddr histogram, float64(value))

template observe*(histogram: Histogram, value: SomeNumber, labels: untyped) =
  if isCounting() != 0:
    observeIn(unsafeAddr histogram, value, labelArray(labels))

template set*(info: Info, labels: untyped) =
  ## Sets an info's labels, in the place of those that it had; after `start` alone.
  if isCounting() != 0:
    setInfo(unsafeAddr info, labelArray(labels))

template get*(metric: Counter | Gauge | Histogram, labels: untyped): untyped =
  ## A handle of the series with these labels, for one that is used often: it costs what one without labels does. After
  ## `start` alone; before, and where there is no room, it counts nothing, ever.
  if isCounting() != 0:
    seriesOf(typeof(metric), unsafeAddr metric, labelArray(labels))
  else:
    nowhere(typeof(metric))
