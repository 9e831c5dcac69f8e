"""The page's server: of this machine, for this machine, and for its own page alone.

It listens on 127.0.0.1. Every address begins with a random token, so that neither other users nor
other pages can ask it for anything. A request must name the server's own host, which pages that
let their name point here (DNS rebinding) do not, and come from no other origin. The page may load
nothing from elsewhere.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from negmine import __version__
from negmine.errors import AudioError, InputError, NegmineError, OutputError
from negmine.notices import warn
from negmine.review.review_sound import SLOWER
from negmine.review.session import ReviewSession

HOST = "127.0.0.1"

_PAGES = {
    "": ("review.html", "text/html; charset=utf-8"),
    "review.css": ("review.css", "text/css; charset=utf-8"),
    "review.js": ("review.js", "text/javascript; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_MOST_BODY_BYTES = 1024
# A browser keeps connections open: an idle thread ends after this.
_IDLE_S = 120.0
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_NUMBERED = re.compile(r"(clip|picture|sound|call|call-picture)/(\d{1,9})")
_STATUS = {InputError: HTTPStatus.BAD_REQUEST, AudioError: HTTPStatus.UNPROCESSABLE_ENTITY}


class ReviewServer(ThreadingHTTPServer):
    """Serves one review until it is shut down.

    Parameters
    ----------
    port : int
        0 for any that is free.

    Raises
    ------
    OutputError
        If the port is taken.
    """

    daemon_threads = True

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        self.session, self.token = session, secrets.token_urlsafe(24)
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise OutputError(
                f"port {port} of {HOST} cannot be used: {error.strerror}; choose another --port"
            ) from error
        self.host = f"{HOST}:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/{self.token}/"

    def finish(self) -> None:
        """Stop serving, from a thread of a request."""
        threading.Thread(target=self.shutdown, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        # browsers drop sound that they do not need any more
        if not isinstance(error, OSError):
            warn(f"a request failed: {type(error).__name__}: {error}")


class _RefusedError(Exception):
    """A request that is answered by a status and one line."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = f"negmine/{__version__}", ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: what is asked for is the listener's."""

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def _answer(self, method: Callable[[str, dict[str, str]], None]) -> None:
        try:
            self._check_origin()
            path, _, rest = self.path.partition("?")
            query = {name: values[-1] for name, values in parse_qs(rest).items()}
            method(self._within(path), query)
        except _RefusedError as error:
            self._fail(error.status, str(error))
        except NegmineError as error:
            status = next((s for kind, s in _STATUS.items() if isinstance(error, kind)), None)
            self._fail(status or HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def _check_origin(self) -> None:
        """Refuse what another page sends, or sends under another name."""
        if self.headers.get_all("Host") != [self.server.host]:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "not this server's name")
        origin = self.headers.get("Origin")
        if origin is None and self.command == "POST":
            raise _RefusedError(HTTPStatus.FORBIDDEN, "no Origin")
        if origin not in (None, f"http://{self.server.host}"):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "another origin")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "another site")

    def _within(self, path: str) -> str:
        """Return what of a path is behind the token."""
        token, slash, place = path.removeprefix("/").partition("/")
        same = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not (path.startswith("/") and same and slash):
            raise _RefusedError(HTTPStatus.NOT_FOUND, "nothing here")
        return place

    def _get(self, place: str, query: dict[str, str]) -> None:
        if place in _PAGES:
            name, kind = _PAGES[place]
            content = files("negmine.review").joinpath("page", name).read_bytes()
            return self._send(content, kind)
        session = self.server.session
        if place == "state":
            return self._send_json(session.state())
        found = _NUMBERED.fullmatch(place)
        if not found:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "nothing here")
        what, number = found[1], int(found[2])
        if what == "clip":
            return self._send_json(session.show(number))
        clip = session.clip(number)
        if what == "picture":
            return self._send(session.sounds.picture(clip), "image/png")
        if what == "call-picture":
            return self._send(session.sounds.call_picture(clip), "image/png")
        if what == "call":
            return self._send(session.sounds.call_wav(clip), "audio/wav", ranges=True)
        slower = query.get("slower", "1")
        if slower not in map(str, SLOWER):
            raise InputError(f"slower={slower[:20]}: choose from {', '.join(map(str, SLOWER))}")
        sound = session.sounds.wav(
            clip,
            whole=query.get("whole") == "1",
            slower=int(slower),
            banded=query.get("banded") == "1",
        )
        self._send(sound, "audio/wav", ranges=True)

    def _post(self, place: str, query: dict[str, str]) -> None:
        body = self._body()
        session = self.server.session
        if place == "verdict":
            number, word = body.get("clip"), body.get("word")
            if type(number) is not int or type(word) is not str:
                raise InputError('expected {"clip": number, "word": text}')
            session.say(number, word)
            return self._send_json({"clip": number, "word": word, "outlook": session.news()})
        if place == "undo":
            return self._send_json({"clip": session.undo()})
        if place == "finish":
            self._send_json({})
            return self.server.finish()
        raise _RefusedError(HTTPStatus.NOT_FOUND, "nothing here")

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > _MOST_BODY_BYTES:
            self.close_connection = True
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no length, or too much")
        content = self.rfile.read(int(length))
        if self.headers.get_content_type() != "application/json":
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "expected JSON")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InputError("not readable as JSON") from error
        if not isinstance(body, dict):
            raise InputError("expected a JSON object")
        return body

    def _fail(self, status: HTTPStatus, why: str) -> None:
        if self.command == "POST":
            # its body may not have been read
            self.close_connection = True
        self._send_json({"error": why}, status)

    def _send_json(self, value: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        content = json.dumps(value, ensure_ascii=True).encode()
        self._send(content, "application/json", status)

    def _send(
        self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, *, ranges: bool = False
    ) -> None:
        """Send content, or of it the range of bytes that is asked for (RFC 9110, section 14)."""
        headers = {"Content-Type": kind}
        if ranges:
            headers["Accept-Ranges"] = "bytes"
            asked = _RANGE.fullmatch(self.headers.get("Range", ""))
            if asked and asked[0] != "bytes=-":
                total = len(content)
                first, last = _range(asked[1], asked[2], total)
                if first > last:
                    status, content = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b""
                    headers["Content-Range"] = f"bytes */{total}"
                else:
                    status, content = HTTPStatus.PARTIAL_CONTENT, content[first : last + 1]
                    headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _range(first: str, last: str, total: int) -> tuple[int, int]:
    """Return the first and last byte; the first is behind the last where there is none."""
    if not first:
        return (max(0, total - int(last)), total - 1) if int(last) else (1, 0)
    if last and int(last) < int(first):
        return 0, total - 1  # not a range: all of it
    return int(first), min(int(last) if last else total - 1, total - 1)
