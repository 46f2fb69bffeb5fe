"""JSON Schemas inferred from documents: valid for all of them, open and closed where they should be."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from difflm.errors import ConfigError, DataError
from difflm.formats.json_grammar import NUMBER
from difflm.formats.json_schema import Validity, describe, infer_json_schema, narrowed, recognise
from difflm.formats.json_text import parse_document
from tests.real_data import real_data

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
NAMES = st.sampled_from(["name", "type", "items", "properties", "a", "b"]) | st.text(max_size=4)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(documents=st.lists(VALUES, min_size=1, max_size=12), times=st.sampled_from([1, 4]))
def test_every_document_meets_the_schema_it_was_in(documents: list[Any], times: int) -> None:
    schema = infer_json_schema(documents * times)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(json.loads(json.dumps(schema)))
    assert [list(validator.iter_errors(document)) for document in documents] == [[]] * len(documents)
    assert describe(schema)


def functions(count: int, arguments: int = 2) -> list[dict[str, Any]]:
    """Function definitions whose argument names hardly come again."""
    made = []
    for number in range(count):
        names = [f"argument_{number}_{n}" for n in range(arguments)] + (["query"] if number % 4 == 0 else [])
        properties: dict[str, Any] = {
            name: {"type": ("string", "integer")[n % 2], "description": f"What {name} is for."}
            for n, name in enumerate(names)
        }
        if number % 3 == 0:
            properties[names[0]]["enum"] = [f"value {number}", "other"]
        parameters = {"type": "object", "properties": properties, "required": names[:1]}
        made.append({"name": f"f{number}", "description": f"Does {number}.", "parameters": parameters})
    return made


def test_function_definitions() -> None:
    schema = infer_json_schema(functions(40))
    parameters = schema["properties"]["parameters"]
    arguments = parameters["properties"]["properties"]
    assert "properties" not in arguments, "argument names are open"
    one = arguments["additionalProperties"]
    assert one["properties"]["type"] == {"type": "string", "enum": ["string", "integer"]}
    assert "enum" not in one["properties"]["description"], "texts that differ are no enum"
    assert one["required"] == ["type", "description"], "enum is optional"
    assert one["additionalProperties"] is False
    assert schema["required"] == ["name", "description", "parameters"]
    unseen = functions(43)[-1]
    assert Validity(schema).fits(unseen)
    assert not Validity(schema).fits({**unseen, "more": 1})


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_function_definitions_are_enough(count: int) -> None:
    schema = infer_json_schema(functions(count))
    assert Validity(schema).fits(functions(9, arguments=3)[7])


def test_maps_need_keys_that_do_not_come_again() -> None:
    prices = [{"prices": {f"item {n * 3 + k}": k + 0.5 for k in range(3)}} for n in range(10)]
    assert infer_json_schema(prices)["properties"]["prices"] == {
        "type": "object",
        "additionalProperties": {"type": "number"},
        "propertyNames": {"maxLength": 64},
        "maxProperties": 32,
    }
    # A record with as many optional keys, each of which comes again.
    records = [{f"key {k}": "text" for k in range(30) if (n * k) % 3 == 0} for n in range(60)]
    schema = infer_json_schema(records)
    assert len(schema["properties"]) == 30 and schema["additionalProperties"] is False
    assert schema["required"] == [f"key {k}" for k in range(0, 30, 3)]
    # One document: alike objects under many names are a map, many texts are a record.
    quotes = {"quotes": {f"S{n}": {"price": n, "name": f"n{n}"} for n in range(12)}}
    assert "additionalProperties" in infer_json_schema([quotes])["properties"]["quotes"]
    assert Validity(infer_json_schema([quotes])).fits({"quotes": {"new": {"price": 3, "name": "n"}}})
    record = {f"key {k}": "text" for k in range(12)}
    assert infer_json_schema([record])["additionalProperties"] is False


def test_open_keys_beside_fixed_ones() -> None:
    documents = [
        {"id": n, "kind": "a", **{f"extra {n * 2 + k}": "text" for k in range(2)}} for n in range(30)
    ]
    schema = infer_json_schema(documents)
    assert schema["required"] == ["id", "kind"] and list(schema["properties"]) == ["id", "kind"]
    assert schema["additionalProperties"]["type"] == "string"
    assert Validity(schema).fits({"id": 1, "kind": "a", "unseen": "text"})
    assert not Validity(schema).fits({"id": 1, "kind": "a", "unseen": 5})


def test_types_are_joined() -> None:
    def value(values: list[Any]) -> dict[str, Any]:
        schema = infer_json_schema([{"v": one} for one in values])["properties"]["v"]
        assert isinstance(schema, dict)
        return schema

    assert value([1, 2]) == {"type": "integer"}
    assert value([1, 2.0]) == {"type": "number"}
    assert value([True, False]) == {"type": "boolean"}
    assert set(value([None, "x"])["type"]) == {"null", "string"}
    assert set(value([3, "x"])["type"]) == {"string", "number", "boolean", "null"}, "any scalar"
    assert value([[1], ["x", None], []])["items"]["maxLength"] == 64
    assert value([[]]) == {"type": "array"}, "one empty list says nothing of its items"
    assert value([[]] * 100) == {"type": "array", "maxItems": 0}
    assert value([{}]) == {"type": "object"}
    assert value([{}] * 100) == {"type": "object", "additionalProperties": False}
    methods = value(["GET"] * 30 + ["POST"] * 10 + [None])
    assert methods == {"anyOf": [{"type": "string", "enum": ["GET", "POST"]}, {"type": "null"}]}
    assert "enum" not in value(["GET", "GET", "POST"]), "too few to tell"
    assert "enum" not in value([f"text {n}" for n in range(100)] + ["GET"] * 100)
    assert "enum" not in value(["a long text that is the same in all of the documents"] * 100)
    with pytest.raises(DataError, match="at least one JSON document"):
        infer_json_schema([])


def test_recursive_documents_have_no_deepest_level() -> None:
    def tree(depth: int) -> dict[str, Any]:
        return {"name": f"node {depth}", "children": [tree(depth - 1)] * 2 if depth else []}

    def function(depth: int) -> dict[str, Any]:
        if depth == 0:
            return {"description": "d", "type": "string"}
        return {"description": "d", "type": "object", "properties": {f"x{depth}": function(depth - 1)}}

    trees = infer_json_schema([tree(depth) for depth in (2, 3)])
    assert Validity(trees).fits(tree(12))
    assert not Validity(trees).fits({"name": "n", "children": [{"name": 5, "children": []}]})
    nested = infer_json_schema([{"name": f"f{n}", "parameters": function(n % 4)} for n in range(40)])
    assert Validity(nested).fits({"name": "f", "parameters": function(9)})
    assert list(nested["$defs"]) == ["properties"]
    # An argument called like a key of its definition is no recursion.
    named = functions(20)
    for number, document in enumerate(named):
        document["parameters"]["properties"]["parameters"] = {"type": "string", "description": f"{number}"}
    assert "$defs" not in infer_json_schema(named)


def test_kinds_of_document_in_one_file_stay_apart() -> None:
    models = [{"id": f"m{n}", "desc": f"model {n}", "in": ["text"], "out": ["text"]} for n in range(20)]
    schema = infer_json_schema([*functions(40), *models])
    assert [form["required"][0] for form in schema["anyOf"]] == ["name", "id"]
    assert not Validity(schema).fits({**functions(1)[0], "in": ["text"]})
    one_odd = infer_json_schema([*functions(40), models[0]])
    assert "anyOf" not in one_odd and Validity(one_odd).fits(models[0])


def test_keys_keep_the_usual_order_and_note_others() -> None:
    documents: list[dict[str, Any]] = (
        [{"b": 1, "a": 2, "d": 3}] * 5 + [{"a": 1, "b": 2}] * 2 + [{"a": 1, "c": 2}]
    )
    schema = infer_json_schema(documents)
    assert list(schema["properties"]) == ["b", "a", "c", "d"]
    assert schema["x-swapped"] == [["a", "b"]]
    assert "x-swapped" not in infer_json_schema(documents[:5])


def test_shapes_are_recognised() -> None:
    bare = functions(10)
    assert recognise(bare) == "openai_function"
    assert recognise([{"type": "function", "function": one} for one in bare]) == "openai_function"
    toolbench = {"tool_name": "t", "api_name": "a", "api_description": "d"}
    assert recognise([{**toolbench, "parameters": {"type": "object"}}]) == "toolbench_api"
    assert recognise([{**toolbench, "required_parameters": [], "optional_parameters": []}]) == "toolbench_api"
    assert recognise([toolbench]) == "json"
    assert recognise([*bare[:8], {"a": 1}, 5]) == "json"
    assert recognise([]) == "json"


def test_description_names_every_place() -> None:
    told = {path: (what, optional) for path, what, optional in describe(infer_json_schema(functions(40)))}
    assert told["name"] == ("text of up to 64 characters", False)
    assert told["parameters.properties"] == ("map", False)
    assert told["parameters.properties.*.type"] == ("one of 'string', 'integer'", False)
    assert told["parameters.properties.*.enum"] == ("list of up to 16", True)
    trees = [{"name": "n", "children": [{"name": "m", "children": [{"name": "o"}]}]}] * 6
    told = {path: (what, optional) for path, what, optional in describe(infer_json_schema(trees))}
    assert told["children[].children[]"] == ("as children[]", True)


def test_reasons_name_the_place_but_no_content() -> None:
    schema = infer_json_schema(functions(40))
    document = functions(41)[-1]
    document["parameters"]["properties"]["SECRET"] = {"type": "SECRET", "description": "d"}
    reason = Validity(schema).reason(document)
    assert reason == "parameters.properties.*.type is none of the known values"
    assert Validity(schema).reason({"name": "SECRET"}) == "the document lacks a key"
    assert Validity(schema).reason(["SECRET"]) == "the document has another type"
    assert Validity(schema).reason(functions(1)[0]) is None


def test_conditions_narrow_the_outermost_keys() -> None:
    documents = [{"method": ("GET", "POST")[n % 2], "path": f"/{n}"} for n in range(60)]
    schema = infer_json_schema(documents)
    got = Validity(narrowed(schema, {"method": ["GET", "DELETE"]}))
    assert got.fits({"method": "GET", "path": "/"}) and not got.fits({"method": "POST", "path": "/"})
    with pytest.raises(ConfigError, match="keys out of method, path"):
        narrowed(schema, {"verb": ["GET"]})
    with pytest.raises(ConfigError, match="values that documents can have"):
        narrowed(schema, {"method": ["DELETE"]})


@pytest.mark.parametrize(
    ("name", "column", "least"),
    [("toolbench_apis", "text", 0.99), ("bfcl_functions", "function", 0.97), ("misc_tools", "text", 0.99)],
)
def test_unseen_real_documents_mostly_fit(name: str, column: str, least: float) -> None:
    root = real_data("tools")
    texts = pd.read_parquet(root / "tools" / f"{name}.parquet")[column].sample(frac=1, random_state=0)
    documents = [parse_document(text) for text in texts[:1000]]
    train, held = documents[:600], documents[600:]
    validity = Validity(infer_json_schema(train))
    assert all(map(validity.fits, train))
    assert sum(map(validity.fits, held)) >= least * len(held)


def test_no_number_is_written_that_is_beyond_floats() -> None:
    large = ("1e308", "1.7976931348623157e+308", "-1.5E308", "9.99e307", "123e268", "1e299")
    for good in (*large, "-2.5E-324", "0", "12.50e9"):
        assert re.fullmatch(NUMBER, good) and math.isfinite(float(good)), good
    for beyond in ("1e309", "1e999", "1E+400", "1e310", "12e308", "2e308", "1.7977e308", "1234567890e300"):
        assert not re.fullmatch(NUMBER, beyond) and math.isinf(float(beyond)), beyond
