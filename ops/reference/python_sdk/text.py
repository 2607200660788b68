"""Docstrings and names in generated Python."""

import re
import textwrap

WIDTH = 120
HEADER = '"""{title}\n\nGenerated from the API\'s description by `make reference`. Do not edit.\n"""\n'


def docstring(text: str, indent: int) -> str:
    """The text as a docstring at this many spaces, wrapped."""
    text = text.replace("\\", "\\\\").replace('"""', "'''").strip()
    pad = " " * indent
    if "\n" not in text and len(text) + indent + 6 <= WIDTH:
        return f'{pad}"""{text}"""\n'
    paragraphs = [re.sub(r"\s+", " ", part) for part in re.split(r"\n\s*\n", text)]
    wrapped = [
        textwrap.fill(part, WIDTH - indent, break_long_words=False, break_on_hyphens=False) for part in paragraphs
    ]
    first = textwrap.fill(paragraphs[0], WIDTH - indent - 3, break_long_words=False, break_on_hyphens=False)
    body = "\n\n".join([first, *wrapped[1:]])
    lines = [f"{pad}{line}" if line else "" for line in body.split("\n")]
    lines[0] = pad + '"""' + lines[0].removeprefix(pad)
    if len(lines) == 1 and len(lines[0]) + 3 <= WIDTH:
        return f'{lines[0]}"""\n'
    return "\n".join([*lines, pad + '"""']) + "\n"


def camel(code: str) -> str:
    """`message_id_taken` as a class: `MessageIdTaken`."""
    return "".join(part.capitalize() for part in code.split("_"))


def constant(name: str) -> str:
    """`sendMessage` as a constant: `SEND_MESSAGE`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).upper()


def lower(text: str) -> str:
    """The text in the middle of a sentence."""
    return text[0].lower() + text[1:]
