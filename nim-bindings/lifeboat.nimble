# SPDX-License-Identifier: MIT OR Apache-2.0
# The Nim binding of Lifeboat. What it compiles to is chosen by -d:sentry; see lifeboat.nim.

import std/os

version = "0.1.0"
author = "The Lifeboat authors"
description = "Crash reporting for fleets of peer-to-peer nodes"
license = "MIT or Apache-2.0"
installFiles = @["lifeboat.nim"]
installDirs = @["lifeboat"]

requires "nim >= 1.6.0"

# The C headers lie beside the package in the repository, and in it once it is installed.
before install:
  if dirExists("../include") and not dirExists("lifeboat/include"):
    cpDir("../include", "lifeboat/include")
