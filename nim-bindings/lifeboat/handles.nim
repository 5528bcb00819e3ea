# SPDX-License-Identifier: MIT OR Apache-2.0

## What metrics are made of: handles in plain memory, which any thread may use, and label texts that are handed over where
## they lie. `metrics_on.nim` and `compat_on.nim` give them their words.

import std/macros
import ./abi

{.push raises: [], gcsafe, stackTrace: off, lineTrace: off, checks: off, profiler: off.}

func textAt*(text: string): Str {.inline.} =
  ## A text where it lies, for the call that it is made in.
  Str(
    data: (if text.len > 0: cast[cstring](unsafeAddr text[0]) else: nil),
    length: uint64(text.len),
  )

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

func pointerOf*(values: openArray[Str]): Values {.inline.} =
  if values.len > 0: cast[Values](unsafeAddr values[0]) else: nil

func pointerOf*(labels: openArray[Label]): Labels {.inline.} =
  if labels.len > 0: cast[Labels](unsafeAddr labels[0]) else: nil

const refused = high(uint32)

func nowhere*[T](handle: typedesc[T]): T =
  ## A handle that counts nothing, ever.
  result = T()
  cast[ptr Metric](addr result).slot = refused

proc seriesOf*[T](handle: typedesc[T], metric: pointer, labels: openArray[Label]): T =
  abi.get(metric, pointerOf(labels), csize_t(labels.len), addr result)

proc setInfo*(info: pointer, labels: openArray[Label]) {.inline.} =
  infoSet(info, pointerOf(labels), csize_t(labels.len))

proc addToCounter*[T: Label | Str](
    metric: pointer, amount: SomeNumber, labels: openArray[T]
) {.inline.} =
  ## A negative amount adds nothing.
  when amount is SomeFloat:
    counterAddFloatValues(metric, float64(amount), pointerOf(labels), csize_t(labels.len))
  else:
    if amount < 0:
      return
    when T is Label:
      counterAddLabels(metric, uint64(amount), pointerOf(labels), csize_t(labels.len))
    else:
      counterAddValues(metric, uint64(amount), pointerOf(labels), csize_t(labels.len))

proc setGauge*[T: Label | Str](
    metric: pointer, value: SomeNumber, labels: openArray[T]
) {.inline.} =
  when T is Label:
    gaugeSetLabels(metric, float64(value), pointerOf(labels), csize_t(labels.len))
  else:
    gaugeSetValues(metric, float64(value), pointerOf(labels), csize_t(labels.len))

proc addToGauge*[T: Label | Str](
    metric: pointer, amount: SomeNumber, labels: openArray[T]
) {.inline.} =
  when T is Label:
    gaugeAddLabels(metric, float64(amount), pointerOf(labels), csize_t(labels.len))
  else:
    gaugeAddValues(metric, float64(amount), pointerOf(labels), csize_t(labels.len))

proc observeIn*[T: Label | Str](
    metric: pointer, value: SomeNumber, labels: openArray[T]
) {.inline.} =
  when T is Label:
    histogramObserveLabels(metric, float64(value), pointerOf(labels), csize_t(labels.len))
  else:
    histogramObserveValues(metric, float64(value), pointerOf(labels), csize_t(labels.len))

{.pop.}

macro labelArray*(labels: untyped): untyped =
  ## `{"topic": topic}` as an array of labels; an array of strings would copy each text.
  if labels.kind != nnkTableConstr or labels.len == 0:
    error("labels are written down at the call: {\"topic\": topic}", labels)
  result = newTree(nnkBracket)
  for label in labels:
    result.add newTree(
      nnkObjConstr,
      bindSym"Label",
      newColonExpr(ident"name", newCall(bindSym"textAt", label[0])),
      newColonExpr(ident"value", newCall(bindSym"textAt", label[1])),
    )
