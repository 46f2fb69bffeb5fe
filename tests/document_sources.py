"""Documents as files in memory, for tests of what reads them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pandas as pd

from difflm.data.documents import Upload

TOOLS: list[dict[str, Any]] = [
    {
        "name": f"tool_{kind}",
        "description": "Dös wörks 🎉",
        "parameters": {"properties": {"a": {"type": kind}}},
    }
    for kind in ("string", "integer", "number")
]
CODE = [f"def f{i}(x):\n    y = x + {i}\n    return y\n" for i in range(12)]


def upload(text: str | bytes, name: str) -> Upload:
    """A file in memory."""
    return Upload(name, text.encode() if isinstance(text, str) else text)


def lines(values: list[Any]) -> str:
    """JSON lines."""
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def zipped(members: dict[str, str | bytes], **options: Any) -> bytes:
    """A zip file of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def reasons(frame: pd.DataFrame) -> dict[str, str]:
    """Why each record was left out."""
    return {item["name"]: item["reason"] for item in frame.attrs["left_out"]}


def canonical(values: list[Any]) -> list[str]:
    return [json.dumps(value, ensure_ascii=False) for value in values]
