"""Answers as a stranger sees them, with what may differ between any two requests taken out: what is left must be equal
to the byte."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

CANARY = "kanarie"
"""Part of everything that the victim wrote: names, texts, custom fields. No stranger may ever read it. Ids are without
it, since a stranger may use the same ones for things of its own."""

_OF_THE_REQUEST = {"x-request-id", "date", "content-length"}
_STANDING = re.compile(r"([rt])=\d+")
"""In a `RateLimit` header: what remains moves with every request. Which policies there are does not."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_REQUEST_ID = re.compile(r"req_[0-9a-z]{26}")


class Leak(AssertionError):
    """A stranger learned or changed something."""


@dataclass(frozen=True)
class Answer:
    """Status, headers and body, masked."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str

    def __str__(self) -> str:
        lines = [str(self.status), *(f"{name}: {value}" for name, value in self.headers), "", self.body]
        return "\n".join(f"    {line}" for line in lines)


def mask(text: str, sent: Mapping[str, str]) -> str:
    """A text without times and request ids, with what the request itself said by the name it has in `sent`."""
    for name, value in sorted(sent.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"<{name}>")
    return _REQUEST_ID.sub("<request>", _TIME.sub("<time>", text))


def masked(response: httpx.Response, sent: Mapping[str, str], *, varies: Iterable[str] = ()) -> Answer:
    """An HTTP response. `varies`: members of the JSON that are fresh each time, such as a new token."""
    headers = sorted(
        (name, _STANDING.sub(r"\1=<now>", value) if name == "ratelimit" else mask(value, sent))
        for name, value in response.headers.multi_items()
        if name not in _OF_THE_REQUEST
    )
    body = mask(response.text, sent)
    for name in varies:
        body = re.sub(rf'"{name}":("[^"]*"|\d+)', f'"{name}":<fresh>', body)
    return Answer(response.status_code, tuple(headers), body)


def same(what: str, theirs: Answer, nothing: Answer) -> None:
    """Raise `Leak` unless another tenant's thing looks as nothing does."""
    if theirs != nothing:
        raise Leak(f"{what}: another tenant's is told from nothing:\n{theirs}\n  and for nothing:\n{nothing}")


def no_canary(what: str, text: str) -> None:
    """Raise `Leak` when another tenant's content is in a text that the request's own words were taken out of."""
    if CANARY in text:
        at = text.index(CANARY)
        raise Leak(f"{what}: shows what is another tenant's: …{text[max(0, at - 100) : at + 100]}…")
