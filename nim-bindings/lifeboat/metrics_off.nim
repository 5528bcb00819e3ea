# SPDX-License-Identifier: MIT OR Apache-2.0

## Metrics in the public build: nothing. A declared metric is the name of a type, so that no variable is left, and no
## amount is evaluated. `metrics_on.nim` has the same for a build with `-d:sentry`.

type
  Counter* = object
  Gauge* = object
  Histogram* = object
  Info* = object

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

template add*(counter: typedesc[Counter], amount: SomeInteger) =
  discard

template add*(counter: typedesc[Counter], amount: SomeInteger, labels: openArray[(string, string)]) =
  discard

template inc*(counter: typedesc[Counter], amount: SomeInteger = 1) =
  discard

template set*(gauge: typedesc[Gauge], value: SomeNumber) =
  discard

template set*(gauge: typedesc[Gauge], value: SomeNumber, labels: openArray[(string, string)]) =
  discard

template add*(gauge: typedesc[Gauge], amount: SomeNumber) =
  discard

template add*(gauge: typedesc[Gauge], amount: SomeNumber, labels: openArray[(string, string)]) =
  discard

template inc*(gauge: typedesc[Gauge], amount: SomeNumber = 1) =
  discard

template dec*(gauge: typedesc[Gauge], amount: SomeNumber = 1) =
  discard

template observe*(histogram: typedesc[Histogram], value: SomeNumber) =
  discard

template observe*(histogram: typedesc[Histogram], value: SomeNumber, labels: openArray[(string, string)]) =
  discard

template set*(info: typedesc[Info], labels: openArray[(string, string)]) =
  discard
