"""What a docstring says of parameters, in Google's, NumPy's and Sphinx's style, and types as JSON Schema."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from typing import Any, NamedTuple

_HEADER = re.compile(
    r"(Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|Attributes|Returns?"
    r"|Yields?|Raises|Examples?|Notes?|See Also|References|Warnings?|Warns|Todo)\s*:\s*"
)
_PARAMETERS = ("args", "arguments", "parameters", "params", "keyword", "other")
_GOOGLE = re.compile(r"\*{0,2}(\w+)\s*(?:\(((?:[^()]|\([^()]*\))*)\))?\s*:\s*(.*)")
_NUMPY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\s:\s*(.*))?")
_SPHINX = re.compile(
    r":(param|parameter|arg|argument|key|keyword|type)\s+(?:([^:]+?)\s+)?\\?\*{0,2}(\w+)\s*:\s*(.*)"
)
_FIELD = re.compile(r":\w+(\s[^:]*)?:(\s|$)")
_TYPES = {
    "string": "str string bytes bytearray AnyStr Path PurePath PathLike StrPath date datetime time timedelta"
    " UUID char Pattern",
    "integer": "int integer SupportsInt SupportsIndex Integral",
    "number": "float number double Decimal Fraction Real Number SupportsFloat",
    "boolean": "bool boolean",
    "array": "list tuple set frozenset List Tuple Set FrozenSet Sequence MutableSequence Iterable Iterator"
    " Collection AbstractSet MutableSet deque Deque ndarray array array_like sequence iterable",
    "object": "dict Dict Mapping MutableMapping OrderedDict defaultdict DefaultDict Counter mapping dictionary",
    "null": "None NoneType",
}
_TYPE_OF = {word: name for name, words in _TYPES.items() for word in words.split()}
_WRAPPERS = ("Annotated", "Final", "ClassVar", "Required", "NotRequired", "Optional")


class Told(NamedTuple):
    """What is said of one parameter: its type in words, and what it means."""

    type: str
    description: str


class Docstring(NamedTuple):
    """The text before all sections, and parameters by name."""

    description: str
    parameters: dict[str, Told]


def read_docstring(text: str) -> Docstring:
    """The parts of a docstring; sections other than those of parameters, and doctests, are left out."""
    lines = inspect.cleandoc(text).split("\n")
    opening, sections = _sections(lines)
    told: dict[str, Told] = {}
    for title, style, body in sections:
        if style == "sphinx":
            _sphinx(body, told)
        elif title.lower().split()[0] in _PARAMETERS:
            _entries(body, style, told)
    return Docstring(_paragraphs(opening), told)


def _sections(lines: list[str]) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """The lines before the first section; then title, style and lines of each section."""
    opening: list[str] = []
    sections: list[tuple[str, str, list[str]]] = []
    body, skip = opening, False
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if skip:
            skip = False
        elif line.strip() and re.fullmatch(r"-{3,}|={3,}", below.strip()) and not line.startswith(" "):
            body, skip = [], True
            sections.append((line.strip(), "numpy", body))
        elif _HEADER.fullmatch(line):
            body = []
            sections.append((line.strip(" :"), "google", body))
        elif _FIELD.match(line):
            if not sections or sections[-1][1] != "sphinx":
                body = []
                sections.append(("fields", "sphinx", body))
            body.append(line)
        else:
            body.append(line)
    return opening, sections


def _entries(body: list[str], style: str, told: dict[str, Told]) -> None:
    """Parameters of a section; the lines below an entry that stand further right continue it."""
    filled = [line for line in body if line.strip()]
    margin = len(filled[0]) - len(filled[0].lstrip()) if filled else 0
    names: list[str] = []
    for line in filled:
        indent, plain = len(line) - len(line.lstrip()), line.strip()
        if indent > margin and names:
            for name in names:
                told[name] = Told(told[name].type, f"{told[name].description} {plain}".strip())
            continue
        found = (_GOOGLE if style == "google" else _NUMPY).fullmatch(plain)
        if not found or indent < margin:
            names = []
            continue
        names = [name.strip(" *") for name in found[1].split(",")]
        said = found[3] if style == "google" else ""
        told.update({name: Told(found[2] or "", said) for name in names})


def _sphinx(body: list[str], told: dict[str, Told]) -> None:
    name = ""
    for line in body:
        found = _SPHINX.fullmatch(line.strip())
        if found and found[1] == "type":
            told[found[3]] = Told(found[4], told.get(found[3], Told("", "")).description)
            name = ""
        elif found:
            name = found[3]
            told[name] = Told(found[2] or told.get(name, Told("", "")).type, found[4])
        elif _FIELD.match(line.strip()) or not line.startswith(" "):
            name = ""
        elif name and line.strip():
            told[name] = Told(told[name].type, f"{told[name].description} {line.strip()}".strip())


def _paragraphs(lines: list[str]) -> str:
    """Lines of a paragraph joined; lists and other indented blocks keep their lines, doctests go."""
    kept = []
    for paragraph in re.split(r"\n\s*\n", "\n".join(lines).strip()):
        if any(line.lstrip().startswith(">>>") for line in paragraph.split("\n")):
            continue
        block = any(line.startswith((" ", "-", "*")) for line in paragraph.split("\n")[1:])
        kept.append(paragraph.rstrip() if block else " ".join(paragraph.split()))
    return "\n".join(part for part in kept if part)


def schema_of(annotation: ast.expr) -> dict[str, Any]:
    """JSON Schema of an annotation; {} where it says nothing that JSON has a type for."""
    match annotation:
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Constant(value=str(words)):
            return schema_of_words(words)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {"type": _TYPE_OF[name]} if name in _TYPE_OF else {}
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union([schema_of(left), schema_of(right)])
        case ast.Set(elts=parts):
            return _enum(parts)
        case ast.Subscript(value=ast.Name(id=base) | ast.Attribute(attr=base), slice=inner):
            return _generic(base, inner.elts if isinstance(inner, ast.Tuple) else [inner])
    return {}


def schema_of_words(words: str) -> dict[str, Any]:
    """JSON Schema of a type in words, such as "int, optional" or "list of str"."""
    words = re.sub(r",?\s*(optional|default\b.*|keyword-only)\s*", "", words).strip(" ,`")
    listed = re.fullmatch(r"(list|tuple|set|sequence|iterable|array)s? of (\w+?)s?", words)
    if listed:
        items = schema_of_words(listed[2])
        return {"type": "array", "items": items} if items else {"type": "array"}
    words = re.sub(r"\s+or\s+", " | ", words)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = ast.parse(words, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {} if isinstance(parsed, ast.Constant) and isinstance(parsed.value, str) else schema_of(parsed)


def _generic(base: str, inner: list[ast.expr]) -> dict[str, Any]:
    if base == "Literal":
        return _enum(inner)
    if base == "Union":
        return _union([schema_of(part) for part in inner])
    if base in _WRAPPERS:
        said = [part.value for part in inner[1:] if isinstance(part, ast.Constant)]
        made = schema_of(inner[0])
        return {**made, "description": said[0]} if said and isinstance(said[0], str) and made else made
    kind = _TYPE_OF.get(base)
    made = {"type": kind} if kind else {}
    one = len(inner) == 1 or (isinstance(inner[1], ast.Constant) and inner[1].value is Ellipsis)
    if kind == "array" and one and (items := schema_of(inner[0])):
        made["items"] = items
    if kind == "object" and len(inner) == 2 and (values := schema_of(inner[1])):
        made["additionalProperties"] = values
    return made


def _enum(parts: list[ast.expr]) -> dict[str, Any]:
    values = [part.value for part in parts if isinstance(part, ast.Constant)]
    if len(values) < len(parts) or not values:
        return {}
    for python, name in ((str, "string"), (bool, "boolean"), (int, "integer")):
        if all(type(value) is python for value in values):
            return {"type": name, "enum": values}
    return {}


def _union(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The type of either; null says only that an argument may be left out."""
    if not all(parts):
        return {}
    rest = [part for part in parts if part.get("type") != "null"] or parts[:1]
    distinct = [part for number, part in enumerate(rest) if part not in rest[:number]]
    if len(distinct) == 1:
        return distinct[0]
    if not all(isinstance(part.get("type"), str) for part in distinct):
        return {}
    names = list(dict.fromkeys(part["type"] for part in distinct))
    return {"type": names[0] if len(names) == 1 else names}
