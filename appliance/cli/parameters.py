"""A service's parameters: their JSON schema, and how they are set on the command line."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import typer

from appliance.api import agent_pb2 as pb
from appliance.api.client import Client

Schema: TypeAlias = Mapping[str, Any]

_DECODER: Final = json.JSONDecoder(parse_float=str)


def schemas_of(service: pb.ServiceView) -> Mapping[str, Schema]:
    """Return the JSON schema of each parameter of a service."""
    properties: Mapping[str, Schema] = json.loads(service.parameters_schema or "{}").get(
        "properties", {}
    )
    return properties


def find_defaults(client: Client, service: str) -> dict[str, object]:
    """Return what a service's parameters are if nobody sets them; nothing if it is not known."""
    return {
        name: schema["default"]
        for one in client.list_services()
        if one.name == service
        for name, schema in schemas_of(one).items()
        if "default" in schema
    }


def type_of(schema: Schema) -> str:
    """Return in words what values a parameter takes."""
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return " or ".join(_types_of(schema))


def is_list_of_texts(schema: Schema) -> bool:
    """Tell whether a parameter can be written as a,b."""
    return schema.get("type") == "array" and "string" in _types_of(schema.get("items", {}))


def how_lists_are_written(name: str) -> str:
    """Return an example of setting a parameter that is a list."""
    return f'--set {name}=a,b or --set \'{name}=["a","b"]\''


def _types_of(schema: Schema) -> list[str]:
    alternatives = schema.get("anyOf", [schema])
    return [str(one["type"]) for one in alternatives if "type" in one]


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """Return KEY=VALUE words as names and texts."""
    parsed: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"--set {setting}: it must be KEY=VALUE")
        if key in parsed:
            raise typer.BadParameter(f"--set {key}: it is given twice")
        parsed[key] = value
    return parsed


def compose_parameters(service: pb.ServiceView, settings: Mapping[str, str]) -> str:
    """Return settings as one JSON object; a value that is no JSON is a string.

    So is one with a decimal point: contracts hold no binary fractions. What the service takes as a
    list of texts may be written a,b besides.
    """
    schemas = schemas_of(service)
    parameters: dict[str, object] = {}
    for name, text in settings.items():
        is_list = is_list_of_texts(schemas.get(name, {}))
        parameters[name] = _list(name, text) if is_list else _value(text)
    return json.dumps(parameters)


def _list(name: str, text: str) -> object:
    if not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    value = _value(text)
    if not isinstance(value, list):
        raise typer.BadParameter(
            f"--set {name}={text}: it must be a list, as in {how_lists_are_written(name)}"
        )
    return value


def _value(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        return text
