"""Forms: what a browser sends, as a frozen struct, and what a page shows of it again.

class RenameForm(Form, frozen=True, kw_only=True):
    organization: Annotated[str, Field("Name", blank="Enter a name.")] = ""

form = await read_form(request, RenameForm)
try:
    form.check()
    await rename(form.data.organization)
except NatterError as error:
    return page(request, "organizations/settings.html", form=form.fail(error))
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from litestar import Request

from kernel.errors import InvalidInput, NatterError, NotFound, UnsupportedMediaType
from portal.http.csrf import CONFIRMING, FIELD

MAX_FORM_BYTES: Final = 65_536
_MOST_FIELDS: Final = 100
_NAMED: Final = re.compile(r"^`(\w+)` ")


@dataclass(frozen=True, slots=True)
class Field:
    """What a form calls a field, and what it says when nothing was typed; without `blank` it may be left empty."""

    label: str
    blank: str | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The base of forms. Every field is a `str` with an empty default, or a `list[str]`."""


F = TypeVar("F", bound=Form)


class ConfirmForm(Form, frozen=True, kw_only=True):
    """The question who it is: one of the two is enough."""

    confirm_password: Annotated[str, Field("Password")] = ""
    confirm_code: Annotated[str, Field("Code")] = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class FormView:
    """A form as a template shows it: what was typed, what is wrong where, and what is wrong with all of it."""

    values: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    alert: str | None = None
    status: int = 200
    retry_after: float | None = None

    @property
    def failed(self) -> bool:
        """Something is wrong with it."""
        return bool(self.errors or self.alert)

    def value(self, name: str, otherwise: str = "") -> Any:
        """What stands in a field."""
        return self.values.get(name, otherwise)

    def error(self, name: str) -> str | None:
        """What is wrong with a field."""
        return self.errors.get(name)


class BlankFields(InvalidInput):
    """Fields that must not be empty are."""

    def __init__(self, blank: dict[str, str]) -> None:
        super().__init__("Fill in the fields that are marked.")
        self.blank = blank


@dataclass(frozen=True, slots=True)
class Submitted(Generic[F]):
    """A form that was sent."""

    data: F

    def check(self) -> None:
        """Raises `BlankFields` when one that needs it was left empty."""
        labels = _fields(type(self.data))
        blank = {
            name: about.blank
            for name, about in labels.items()
            if about.blank is not None and not getattr(self.data, name).strip()
        }
        if blank:
            raise BlankFields(blank)

    def fail(self, error: NatterError) -> FormView:
        """The form again, with the error beside its field or above all. What is not there is no matter of a form."""
        if isinstance(error, NotFound):
            raise error
        values = msgspec.structs.asdict(self.data)
        if isinstance(error, BlankFields):
            return FormView(values, error.blank, status=422)
        labels = _fields(type(self.data))
        # A 401 would have to ask for a credential in the header.
        status = 422 if error.status == 401 else error.status
        message = error.message if error.message.endswith((".", "?")) else f"{error.message}."
        name = error.data.get("field")
        if isinstance(name, str) and name in labels:
            text = _NAMED.sub(lambda _: f"{labels[name].label} ", message)
            return FormView(values, {name: text}, status=status, retry_after=error.retry_after)
        return FormView(values, alert=message, status=status, retry_after=error.retry_after)


async def read_form(request: Request[Any, Any, Any], kind: type[F]) -> Submitted[F]:
    """Decode what was sent. Raises `InvalidInput` for what no page of ours sends."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send this form as application/x-www-form-urlencoded.")
    try:
        text = (await request.body()).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:  # The decoding errors are ValueErrors, too many fields are one.
        raise InvalidInput("The form holds bytes that are no text.") from None
    known = _fields(kind)
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name == FIELD or (name in CONFIRMING and name not in known):
            continue
        if name not in known:
            raise InvalidInput("The form holds a field that this page does not have.")
        if "\x00" in name or "\x00" in value:
            raise InvalidInput("The form holds a NUL character, which no text can store.")
        # Browsers send line ends as CRLF, whatever was typed.
        value = value.replace("\r\n", "\n")
        if _is_list(kind, name):
            values.setdefault(name, []).append(value)
        elif name in values:
            raise InvalidInput("The form holds a field twice.")
        else:
            values[name] = value
    return Submitted(kind(**values))


def _is_list(kind: type[Form], name: str) -> bool:
    hint = get_type_hints(kind)[name]
    return get_origin(hint) is list


@cache
def _fields(kind: type[Form]) -> dict[str, Field]:
    """The fields of a form by name."""
    found: dict[str, Field] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        found[name] = next(
            (note for note in notes if isinstance(note, Field)), Field(name.replace("_", " ").capitalize())
        )
    return found
