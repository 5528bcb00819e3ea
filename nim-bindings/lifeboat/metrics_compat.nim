# SPDX-License-Identifier: MIT OR Apache-2.0

## nim-metrics' own words on Lifeboat's metrics: `import lifeboat/metrics_compat` stands for `import metrics`.
##
## =================== ==================================================================================================
## with `-d:sentry`    Metrics are counted in Lifeboat's shared memory and served by its monitor; `-d:metrics` is not asked.
## without             This module is nim-metrics itself, whatever `-d:metrics` makes of it.
## =================== ==================================================================================================
##
## What is the same, what is not and what is left out is told in docs/metrics.md.

when defined(sentry):
  import ./compat_on, ./compat_read
  export compat_on except nameOf, kindOf
  export compat_read
elif (compiles do: import pkg/metrics):
  import pkg/metrics
  export metrics
else:
  {.error: "without -d:sentry this module is nim-metrics, which cannot be imported: nimble install metrics".}
