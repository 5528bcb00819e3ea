# SPDX-License-Identifier: MIT OR Apache-2.0

## Lifeboat for nodes in Nim: tells why a node died.
##
## ============================= =====================================================================================
## `-d:sentry`                   The reporter is loaded at run time, from `LIFEBOAT_REPORTER=/absolute/path`.
## `-d:sentry -d:lifeboatLink`   It is linked in, and turned on by `LIFEBOAT=on`. The archive is looked for where it is
##                               delivered; `-d:lifeboatLib=/path/liblifeboat_reporter.a` names another.
## neither                       The public build: every call compiles to nothing, no argument is evaluated.
## `-d:sentryRequired`           Warn where this module is compiled without `-d:sentry`.
## ============================= =====================================================================================
##
## Several names here are common words. Import the module so that it names itself:
##
## .. code-block:: nim
##   from lifeboat import nil
##
##   lifeboat.start(app = "demo-node", version = "1.4.2")
##   lifeboat.tag("role", "store")
##   lifeboat.breadcrumb(lifeboat.levelInfo, "peer", "connected")
##
## Metrics are declared where a module begins, before `start` or after; they have no variable in the public build:
##
## .. code-block:: nim
##   from lifeboat import inc, set, observe
##
##   lifeboat.declareCounter messages, "gossip", "messages", "Messages received."
##
##   messages.inc()
##   messages.add(1, {"topic": topic})
##
## Arguments, but for those of `start` and the amounts of metrics, are evaluated only while a reporter is at work: put no
## effect into them. No call raises, ends the process or blocks the node; an answered `Status` may be ignored. In the public
## build it is `statusDisabled`, `isOn` is false, `statusText` and `metricsText` are empty.
##
## Exceptions and Defects that nobody catches become reports by themselves once `start` has answered, in every thread of
## this Nim runtime. A Nim library has a runtime of its own: call `start` in it too.

import ./lifeboat/words
export words

when defined(sentry):
  import ./lifeboat/enabled
  export enabled
else:
  import ./lifeboat/disabled
  export disabled

  when defined(sentryRequired):
    {.
      warning:
        "-d:sentryRequired is set, but -d:sentry did not arrive: " &
        "this build carries no Lifeboat"
    .}
