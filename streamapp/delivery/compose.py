"""The e-mail about a job that ended: what it says and how it is put together.

The structure, for a report with a plot (RFC 2046, 2183, 2387, 2392)::

    multipart/mixed
    ├── multipart/alternative
    │   ├── text/plain                      complete in itself
    │   └── multipart/related
    │       ├── text/html                   <img src="cid:…" alt="…">
    │       └── image/png   inline          shown in the text, where the text is shown as HTML
    └── image/png           attachment      the same, for those who see the plain text or block images
        and the report's own attachments

The plot is there twice because nothing else opens everywhere: clients hide an inline part that the HTML refers to
from the list of attachments, and one that prefers plain text never looks into the other alternative.

Text goes as quoted-printable and so as short ASCII lines: relays without 8BITMIME need not change it.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.utils import format_datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from streamapp.delivery.clean import clean_line, clean_text, file_name, wrap
from streamapp.delivery.mime import Mail, file_part, flatten, header, mailbox, text_part
from streamapp.delivery.notice import failed_title, job_title, memory_line
from streamapp.errors import Permanent
from streamapp.mailboxes import one_mailbox
from streamapp.resources import JobResource
from streamapp.tasks.contract import Attachment, Report
from streamapp.tasks.said import OWN_CODE

__all__ = ["Letter", "compose"]

DELIVERY_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
MEDIA_TYPE = re.compile(r"(application|audio|image|text|video|font)/([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126})")
PARAGRAPH = re.compile(r"\n\s*\n")

_templates = Environment(
    loader=PackageLoader("streamapp.delivery"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What an e-mail about a job's end is made of. `sender` may carry a display name, `recipient` is a bare address."""

    delivery_id: str
    sender: str
    recipient: str
    event: Literal["succeeded", "failed"]
    job: JobResource
    report: Report | None
    link_base: str


def compose(letter: Letter) -> Mail:
    """Write the e-mail; the same `delivery_id` always gives the same Message-ID.

    Raises `Permanent` for an address or id that can't stand in a header, and for a success without a report.
    """
    succeeded, job = letter.event == "succeeded", letter.job
    if succeeded and letter.report is None:
        raise Permanent("A job that succeeded has a report; this one has none.")
    shown = letter.report if succeeded else None
    source = _sender(letter.sender)
    to = _address(letter.recipient)
    subject = _one_line(shown.subject if shown else failed_title(job))
    link = f"{letter.link_base.rstrip('/')}/jobs/{quote(job.id, safe='')}"
    identity = f"{_identity(letter.delivery_id)}@{source.domain}"
    message = _body(job, shown, subject, link, f"{letter.delivery_id[:32]}@{source.domain}")
    _head(message, source, to, subject, identity)
    return Mail(source.addr_spec, to.addr_spec, flatten(message))


@lru_cache(8)  # all mails of a worker have the same sender
def _sender(text: str) -> Address:
    return _address(text, named=True)


def _head(message: MIMEBase, source: Address, to: Address, subject: str, identity: str) -> None:
    """The headers of the mail as a whole (RFC 5322, RFC 3834)."""
    message["From"] = mailbox("From", source)
    message["To"] = mailbox("To", to)
    message["Subject"] = header("Subject", subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = f"<{identity}>"
    message["Auto-Submitted"] = "auto-generated"


def _identity(delivery_id: str) -> str:
    if not DELIVERY_ID.fullmatch(delivery_id):
        raise Permanent(f"A delivery's id can't be {delivery_id!r}: it becomes part of a Message-ID.")
    return delivery_id


def _address(text: str, *, named: bool = False) -> Address:
    try:
        name, username, domain = one_mailbox(text, named=named)
        return Address(_one_line(name), username, domain)
    except (ValueError, UnicodeError) as error:
        raise Permanent(f"This is no single e-mail address: {text!r}.") from error


def _one_line(text: str) -> str:
    """A header's text. What looks like an encoded word (RFC 2047) is parted, or it would be decoded into anything."""
    return clean_line(text).replace("=?", "= ?")


def _body(job: JobResource, report: Report | None, headline: str, link: str, unique: str) -> MIMEBase:
    """The body, as text and HTML, with the plot and the attachments."""
    title = job_title(job)
    plot = report.plot if report else None
    picture = file_name(f"{title.rpartition('.')[0] or title}-plot.png", "plot.png") if plot else ""
    values = {
        "job": job,
        "title": title,
        "headline": headline,
        "error": clean_text(job.error or "").strip(),
        "own_code": (job.error or "").startswith(OWN_CODE),
        "report": report,
        "text": clean_text(report.text).strip() if report else "",
        "body": _html(report) if report else "",
        "alt": clean_line(plot.alt, 1000) if plot else "",
        "cid": f"plot.{unique}",
        "picture": picture,
        "link": link,
        "memory": memory_line(job),
        "files": [file_name(each.name, "attachment") for each in report.attachments] if report else [],
    }
    kind = "succeeded" if report else "failed"
    plain = text_part("plain", wrap(_templates.get_template(f"{kind}.txt").render(values)))
    page = text_part("html", _templates.get_template(f"{kind}.html").render(values))
    return _together(plain, page, report, picture, unique)


def _html(report: Report) -> Markup | list[list[str]]:
    """The task's own HTML, let through unescaped, or else its text as paragraphs of lines.

    This is the one place in the mail where markup passes: the contract has the task escape what it quotes.
    """
    if report.html:
        return Markup(clean_text(report.html))
    return [paragraph.split("\n") for paragraph in PARAGRAPH.split(clean_text(report.text).strip())]


def _together(plain: MIMEBase, page: MIMEBase, report: Report | None, picture: str, unique: str) -> MIMEBase:
    """Put the plot beside the HTML, then it and the attachments behind the text."""
    mark = f"=_{unique.partition('@')[0][:8]}"  # neither quoted-printable nor base64 has `=_` (RFC 2045, 6.7)
    files = [] if report is None else [_attached(each) for each in report.attachments]
    if report and report.plot:
        png = encodebytes(report.plot.png)
        shown = file_part(png, "image/png", "inline", picture)
        shown["Content-ID"] = f"<plot.{unique}>"
        page = MIMEMultipart("related", f"{mark}_1", [page, shown], type="text/html")  # RFC 2387, 3.1
        files.insert(0, file_part(png, "image/png", "attachment", picture))
    text = MIMEMultipart("alternative", f"{mark}_2", [plain, page])
    return MIMEMultipart("mixed", f"{mark}_3", [text, *files]) if files else text


def _attached(file: Attachment) -> MIMEBase:
    media_type, params = _media_type(file)
    return file_part(encodebytes(file.content), media_type, "attachment", file_name(file.name, "attachment"), **params)


def _media_type(file: Attachment) -> tuple[str, dict[str, str]]:
    """The type to declare: one that can carry bytes, and with text its charset."""
    found = MEDIA_TYPE.fullmatch(file.media_type.partition(";")[0].strip())
    if not found:
        return "application/octet-stream", {}
    if found[1] != "text":
        return found[0], {}
    try:
        file.content.decode("utf-8")
    except UnicodeDecodeError:
        return "application/octet-stream", {}
    return found[0], {"charset": "utf-8"}
