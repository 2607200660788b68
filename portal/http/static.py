"""Static files under an address that names their content, so that browsers keep them for ever.

One hash stands for the whole folder: scripts and styles may name their neighbours by relative paths. `natter.css` is
the folder `css/` in the order of its file names.
"""

import gzip
import mimetypes
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from kernel.errors import NotFound

FOLDER: Final = Path(__file__).parent.parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}
_TEXT: Final = frozenset({"text/javascript", "text/css", "image/svg+xml", "text/plain"})


@dataclass(slots=True)
class File:
    """A file in memory."""

    content: bytes
    media_type: str
    _small: bytes | None = field(default=None, repr=False)

    def compressed(self) -> bytes | None:
        """gzip, made when it is first asked for; `None` for what does not get smaller."""
        if self.media_type not in _TEXT or len(self.content) < 500:
            return None
        if self._small is None:
            self._small = gzip.compress(self.content, 9, mtime=0)
        return self._small


class StaticFiles:
    """The folder as it was when first asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @cached_property
    def files(self) -> dict[str, File]:
        """Every file by its path."""
        found = {
            path.relative_to(self._folder).as_posix(): path.read_bytes()
            for path in sorted(self._folder.rglob("*"))
            if path.is_file()
        }
        css = [name for name in found if name.startswith("css/")]
        found["natter.css"] = b"\n".join(found.pop(name) for name in css)
        return {name: File(content, _media_type(name)) for name, content in found.items()}

    @cached_property
    def digest(self) -> str:
        """Changes with any of the files."""
        whole = sha256()
        for name, file in sorted(self.files.items()):
            whole.update(f"{name}\x00{len(file.content)}\x00".encode() + file.content)
        return whole.hexdigest()[:16]

    def url(self, name: str) -> str:
        """The address of a file. Raises `KeyError` for one that is not there."""
        _ = self.files[name]
        return f"/static/{self.digest}/{name}"

    def route(self) -> HTTPRouteHandler:
        """What serves them."""

        @get("/static/{digest:str}/{path:path}", sync_to_thread=False)
        def static_file(
            request: Request[Any, Any, Any], digest: FromPath[str], path: FromPath[Path]
        ) -> Response[bytes]:
            file = self.files.get(path.as_posix().lstrip("/"))
            if file is None:
                raise NotFound()
            # A page from before an update asks under the old address: better the new file than none, but not for long.
            headers = {"cache-control": _FOR_EVER if digest == self.digest else "no-cache", "vary": "accept-encoding"}
            content, small = file.content, file.compressed()
            if small is not None and "gzip" in request.headers.get("accept-encoding", ""):
                content, headers["content-encoding"] = small, "gzip"
            return Response(content, media_type=file.media_type, headers=headers)

        return static_file


STATIC: Final = StaticFiles()
"""What the portal serves; one for the process, because templates that are compiled hold its addresses."""


def _media_type(name: str) -> str:
    suffix = Path(name).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
