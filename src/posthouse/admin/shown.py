"""How what an administrator sees is shown to programs: JSON of the same keys, whichever face he asks by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from posthouse.spool import Administrator, AuditRecord, Token, TraceEntry


def timestamp(at: float | None) -> str | None:
    """Unix time as ISO 8601 in UTC."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_entry(entry: TraceEntry) -> dict[str, Any]:
    """What happened to one recipient of a message, from acceptance on."""
    return {
        "id": entry.message_id,
        "received": timestamp(entry.received_at),
        "origin": entry.origin.value,
        "sender": entry.reverse_path or "<>",
        "recipient": entry.forward_path,
        "subject": entry.subject,
        "message_id": entry.header_message_id,
        "size": entry.size,
        "client": entry.client.ip,
        "helo": entry.client.helo,
        "protocol": entry.client.protocol,
        "tls": entry.client.tls,
        "certificate": entry.client.certificate,
        "login": entry.client.login,
        "connector": entry.connector,
        "reasons": entry.reasons.splitlines(),
        "status": entry.state.value,
        "attempts": entry.attempts,
        "due": timestamp(entry.due) if not entry.state.is_final else None,
        "reply": str(entry.reply) if entry.reply else None,
        "remote": entry.remote,
        "at": timestamp(entry.at),
        "outbound_connector": entry.outbound_connector,
        "destination": entry.destination,
        "events": [
            {"at": timestamp(event.at), "event": event.kind.value, "detail": event.detail} for event in entry.events
        ],
    }


def shown_record(record: AuditRecord) -> dict[str, Any]:
    """Who did what."""
    return {
        "at": timestamp(record.at),
        "who": record.who,
        "face": record.face,
        "origin": record.origin,
        "act": record.act,
        "object": record.object,
        "outcome": record.outcome.value,
        "reason": record.reason,
        "changes": [{"key": change.key, "before": change.before, "after": change.after} for change in record.changes],
    }


def shown_administrator(who: Administrator) -> dict[str, Any]:
    return {
        "name": who.name,
        "roles": list(who.roles),
        "enabled": who.enabled,
        "totp": who.has_totp,
        "created": timestamp(who.created_at),
        "last_sign_in": timestamp(who.last_sign_in_at),
    }


def shown_token(token: Token) -> dict[str, Any]:
    return {
        "name": token.name,
        "role": token.role,
        "created": timestamp(token.created_at),
        "created_by": token.created_by,
        "expires": timestamp(token.expires_at),
        "last_used": timestamp(token.used_at),
    }
