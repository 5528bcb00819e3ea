# SPDX-License-Identifier: MIT OR Apache-2.0

## Metrics in the public build: nothing. A declared metric is the name of a type, so that no variable is left, and no
## amount is evaluated. `metrics_on.nim` has the same for a build with `-d:sentry`.

type
  # No objects: the compiler would clear even an empty one that `get` answers.
  Counter* = distinct bool
  Gauge* = distinct bool
  Histogram* = distinct bool
  Info* = distinct bool

template declareCounter*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  type identifier {.used.} = Counter

template declarePublicCounter*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  type identifier* {.used.} = Counter

template declareGauge*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  type identifier {.used.} = Gauge

template declarePublicGauge*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
) =
  type identifier* {.used.} = Gauge

template declareHistogram*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
    bounds: openArray[float64] = [],
) =
  type identifier {.used.} = Histogram

template declarePublicHistogram*(
    identifier: untyped,
    module, name, help: static string,
    unit: static string = "",
    labels: openArray[(string, string)] = [],
    bounds: openArray[float64] = [],
) =
  type identifier* {.used.} = Histogram

template declareInfo*(identifier: untyped, module, name, help: static string) =
  type identifier {.used.} = Info

template declarePublicInfo*(identifier: untyped, module, name, help: static string) =
  type identifier* {.used.} = Info

template add*(counter: Counter | typedesc[Counter], amount: SomeInteger) =
  discard

template add*(counter: Counter | typedesc[Counter], amount: SomeInteger, labels: openArray[(string, string)]) =
  discard

template inc*(counter: Counter | typedesc[Counter], amount: SomeInteger = 1) =
  discard

template set*(gauge: Gauge | typedesc[Gauge], value: SomeNumber) =
  discard

template set*(gauge: Gauge | typedesc[Gauge], value: SomeNumber, labels: openArray[(string, string)]) =
  discard

template add*(gauge: Gauge | typedesc[Gauge], amount: SomeNumber) =
  discard

template add*(gauge: Gauge | typedesc[Gauge], amount: SomeNumber, labels: openArray[(string, string)]) =
  discard

template inc*(gauge: Gauge | typedesc[Gauge], amount: SomeNumber = 1) =
  discard

template dec*(gauge: Gauge | typedesc[Gauge], amount: SomeNumber = 1) =
  discard

template observe*(histogram: Histogram | typedesc[Histogram], value: SomeNumber) =
  discard

template observe*(histogram: Histogram | typedesc[Histogram], value: SomeNumber, labels: openArray[(string, string)]) =
  discard

template set*(info: typedesc[Info], labels: openArray[(string, string)]) =
  discard

template get*(
    metric: typedesc[Counter], labels: openArray[(string, string)]
): Counter =
  Counter(false)

template get*(metric: typedesc[Gauge], labels: openArray[(string, string)]): Gauge =
  Gauge(false)

template get*(
    metric: typedesc[Histogram], labels: openArray[(string, string)]
): Histogram =
  Histogram(false)
