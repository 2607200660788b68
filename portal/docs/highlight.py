"""Code in colours: comments, strings and words of the language set apart. Nothing is added and nothing lost."""

import re
from typing import Final

from markupsafe import Markup, escape

_STRING: Final = r"""(?P<string>[frb]?"(?:\\.|[^"\\\n])*"|[frb]?'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)"""
_WORDS: Final = r"(?P<word>\b(?:async|await|const|else|from|function|if|import|new|return|throw)\b)"
_SCRIPT: Final = rf"(?P<comment>//[^\n]*)|{_STRING}|{_WORDS}"
_GRAMMARS: Final = {
    "mjs": re.compile(_SCRIPT),
    "html": re.compile(rf"(?P<tag></?[a-z][a-z0-9]*|<!doctype html>|(?<=[\"'a-z])>)|{_SCRIPT}"),
    "py": re.compile(
        rf"(?P<comment>#[^\n]*)|{_STRING}|(?P<word>\b(?:as|async|await|def|for|if|import|in|return|with)\b)"
    ),
    "sh": re.compile(rf"(?P<comment>^#[^\n]*)|{_STRING}|(?P<word>^(?:curl|node|npm|pip|python)\b)", re.MULTILINE),
    "json": re.compile(
        r'(?P<name>"(?:\\.|[^"\\])*")(?=\s*:)|(?P<string>"(?:\\.|[^"\\])*")|(?P<word>\b(?:true|false|null)\b)'
        r"|(?P<number>-?\d+(?:\.\d+)?)"
    ),
}


def highlight(code: str, language: str | None) -> Markup:
    """The code as HTML; a language that is not known stays plain."""
    grammar = _GRAMMARS.get(language or "")
    if grammar is None:
        return escape(code)
    parts: list[Markup] = []
    end = 0
    for found in grammar.finditer(code):
        parts.append(escape(code[end : found.start()]))
        parts.append(Markup('<span class="code-{}">{}</span>').format(found.lastgroup, found[0]))
        end = found.end()
    return Markup("").join([*parts, escape(code[end:])])
