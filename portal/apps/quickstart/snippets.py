"""The code on the quickstart page: files of `snippets/` with the app's address and keys filled in.

A test takes them from the page and runs them, so what is printed works.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from markupsafe import Markup

from portal.docs.highlight import highlight

_FOLDER: Final = Path(__file__).parent / "snippets"
SECRET_PLACEHOLDER: Final = "sk_…"  # noqa: S105 - stands where a key belongs that is not known any more
PUBLISHABLE_PLACEHOLDER: Final = "pk_…"
"""Stands where a publishable key belongs, for who may not see keys."""


@dataclass(frozen=True, slots=True)
class Step:
    """A file to save, or commands to run when `name` is `None`. `title` says which."""

    title: str
    name: str | None
    language: str
    code: str

    @property
    def html(self) -> Markup:
        """The code in colours."""
        return highlight(self.code, self.language)


@dataclass(frozen=True, slots=True)
class Guide:
    """A language's way to the first message, step by step, and what one sees at the end."""

    id: str
    name: str
    steps: tuple[Step, ...]
    outcome: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is filled in. `secret_key` is known only right after it was made."""

    url: str
    publishable_key: str
    secret_key: str | None


def guides(credentials: Credentials) -> list[Guide]:
    """The guides, filled in."""
    return [
        Guide(
            "javascript",
            "JavaScript",
            (
                _file("javascript", "server.mjs", "Your server", credentials),
                _file("javascript", "index.html", "Your web app", credentials),
                _run("javascript", "Run it (Node.js 18 or newer)", credentials),
            ),
            "Open both addresses that it prints, side by side, and write in one of them.",
        ),
        Guide(
            "python",
            "Python",
            (
                _file("python", "server.py", "Your server", credentials),
                _file("python", "chat.py", "Your users' app", credentials),
                _run("python", "Run it (Python 3.8 or newer)", credentials),
            ),
            "It prints what each of the two sees.",
        ),
        Guide(
            "curl",
            "curl",
            (_run("curl", "Paste it into a terminal", credentials),),
            "The last answer holds the message.",
        ),
    ]


def _file(guide: str, name: str, title: str, credentials: Credentials) -> Step:
    return Step(title, name, name.rpartition(".")[2], _filled(guide, name, credentials))


def _run(guide: str, title: str, credentials: Credentials) -> Step:
    return Step(title, None, "sh", _filled(guide, "run.sh", credentials))


def _filled(guide: str, name: str, credentials: Credentials) -> str:
    values = {
        "{{url}}": credentials.url,
        "{{publishable_key}}": credentials.publishable_key,
        "{{secret_key}}": credentials.secret_key or SECRET_PLACEHOLDER,
    }
    code = _read(guide, name)
    for place, value in values.items():
        code = code.replace(place, value)
    return code


@cache
def _read(guide: str, name: str) -> str:
    return (_FOLDER / guide / f"{name}.txt").read_text()
