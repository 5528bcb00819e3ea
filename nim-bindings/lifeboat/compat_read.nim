# SPDX-License-Identifier: MIT OR Apache-2.0

## nim-metrics' words for reading values back, in a build with `-d:sentry`: each renders all metrics of the process and looks
## for the ones that it wants. For tests and for a line in a log now and then.

import std/[strutils, times]
import ./compat_on
from ./abi import kindCounter, kindGauge
from ./enabled import metricsText

{.push raises: [], gcsafe.}

type MetricHandler* = proc(
  name: string,
  value: float64,
  labels: openArray[string] = [],
  labelValues: openArray[string] = [],
  timestamp: Time,
) {.gcsafe, raises: [].}

type Sample = object
  name: string
  labels, values: seq[string]
  value: float64

proc readValue(line: string, at: var int): string =
  ## A label's value, from behind its quote to behind the next.
  while at < line.len and line[at] != '"':
    if line[at] == '\\' and at + 1 < line.len:
      inc at
      result.add(if line[at] == 'n': '\n' else: line[at])
    else:
      result.add line[at]
    inc at
  inc at

proc readSample(line: string): Sample =
  ## `name{label="value",…} number`; a number that is none is 0.
  var at = 0
  while at < line.len and line[at] notin {'{', ' '}:
    inc at
  result.name = line[0 ..< at]
  if at < line.len and line[at] == '{':
    inc at
    while at < line.len and line[at] != '}':
      let begin = at
      while at < line.len and line[at] != '=':
        inc at
      result.labels.add line[begin ..< min(at, line.len)].strip(chars = {',', ' '})
      at += 2
      result.values.add readValue(line, at)
    inc at
  let rest = if at < line.len: line[at .. ^1].splitWhitespace() else: @[]
  try:
    result.value = if rest.len > 0: parseFloat(rest[0]) else: 0.0
  except ValueError:
    discard

proc isOf(sample: Sample, family: string): bool =
  for suffix in ["", "_total", "_sum", "_count", "_bucket"]:
    result = result or sample.name == family & suffix

iterator samples(family: string): Sample =
  for line in metricsText().splitLines():
    if line.startsWith(family):
      let sample = readSample(line)
      if sample.isOf(family):
        yield sample

proc name*(collector: Collector): string =
  nameOf(collector)

proc collect*(collector: Collector, output: MetricHandler) =
  ## Hands over every sample of a metric.
  for sample in samples(nameOf(collector)):
    output(sample.name, sample.value, sample.labels, sample.values, Time())

proc valueByName*(
    collector: Collector,
    metricName: string,
    labelValues: openArray[string] = [],
    extraLabelValues: openArray[string] = [],
): float64 =
  ## The sample of this name and these label values; 0 where there is none, which nim-metrics raises for.
  for sample in samples(nameOf(collector)):
    if sample.name == metricName and sample.values == @labelValues & @extraLabelValues:
      return sample.value

proc value*(collector: Collector, labelValues: openArray[string] = []): float64 =
  ## A counter's total, a gauge's value, the sum of what others observed.
  let suffix =
    case kindOf(collector)
    of kindCounter: "_total"
    of kindGauge: ""
    else: "_sum"
  valueByName(collector, nameOf(collector) & suffix, labelValues)

proc toText*(registry: Registry): string =
  metricsText()

proc `$`*(registry: Registry): string =
  metricsText()

proc toText*(collector: Collector): string =
  ## Its help, its type and its samples.
  for line in metricsText().splitLines():
    let words = line.split(' ')
    let isHead = words.len > 2 and words[0] == "#" and words[2] == nameOf(collector)
    if isHead or readSample(line).isOf(nameOf(collector)):
      result.add line & "\n"

# One for each: the system's own for any object would be nearer than one for their common base.

proc `$`*(counter: Counter): string =
  toText(counter)

proc `$`*(gauge: Gauge): string =
  toText(gauge)

proc `$`*(summary: Summary): string =
  toText(summary)

proc `$`*(histogram: Histogram): string =
  toText(histogram)

{.pop.}
