# SPDX-License-Identifier: MIT OR Apache-2.0

## The Nim node as a shared library for a host in C: its own runtime, a thread that speaks to the network, another that
## handles messages. The host knows nothing of Lifeboat.
##
## .. code-block:: sh
##   make -C examples/nim-library     # libgossip.so and gossip-host, in examples/nim-library/build
##
## `host.c` has the calls in C. `gossipNimMain` must come first, once.

from lifeboat import nil
import std/strutils
import "../nim-node/gossip"

type Status = enum
  done
  refused

var network: Thread[Settings]

proc runNetwork(settings: Settings) {.thread.} =
  lifeboat.threadAttach("network")
  {.cast(gcsafe).}:
    runNode(settings)

proc gossip_start(arguments: cstring): cint {.exportc, cdecl, dynlib, raises: [].} =
  ## Begins a node; `arguments` are those of `nim-node`, one a line. They stay the caller's.
  try:
    let settings = readArguments(splitLines($arguments))
    # A library has a runtime of its own, and so a hook for exceptions of its own. Its NimMain has just taken the signal
    # handlers of the process.
    lifeboat.start(app = "nim-library", version = "1.4.2")
    network.createThread(runNetwork, settings)
    cint(ord(done))
  except Exception: # Nothing may pass into C.
    cint(ord(refused))

proc gossip_stop() {.exportc, cdecl, dynlib, raises: [].} =
  ## Ends the node and waits for it.
  stopNode()
  joinThread(network)
  lifeboat.stop()
