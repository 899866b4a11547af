"""The settings of e-mails and webhooks; a part of `streamapp.settings.Settings`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from streamapp.mailboxes import one_mailbox
from streamapp.settings_values import Names
from streamapp.smtp_url import parse_smtp_url

__all__ = ["DeliverySettings"]


class DeliverySettings(BaseSettings):
    """Where e-mails and webhooks go, how many, and how often they are tried."""

    smtp_url: str = Field(
        "",
        description="smtp://[user:password@]host:port, smtps:// for TLS from the start, ?starttls=require. "
        "Empty: the local mailbox of `streamapp up`.",
    )
    mail_from: str = Field(
        "streamapp <streamapp@localhost>",
        description="The From address, with a name or without; its domain is in each Message-ID.",
    )
    mail_to: str = Field(
        "reader@localhost", description="The address used by the old intake's path when a body names none."
    )

    mail_domains: Names = Field(
        (),
        description="Domains that a job's e-mail may go to, comma separated; empty: all. STREAMAPP_MAIL_TO always may.",
    )
    mail_per_recipient: int = Field(
        0, ge=0, description="E-mails to one address that jobs of all tenants may ask for in an hour; 0: any number."
    )
    mail_per_tenant: int = Field(
        0, ge=0, description="E-mails that the jobs of one tenant may ask for in an hour; 0: any number."
    )
    mail_concurrency: int = Field(
        20,
        ge=1,
        le=256,
        description="SMTP conversations at a time in a worker, and so connections; a domain has a quarter or half. "
        "Lower it where the mail server allows fewer.",
    )
    mail_attempts: int = Field(12, ge=1, le=100, description="Attempts at an e-mail before it is given up.")
    mail_first_retry_s: float = Field(
        5.0, gt=0, le=3600, description="Seconds until an e-mail is tried again; each further time twice as long."
    )
    mail_timeout_s: float = Field(60.0, gt=0, le=600, description="Seconds that a whole SMTP conversation may take.")
    in_doubt: Literal["resend", "park"] = Field(
        "resend",
        description="What to do with an e-mail whose fate a crash left open: resend (same Message-ID) or park.",
    )
    webhook_http: bool = Field(False, description="Webhooks may go to http:// URLs too, unencrypted.")
    webhook_concurrency: int = Field(
        16, ge=1, le=256, description="Webhooks that a worker posts at a time; a host has a quarter or half."
    )
    webhook_attempts: int = Field(
        40, ge=1, le=100, description="Attempts at a webhook before it is given up; 40 take about a day."
    )
    webhook_first_retry_s: float = Field(
        5.0, gt=0, le=3600, description="Seconds until a webhook is tried again; each further time twice as long."
    )
    webhook_timeout_s: float = Field(
        20.0, gt=0, le=600, description="Seconds within which a webhook's receiver must have answered."
    )

    @field_validator("smtp_url")
    @classmethod
    def _a_mail_server(cls, value: str) -> str:
        if value:
            parse_smtp_url(value)
        return value

    @field_validator("mail_from", "mail_to")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if any(character in value for character in "\r\n\0"):
            raise ValueError("an address has no line breaks")
        return value

    @field_validator("mail_from")
    @classmethod
    def _one_address(cls, value: str) -> str:
        try:
            one_mailbox(value, named=True)
        except ValueError as error:  # also the codec's, of a domain that is none
            raise ValueError(
                "it must be one e-mail address, such as results@books.example, or with a name before it: "
                "Books <results@books.example>"
            ) from error
        return value
