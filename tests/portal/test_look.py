"""The stylesheet keeps its promises: contrast AA in both themes, and every colour from the tokens."""

import re
from itertools import product

import pytest

from portal.http.static import FOLDER

CSS = {path.relative_to(FOLDER).as_posix(): path.read_text() for path in sorted(FOLDER.rglob("*.css"))}
TOKENS = CSS["css/10-tokens.css"]
_COLOUR = re.compile(r"--([a-z-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));")

TEXT_ON = {
    "text": ("page", "surface", "raised", "sunken", "hover", "accent-soft", "good-soft", "warning-soft", "danger-soft"),
    "muted": ("page", "surface", "raised", "sunken", "hover", "accent-soft"),
    "accent": ("page", "surface", "raised", "sunken", "accent-soft"),
    "on-accent": ("accent-fill", "accent-fill-hover", "danger-fill", "danger-fill-hover"),
    "good": ("page", "surface", "good-soft"),
    "warning": ("page", "surface", "warning-soft"),
    "danger": ("page", "surface", "danger-soft"),
}
EDGE_ON = {
    "line-control": ("page", "surface"),
    "focus": ("page", "surface", "raised", "sunken"),
    "danger": ("surface",),
}


def themes(css: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours of the light and of the dark theme by name."""
    light, dark = {}, {}
    for name, in_light, in_dark, in_both in _COLOUR.findall(css):
        light[name], dark[name] = in_light or in_both, in_dark or in_both
    return light, dark


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, "contrast ratio"."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def too_faint(css: str) -> list[str]:
    """Pairs of tokens that cannot be read, or edges that cannot be seen."""
    found = []
    for name, colours in zip(("light", "dark"), themes(css), strict=True):
        for pairs, least in ((TEXT_ON, 4.5), (EDGE_ON, 3.0)):
            for front, backs in pairs.items():
                for back in backs:
                    ratio = contrast(colours[front], colours[back])
                    if ratio < least:
                        found.append(f"{name}: {front} on {back} has {ratio:.2f}, not {least}")
    return found


def test_everything_can_be_read_in_both_themes() -> None:
    assert too_faint(TOKENS) == []


def test_a_faint_colour_is_found() -> None:
    faint = re.sub(r"--muted: light-dark\(#\w{6}", "--muted: light-dark(#9a9aa6", TOKENS)
    assert "light: muted on surface has 2.78, not 4.5" in too_faint(faint)


@pytest.mark.parametrize("name", [name for name in CSS if name != "css/10-tokens.css"])
def test_styles_use_tokens_that_there_are(name: str) -> None:
    known = set(re.findall(r"(--[a-z-]+):", TOKENS + CSS[name]))
    assert set(re.findall(r"var\((--[a-z-]+)", CSS[name])) <= known


def test_sizes_of_type_come_from_the_scale() -> None:
    for (name, css), declaration in product(CSS.items(), ("font-size",)):
        for value in re.findall(rf"{declaration}: ([^;]+);", css):
            scale = ("var(--small)", "var(--base)", "var(--lead)", "var(--title)", "var(--display)", "inherit")
            assert value in (*scale, "13px", "14px", "16px", "20px", "28px", "1em"), f"{name}: {value}"
