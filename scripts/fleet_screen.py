"""What the fleet's demo and drill print: titles, moments, and what takes long with how long it has taken."""

import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

from fleet_lab import LabError, wait_until
from webhook import has_colour

LINE_LETTERS_MAX = 100
# Without a terminal, between two lines that say that something still lasts.
QUIET_SECONDS = 10


class Screen:
    """What is printed. What takes long says how long; on a terminal in one line that stays."""

    def __init__(self):
        self.is_terminal = sys.stdout.isatty()
        self.colour = has_colour(sys.stdout)
        self.said_at = 0.0

    def paint(self, code, text):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def title(self, text):
        self.line(f"\n{self.paint('1', f'── {text}')}\n")

    def command(self, text):
        self.line(self.paint("2", f"$ {text}"))

    def line(self, text=""):
        self.clear()
        print(text, flush=True)

    def indented(self, text, by=2):
        self.line(textwrap.indent(text.rstrip("\n"), " " * by))

    def clear(self):
        if self.is_terminal:
            print("\r\x1b[2K", end="")

    def progress(self, seconds, text):
        if self.is_terminal:
            print(f"\r\x1b[2K{self.paint('2', f'{seconds:5.1f} s  {text}'[:LINE_LETTERS_MAX])}", end="", flush=True)
        elif time.monotonic() - self.said_at >= QUIET_SECONDS:
            self.said_at = time.monotonic()
            print(f"{seconds:5.0f} s  {text}", flush=True)

    def during(self, what, function, *arguments):
        """What the function answers; shows how long it takes."""
        begin = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(function, *arguments)
            while not answer.done():
                self.progress(time.monotonic() - begin, what)
                time.sleep(0.2)
        self.clear()
        return answer.result()

    def wait(self, what, is_so, seconds):
        """Shows how long it takes; a sentence says what did not come."""
        begin = time.monotonic()

        def look():
            self.progress(time.monotonic() - begin, what)
            return is_so()

        if not wait_until(look, seconds, 0.2):
            raise LabError(f"in vain waited {seconds} s for this: {what}")
        self.clear()
        return time.monotonic() - begin
