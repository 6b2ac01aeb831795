"""As much of protocol buffers as LiveKit's signalling needs: fields by number, without a schema."""

from __future__ import annotations

__all__ = ["Fields", "read", "write"]

#: Values by field number, in order: numbers, or the bytes of texts and messages.
Fields = dict[int, list[int | bytes]]

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def write(fields: dict[int, int | str | bytes | list[str]]) -> bytes:
    """Spell a message; a nested one is given as its bytes."""
    out = bytearray()
    for number, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int):
                out += _number(number << 3 | _VARINT) + _number(one)
            else:
                data = one.encode() if isinstance(one, str) else one
                out += _number(number << 3 | _LENGTH) + _number(len(data)) + data
    return bytes(out)


def read(data: bytes) -> Fields:
    """Read a message; nested ones stay bytes."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        key, at = _read_number(data, at)
        value: int | bytes
        match key & 7:
            case kind if kind == _VARINT:
                value, at = _read_number(data, at)
            case kind if kind == _LENGTH:
                length, at = _read_number(data, at)
                value, at = data[at : at + length], at + length
            case kind if kind in {_EIGHT_BYTES, _FOUR_BYTES}:
                length = 8 if kind == _EIGHT_BYTES else 4
                value, at = data[at : at + length], at + length
            case kind:
                raise ValueError(f"field {key >> 3} is of kind {kind}")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
