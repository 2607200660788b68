"""What people of a seeded tenant are called and what they write. All of it is made up, see `words.toml`."""

import tomllib
from pathlib import Path
from random import Random
from typing import Final

_WORDS: Final[dict[str, list[str]]] = tomllib.loads(Path(__file__).with_name("words.toml").read_text())
TITLES: Final = _WORDS["titles"]
EMOJI: Final = _WORDS["emoji"]
_SUBJECTS, _SHORT, _OPENINGS, _SENTENCES = (_WORDS[key] for key in ("subjects", "short", "openings", "sentences"))


def person(dice: Random) -> str:
    """A name."""
    return f"{dice.choice(_WORDS['first_names'])} {dice.choice(_WORDS['last_names'])}"


def room(place: int) -> str:
    """The name of the `place`-th channel of a tenant: no two are alike."""
    all_rooms = len(_WORDS["teams"]) * len(_WORDS["matters"])
    if place % 6 == 5 and place // 6 < len(_WORDS["places"]):
        return _WORDS["places"][place // 6]
    again, within = place // all_rooms, place * 7 % all_rooms
    matter, team = divmod(within, len(_WORDS["teams"]))
    return f"{_WORDS['teams'][team]} {_WORDS['matters'][matter]}" + (f" {again + 1}" if again else "")


def said(dice: Random) -> str:
    """A message: one word to a few paragraphs, mostly short."""
    luck = dice.random()
    if luck < 0.34:
        return dice.choice(_SHORT)
    first = dice.choice(_OPENINGS).format(dice.choice(_SUBJECTS))
    if luck < 0.62:
        return first
    more = [dice.choice(_SENTENCES).format(dice.choice(_SUBJECTS)) for _ in range(1 if luck < 0.88 else 3)]
    text = " ".join((first, *more))
    if luck < 0.99:
        return text
    paragraphs = [" ".join(dice.choice(_SENTENCES).format(dice.choice(_SUBJECTS)) for _ in range(5)) for _ in range(3)]
    return "\n\n".join((text, *paragraphs))
