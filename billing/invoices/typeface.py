"""Letters of every alphabet in a PDF: which font writes which part of a text.

What Western European letters can say is written in Helvetica, which every reader has, as invoices always were. Where a
document needs more, it is written in DejaVu Sans, of which the letters that it uses go into the file. Chinese, Japanese
and Korean are in fonts that readers bring along (Adobe's character collections); what none has is a question mark.
Right-to-left scripts are written letter by letter, not joined.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

_FOLDER: Final = Path(__file__).parent / "fonts"
Run = tuple[str, str]
"""A font's name and the part of a text that it writes."""


class Typeface:
    """A regular and a bold font for one document."""

    def __init__(self, texts: list[str]) -> None:
        whole = "".join(texts)
        self._wide = not _western(whole)
        # Han characters look different in the three; which language it is, other letters near them tell.
        self._east_asian = (
            "HeiseiKakuGo-W5" if any("\u3040" <= char <= "\u30ff" for char in whole)
            else "HYGothic-Medium" if any("\uac00" <= char <= "\ud7a3" for char in whole)
            else "STSong-Light"
        )  # fmt: skip

    def runs(self, text: str, *, bold: bool) -> list[Run]:
        """The text in parts, from left to right."""
        if not self._wide:
            return [("Helvetica-Bold" if bold else "Helvetica", text.encode("cp1252", "replace").decode("cp1252"))]
        name = "DejaVuSans-Bold" if bold else "DejaVuSans"
        runs: list[Run] = []
        for char in text:
            font, shown = (name, char) if _has(name, char) else self._other(name, char)
            if runs and runs[-1][0] == font:
                runs[-1] = (font, runs[-1][1] + shown)
            else:
                runs.append((font, shown))
        return runs

    def _other(self, name: str, char: str) -> Run:
        if not _is_east_asian(char):
            return name, "?"
        _register_cid(self._east_asian)
        return self._east_asian, char


def width(runs: list[Run], size: float) -> float:
    """In points."""
    total: float = sum(pdfmetrics.stringWidth(text, font, size) for font, text in runs)
    return total


def _western(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def _is_east_asian(char: str) -> bool:
    """Kana, Hangul, Han and their punctuation, in the plane that the fonts' encodings reach."""
    code = ord(char)
    return (
        0x3000 <= code <= 0x30FF
        or 0x3130 <= code <= 0x318F
        or 0x3400 <= code <= 0x9FFF
        or 0xAC00 <= code <= 0xD7A3
        or 0xF900 <= code <= 0xFAFF
        or 0xFF00 <= code <= 0xFFEF
    )


def _has(name: str, char: str) -> bool:
    return ord(char) in _true_type(name).face.charToGlyph


@cache
def _true_type(name: str) -> Any:
    font = TTFont(name, _FOLDER / f"{name}.ttf")
    pdfmetrics.registerFont(font)
    return font


@cache
def _register_cid(name: str) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(name))
