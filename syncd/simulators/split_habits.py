"""What servers make of the values they are given, before they store them."""

import unicodedata
from typing import Any

from syncd.simulators.split_entities import Json
from syncd.simulators.split_knobs import SplitKnobs


def kept(attributes: Json, knobs: SplitKnobs) -> Json:
    """The attributes as this server stores them; externalId is the client's own and stays as it is."""
    made = {
        name: value if name == "externalId" else _value(value, knobs) for name, value in attributes.items()
    }
    if knobs.lowercase_names:
        made["userName"] = str(made["userName"]).lower()
    if isinstance(made.get("emails"), list):
        made["emails"] = [_mail(mail, knobs) for mail in made["emails"]]
    return made


def _value(value: Any, knobs: SplitKnobs) -> Any:
    if isinstance(value, dict):
        return {name: _value(part, knobs) for name, part in value.items()}
    if isinstance(value, list):
        return [_value(part, knobs) for part in value]
    if isinstance(value, str):
        return text_kept(value, knobs)
    if knobs.numbers_as_text and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def text_kept(text: str, knobs: SplitKnobs) -> str:
    """One text, as this server stores it."""
    text = text.strip() if knobs.trim else text
    text = unicodedata.normalize("NFC", text) if knobs.nfc else text
    return text.lower() if knobs.lowercase_values else text


def _mail(mail: Any, knobs: SplitKnobs) -> Any:
    if not isinstance(mail, dict):
        return mail
    made = {name: value for name, value in mail.items() if not (knobs.untyped_email and name == "type")}
    if knobs.lowercase_names and isinstance(made.get("value"), str):
        made["value"] = made["value"].lower()
    return made
