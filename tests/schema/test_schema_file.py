from __future__ import annotations

from pathlib import Path

from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, build_schema
from typer.testing import CliRunner

from graph.cli.main import app
from graph.explorer import EXAMPLES
from graph.schema.build import build_schema as strawberry_schema
from graph.schema.build import schema_text
from tests.support.paths import ROOT

FILE = ROOT / "schema.graphql"


def test_the_schema_file_is_fresh() -> None:
    assert FILE.read_text(encoding="utf-8") == schema_text(), "run: recallql schema > schema.graphql"


def test_check_tells_a_stale_file(tmp_path: Path) -> None:
    stale = tmp_path / "schema.graphql"
    stale.write_text("type Query { old: Int }\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["schema", "--check", str(stale)])
    assert result.exit_code == 1
    assert "recallql schema >" in result.output
    assert CliRunner().invoke(app, ["schema", "--check", str(FILE)]).exit_code == 0


def test_everything_in_the_schema_is_described() -> None:
    bare = []
    for name, kind in build_schema(schema_text()).type_map.items():
        if name.startswith("__") or name in {"Int", "Float", "String", "Boolean", "ID"}:
            continue
        if not kind.description:
            bare.append(name)
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                if not field.description:
                    bare.append(f"{name}.{field_name}")
                bare.extend(
                    f"{name}.{field_name}({argument_name}:)"
                    for argument_name, argument in getattr(field, "args", {}).items()
                    if not argument.description
                )
    assert bare == []


def test_the_scalars_say_where_they_are_specified() -> None:
    types = build_schema(schema_text()).type_map
    for name in ("JSON", "DateTime", "UUID"):
        assert types[name].specified_by_url.startswith("https://")  # type: ignore[attr-defined]


async def test_the_explorer_s_examples_are_valid() -> None:
    from graphql import parse, validate

    schema = strawberry_schema()._schema
    for example in EXAMPLES:
        document = parse(example.query)
        if "subscription" in example.query and schema.subscription_type is None:
            continue
        assert validate(schema, document) == []
