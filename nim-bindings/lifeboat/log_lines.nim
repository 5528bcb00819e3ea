# SPDX-License-Identifier: MIT OR Apache-2.0

## Lines of a log as breadcrumbs want them. What a line means is nobody's business here.

import ./words

{.push raises: [], gcsafe.}

func levelOf*(word: string): Level =
  ## By its first letter: TRACE, DBG, Info, notice, WRN, ERROR, FATAL; another is information.
  case (if word.len > 0: word[0] else: ' ')
  of 'T', 't', 'D', 'd': levelDebug
  of 'W', 'w': levelWarning
  of 'E', 'e': levelError
  of 'F', 'f', 'C', 'c': levelFatal
  else: levelInfo

func plain(line: string): string =
  ## Without escape sequences, line ends and runs of spaces.
  result = newStringOfCap(line.len)
  var inEscape = false
  for c in line:
    if inEscape:
      # A colour ends with its letter; the bracket only opens it.
      inEscape = c notin {'A' .. 'Z', 'a' .. 'z'}
    elif c == '\e':
      inEscape = true
    elif c notin {' ', '\t', '\r', '\n'}:
      result.add c
    elif result.len > 0 and result[^1] != ' ':
      result.add ' '
  if result.len > 0 and result[^1] == ' ':
    result.setLen(result.len - 1)

func word(text: string, start: int): int =
  ## Where the word that begins at `start` ends.
  result = start
  while result < text.len and text[result] != ' ':
    inc result

func holdsOnly(text: string, start, stop: int, letters: set[char]): bool =
  for i in start ..< stop:
    if text[i] notin letters:
      return false
  start < stop

func bare*(line: string): string =
  ## `ERR 2026-08-20 10:00:00.000+02:00 Unrecoverable error occurred   tid=7` without level, date and time.
  let text = plain(line)
  var start = 0
  if text.word(0) == 3 and text.holdsOnly(0, 3, {'A' .. 'Z'}) and text.len > 4:
    # Then a date and a time, or seconds since 1970, or neither.
    let date = text.word(4)
    let time = text.word(min(date + 1, text.len))
    let stop =
      if '-' in text[4 ..< date] and text.holdsOnly(4, date, {'0' .. '9', '-'}): time
      elif '.' in text[4 ..< date] and text.holdsOnly(4, date, {'0' .. '9', '.'}): date
      else: 3
    start = if stop + 1 < text.len: stop + 1 else: 4
  result = text[start ..< text.len]

{.pop.}
